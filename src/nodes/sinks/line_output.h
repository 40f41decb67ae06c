// Lines to standard output or a file, each written at once: a reader sees it when the message is handled.
//
// How many bytes of a file are written is the state of a sink: its successor cuts off what came after the last message
// that was accounted for, and goes on there. What was written to standard output or a pipe cannot be taken back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/unique_fd.h"

namespace penstock::nodes::sinks {

class LineOutput final {
 public:
  /// `path` is created or emptied; an empty one means standard output.
  static auto Open(const std::string& path) -> base::Expected<LineOutput>;
  /// As Open, of a file that goes on: nothing of it is emptied. To be followed by GoOnAfter where `is_file`.
  static auto Reopen(const std::string& path) -> base::Expected<LineOutput>;
  LineOutput() = default;

  /// `line` has no line end of its own. After an error, which names the file system if that is full, is_broken holds,
  /// and a file ends with the last whole line.
  auto Write(std::string_view line) -> base::Status;

  /// An ordinary file, of which can be said how far it was written.
  auto is_file() const noexcept -> bool { return is_file_; }
  auto is_broken() const noexcept -> bool { return is_broken_; }
  auto Written() const -> std::string { return std::to_string(written_); }
  /// Cuts the file off after what `written` says (see Written). Errors: kPeerCorrupt when it says nothing.
  auto GoOnAfter(std::string_view written) -> base::Status;

 private:
  static auto OpenWith(const std::string& path, int flags) -> base::Expected<LineOutput>;
  auto Broken(int error) -> base::Status;

  std::uint64_t written_ = 0;  // bytes of whole lines
  bool is_file_ = false;
  bool is_broken_ = false;
  std::string path_;
  base::UniqueFd file_;
  std::string buffer_;
};

}  // namespace penstock::nodes::sinks
