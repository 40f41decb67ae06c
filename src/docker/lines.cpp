#include "docker/lines.h"

#include <utility>

#include "docker/errors.h"

namespace penstock::docker {
namespace {
auto Pass(std::string_view line, const LineDecoder::Sink& sink) -> base::Status {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line.empty() ? base::Status{} : sink(line);
}
}  // namespace

auto LineDecoder::Feed(std::string_view piece, const Sink& sink) -> base::Status {
  while (!piece.empty()) {
    const auto end = piece.find('\n');
    const auto part = piece.substr(0, end);
    if (rest_.size() + part.size() > max_line_bytes_) {
      return tl::unexpected(
          MalformedError(attempt_, fmt::format("the answer has a line of more than {} bytes", max_line_bytes_)));
    }
    if (end == std::string_view::npos) {
      rest_.append(part);
      return {};
    }
    piece.remove_prefix(end + 1);
    if (rest_.empty()) {
      PENSTOCK_TRY(Pass(part, sink));
    } else {
      rest_.append(part);
      PENSTOCK_TRY(Pass(std::exchange(rest_, {}), sink));
    }
  }
  return {};
}

auto LineDecoder::Flush(const Sink& sink) -> base::Status { return Pass(std::exchange(rest_, {}), sink); }

}  // namespace penstock::docker
