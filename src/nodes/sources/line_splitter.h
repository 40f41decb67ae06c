// Splits what a source reads into lines, as it comes: in pieces that may hold several, or end within one.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace penstock::nodes::sources {

/// A line ends with a line feed, or with a carriage return and a line feed. Lines are as long as they are: a message
/// that is too large for its edges is refused where it is sent.
class LineSplitter final {
 public:
  /// What comes up to the first line end is left out. Before the first piece.
  void SkipFirst() { skips_ = true; }

  void Feed(std::string_view piece) {
    buffer_.erase(0, begin_);
    searched_ -= begin_;
    begin_ = 0;
    if (skips_) {
      const auto end = piece.find('\n');
      if (end == std::string_view::npos) return;
      piece.remove_prefix(end + 1);
      skips_ = false;
    }
    buffer_.append(piece);
  }
  /// The next line that is complete, without its end. Valid until the next Feed.
  auto Next() -> std::optional<std::string_view> {
    const auto end = buffer_.find('\n', searched_);
    if (end == std::string::npos) {
      searched_ = buffer_.size();
      return std::nullopt;
    }
    return Take(end, end + 1);
  }
  /// At the end of the input: a line that has no line end, if there is one.
  auto Last() -> std::optional<std::string_view> {
    if (begin_ == buffer_.size()) return std::nullopt;
    return Take(buffer_.size(), buffer_.size());
  }

 private:
  auto Take(std::size_t end, std::size_t next) -> std::string_view {
    auto line = std::string_view(buffer_).substr(begin_, end - begin_);
    if (line.ends_with('\r')) line.remove_suffix(1);
    begin_ = searched_ = next;
    return line;
  }

  std::string buffer_;
  std::size_t begin_ = 0;     // of the next line
  std::size_t searched_ = 0;  // up to here there is no further line end
  bool skips_ = false;
};

}  // namespace penstock::nodes::sources
