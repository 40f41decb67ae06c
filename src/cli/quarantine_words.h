// The words of `penstock quarantine`: a verb with verbs of its own.
#pragma once

#include <functional>

namespace CLI {
class App;
}  // namespace CLI

namespace penstock::cli {

class QuarantineWords final {
 public:
  explicit QuarantineWords(CLI::App& app);
  QuarantineWords(const QuarantineWords&) = delete;  // the words' actions know where it is
  auto operator=(const QuarantineWords&) -> QuarantineWords& = delete;
  auto parsed() const -> bool;
  /// The process's exit code.
  auto Run() const -> int { return run_(); }

 private:
  CLI::App* verb_;
  std::function<int()> run_;
};

}  // namespace penstock::cli
