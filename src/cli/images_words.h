// The words of `penstock images`: a verb with verbs of its own.
#pragma once

#include <functional>

namespace CLI {
class App;
}  // namespace CLI

namespace penstock::cli {

class ImagesWords final {
 public:
  explicit ImagesWords(CLI::App& app);
  ImagesWords(const ImagesWords&) = delete;  // the words' actions know where it is
  auto operator=(const ImagesWords&) -> ImagesWords& = delete;
  auto parsed() const -> bool;
  /// The process's exit code.
  auto Run() const -> int { return run_(); }

 private:
  CLI::App* verb_;
  std::function<int()> run_;
};

}  // namespace penstock::cli
