// Takes apart the engine's multiplexed output: frames of 8 bytes head (stream, 0, 0, 0, big-endian length) and payload.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "docker/types.h"

namespace penstock::docker {

/// Frames may be cut anywhere by Feed's pieces; payload is passed on as it arrives, without copying or collecting.
class FrameDecoder final {
 public:
  /// Errors: kPeerCorrupt for a head that is none.
  auto Feed(std::string_view piece, const OutputSink& sink) -> base::Status;
  /// Did the input end between two frames?
  auto complete() const noexcept -> bool { return head_size_ == 0 && left_ == 0; }

 private:
  static constexpr std::size_t kHeadBytes = 8;
  std::array<char, kHeadBytes> head_{};
  std::size_t head_size_ = 0;
  std::uint32_t left_ = 0;  // of the current payload
  OutputStream stream_ = OutputStream::kStdout;
};

}  // namespace penstock::docker
