// Takes apart the engine's multiplexed output: frames of 8 bytes head (stream, 0, 0, 0, big-endian length) and payload.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "docker/types.h"

namespace penstock::docker {

/// Frames may be cut anywhere by Feed's pieces; payload is passed on as it arrives, without copying or collecting.
class FrameDecoder final {
 public:
  /// `attempt`: what the frames are read for, as in HttpRequest.
  explicit FrameDecoder(std::string attempt) : attempt_(std::move(attempt)) {}

  /// Errors: kPeerCorrupt for a head that is none.
  auto Feed(std::string_view piece, const OutputSink& sink) -> base::Status;
  /// The input has ended. Errors: kPeerCorrupt when that was in the middle of a frame.
  auto Finish() const -> base::Status;

 private:
  static constexpr std::size_t kHeadBytes = 8;
  std::string attempt_;
  std::array<char, kHeadBytes> head_{};
  std::size_t head_size_ = 0;
  std::uint32_t left_ = 0;  // of the current payload
  OutputStream stream_ = OutputStream::kStdout;
};

}  // namespace penstock::docker
