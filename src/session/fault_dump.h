// Python's last words at a crash, recognised in what a worker prints to stderr: `faulthandler` writes where every
// thread was after "Fatal Python error: Segmentation fault".
#pragma once

#include <string>
#include <string_view>

namespace penstock::session {

class FaultDump final {
 public:
  /// The next line of stderr, without its end.
  void Add(std::string_view line);
  /// From "Fatal Python error" on; empty: none was seen.
  auto text() const noexcept -> const std::string& { return text_; }

 private:
  std::string text_;
};

}  // namespace penstock::session
