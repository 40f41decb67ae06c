// Cuts a stream of bytes into lines.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace penstock::docker {

class LineDecoder final {
 public:
  using Sink = std::function<base::Status(std::string_view line)>;

  static constexpr std::size_t kMaxLineBytes = 16UL << 20;

  /// `attempt`: what the lines are read for, as in HttpRequest. `max_line_bytes` beyond kMaxLineBytes does not count.
  explicit LineDecoder(std::string attempt = "read what the Docker engine sends",
                       std::size_t max_line_bytes = kMaxLineBytes)
      : attempt_(std::move(attempt)), max_line_bytes_(std::min(max_line_bytes, kMaxLineBytes)) {}

  /// Passes on each line that is complete, without its end and when it is not empty; stops at the sink's first error.
  /// Errors: the sink's, and kPeerCorrupt for a line beyond its bound.
  auto Feed(std::string_view piece, const Sink& sink) -> base::Status;
  /// Passes on what came after the last line end.
  auto Flush(const Sink& sink) -> base::Status;

 private:
  std::string attempt_;
  std::size_t max_line_bytes_;
  std::string rest_;
};

}  // namespace penstock::docker
