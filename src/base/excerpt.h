// The beginning and the end of a text of any length, which comes in pieces.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace penstock::base {

class Excerpt final {
 public:
  /// Of a longer text the first `head` and the last `tail` bytes are kept.
  Excerpt(std::size_t head, std::size_t tail) : most_in_head_(head), most_in_tail_(tail) {}

  void Add(std::string_view piece) {
    const auto first = std::min(most_in_head_ - head_.size(), piece.size());
    head_.append(piece.substr(0, first));
    tail_.append(piece.substr(first));
    // Not at every piece: that would move the tail each time.
    if (tail_.size() > 2 * most_in_tail_) Cut();
  }
  /// With a mark where something was left out.
  auto Show() -> std::string {
    if (tail_.size() > most_in_tail_) Cut();
    return left_out_ == 0 ? head_ + tail_ : fmt::format("{}\n[… {} bytes …]\n{}", head_, left_out_, tail_);
  }

 private:
  void Cut() {
    const auto surplus = tail_.size() - most_in_tail_;
    tail_.erase(0, surplus);
    left_out_ += surplus;
  }

  std::size_t most_in_head_;
  std::size_t most_in_tail_;
  std::string head_;
  std::string tail_;
  std::size_t left_out_ = 0;
};

}  // namespace penstock::base
