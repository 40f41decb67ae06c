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
    bool continued = false;  // too long: it goes on in the next piece
  };
  using Handler = std::function<void(const Line&)>;

  static constexpr std::size_t kMaxLineBytes = 1 << 20;

  explicit LineReader(Handler handler, std::size_t max_line_bytes = kMaxLineBytes)
      : handler_(std::move(handler)), max_line_bytes_(max_line_bytes) {}

  /// Takes bytes as they came from the pipe.
  void Feed(std::string_view bytes);
  /// The pipe has ended: what is left is a line of its own.
  void End();
  enum class Got { kSome, kNothingNow, kEnd };
  /// One read without waiting: bounded, so that a pipe that never runs dry does not hold its reader's loop.
  auto ReadSome(int fd) -> Got;

 private:
  Handler handler_;
  std::size_t max_line_bytes_;
  std::string partial_;
};

}  // namespace penstock::observe
