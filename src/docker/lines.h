// Cuts a stream of bytes into lines.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace penstock::docker {

class LineDecoder final {
 public:
  using Sink = std::function<base::Status(std::string_view line)>;

  /// `attempt`: what the lines are read for, as in HttpRequest.
  explicit LineDecoder(std::string attempt = "read what the Docker engine sends") : attempt_(std::move(attempt)) {}

  /// Passes on each line that is complete, without its end and when it is not empty; stops at the sink's first error.
  /// Errors: the sink's, and kPeerCorrupt for a line of more than 16 MiB.
  auto Feed(std::string_view piece, const Sink& sink) -> base::Status;
  /// Passes on what came after the last line end.
  auto Flush(const Sink& sink) -> base::Status;

 private:
  std::string attempt_;
  std::string rest_;
};

}  // namespace penstock::docker
