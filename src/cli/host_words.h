// The words of the verbs that look at this host and change nothing.
#pragma once

#include <functional>

namespace CLI {
class App;
}  // namespace CLI

namespace penstock::cli {

class HostWords final {
 public:
  explicit HostWords(CLI::App& app);
  HostWords(const HostWords&) = delete;  // the words' actions know where it is
  auto operator=(const HostWords&) -> HostWords& = delete;
  auto parsed() const -> bool { return static_cast<bool>(run_); }
  /// The process's exit code.
  auto Run() const -> int { return run_(); }

 private:
  void AddDoctor(CLI::App& app);
  void AddNodes(CLI::App& app);
  void AddCompletion(CLI::App& app);

  std::function<int()> run_;
};

}  // namespace penstock::cli
