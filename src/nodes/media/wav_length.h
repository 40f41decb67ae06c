// What a WAV file's header says about its length. FFmpeg's reader does not tell: a file that was cut short looks
// complete.
#pragma once

#include <cstdint>

namespace penstock::nodes::media {

struct WavLength {
  std::int64_t announced_bytes = 0;  // of audio data; 0: not stated (written into a pipe) or not a RIFF WAVE file
  std::int64_t present_bytes = 0;    // of audio data in the file
};

/// Reads the chunk headers of the file `fd` without moving its position.
auto ReadWavLength(int fd) -> WavLength;

}  // namespace penstock::nodes::media
