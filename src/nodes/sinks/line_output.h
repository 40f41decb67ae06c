// Lines to standard output or a file, each written at once: a reader sees it when the message is handled.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/unique_fd.h"

namespace penstock::nodes::sinks {

class LineOutput final {
 public:
  /// `path` is created or emptied; an empty one means standard output.
  static auto Open(const std::string& path) -> base::Expected<LineOutput>;
  LineOutput() = default;

  /// `line` has no line end of its own.
  auto Write(std::string_view line) -> base::Status;

 private:
  std::string path_;
  base::UniqueFd file_;
  std::string buffer_;
};

}  // namespace penstock::nodes::sinks
