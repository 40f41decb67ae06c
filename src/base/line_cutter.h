// Cuts what a program prints into lines, as it comes: in pieces that may hold several, or end within one.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace penstock::base {

/// A line ends with a line feed or, as those that show progress, with a carriage return. Empty ones are passed over. Of
/// a line longer than kMostBytes the beginning is passed on, and how much was left out: the other side decides how long
/// its lines are, and need not end them at all.
class LineCutter final {
 public:
  static constexpr std::size_t kMostBytes = std::size_t{64} * 1024;

  /// Passes on each line that is complete.
  template <class Sink>
  void Feed(std::string_view piece, const Sink& sink) {
    for (;;) {
      const auto end = piece.find_first_of("\n\r");
      Keep(piece.substr(0, end));
      if (end == std::string_view::npos) return;
      Flush(sink);
      piece.remove_prefix(end + 1);
    }
  }
  /// Passes on what came after the last line end.
  template <class Sink>
  void Flush(const Sink& sink) {
    if (left_out_ != 0) rest_ += fmt::format(" [… {} more bytes]", left_out_);
    if (!rest_.empty()) sink(std::string_view(rest_));
    rest_.clear();
    left_out_ = 0;
  }

 private:
  void Keep(std::string_view piece) {
    const auto room = kMostBytes - std::min(rest_.size(), kMostBytes);
    const auto kept = left_out_ != 0 ? 0 : std::min(room, piece.size());
    rest_.append(piece.substr(0, kept));
    if (kept == piece.size()) return;
    if (left_out_ == 0) left_out_ = DropBrokenCharacter(piece[kept]);
    left_out_ += piece.size() - kept;
  }
  // The bytes at the end of `rest_` that would be half a character of UTF-8 without `next`.
  auto DropBrokenCharacter(char next) -> std::size_t {
    const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; };
    if (!continues(next)) return 0;
    std::size_t dropped = 0;
    while (dropped < 3 && dropped < rest_.size() && continues(rest_[rest_.size() - 1 - dropped])) ++dropped;
    dropped = std::min(dropped + 1, rest_.size());
    rest_.resize(rest_.size() - dropped);
    return dropped;
  }

  std::string rest_;
  std::size_t left_out_ = 0;  // bytes of the line under way
};

}  // namespace penstock::base
