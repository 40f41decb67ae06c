// Lines of one of a worker's pipes. Nothing is lost or merged: a last line without its end counts, binary bytes pass,
// and a line longer than the bound is cut into pieces that say so.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace penstock::observe {

class LineReader final {
 public:
  struct Line {
    std::string_view text;   // without its newline
    bool continued = false;  // the line goes on in the next piece
  };
  using Handler = std::function<void(const Line&)>;

  static constexpr std::size_t kMaxLineBytes = 1 << 20;

  explicit LineReader(Handler handler) : handler_(std::move(handler)) {}

  /// Takes bytes as they came from the pipe.
  void Feed(std::string_view bytes);
  /// The pipe has ended: what is left is a line of its own.
  void End();
  /// Reads what is there without waiting. False at end of file (End has been called then).
  auto Drain(int fd) -> bool;

 private:
  Handler handler_;
  std::string partial_;
};

}  // namespace penstock::observe
