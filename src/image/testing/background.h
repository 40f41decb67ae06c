// A server of the host that runs while a test needs it.
#pragma once

#include <string>
#include <thread>
#include <vector>

namespace penstock::image {

/// Runs a program until destroyed, and waits at its start for the line that matches `pattern`.
class Background final {
 public:
  /// The first group of `pattern` (ECMAScript) is the result of found().
  Background(const std::vector<std::string>& arguments, const std::string& pattern);
  ~Background();
  Background(const Background&) = delete;
  auto operator=(const Background&) -> Background& = delete;

  /// Empty when the program ended without such a line.
  auto found() const noexcept -> const std::string& { return found_; }

 private:
  std::string found_;
  std::jthread thread_;
};

/// What a program has printed, and its exit status; -1 when it could not be run.
struct Finished {
  int status = -1;
  std::string output;
};
auto RunToEnd(const std::vector<std::string>& arguments) -> Finished;

}  // namespace penstock::image
