#include "docker/frames.h"

#include <algorithm>

#include "docker/errors.h"

namespace penstock::docker {

auto FrameDecoder::Feed(std::string_view piece, const OutputSink& sink) -> base::Status {
  while (!piece.empty()) {
    if (left_ > 0) {
      const auto taken = std::min<std::size_t>(left_, piece.size());
      sink(stream_, piece.substr(0, taken));
      left_ -= static_cast<std::uint32_t>(taken);
      piece.remove_prefix(taken);
      continue;
    }
    const auto taken = std::min(kHeadBytes - head_size_, piece.size());
    std::copy_n(piece.begin(), taken, head_.begin() + static_cast<std::ptrdiff_t>(head_size_));
    head_size_ += taken;
    piece.remove_prefix(taken);
    if (head_size_ < kHeadBytes) return {};
    head_size_ = 0;
    const auto byte = [this](std::size_t i) { return std::uint32_t{static_cast<unsigned char>(head_.at(i))}; };
    // 0 is stdin, which the engine writes for stdout in one case; 3 would be an error of the engine's own.
    if (byte(0) > 2 || byte(1) != 0 || byte(2) != 0 || byte(3) != 0) {
      return base::Fail(base::ErrorCode::kPeerCorrupt,
                        "cannot {}: the output is not framed as expected (head {:02x} {:02x} {:02x} {:02x}): was the "
                        "container created "
                        "with a terminal?",
                        attempt_, byte(0), byte(1), byte(2), byte(3));
    }
    stream_ = byte(0) == 2 ? OutputStream::kStderr : OutputStream::kStdout;
    left_ = byte(4) << 24U | byte(5) << 16U | byte(6) << 8U | byte(7);
  }
  return {};
}

auto FrameDecoder::Finish() const -> base::Status {
  if (head_size_ == 0 && left_ == 0) return {};
  return tl::unexpected(MalformedError(attempt_, "the output ends in the middle of a frame"));
}

}  // namespace penstock::docker
