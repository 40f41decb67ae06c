// A file that audio is written into, in one format. Lives on one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"

namespace penstock::nodes::media {

/// How samples are stored: as integers of 16 or 24 bits, or as they came.
enum class SampleFormat { kS16, kS24, kF32 };

struct AudioFileOptions {
  std::string name;  // for messages
  int rate = 0;      // samples a second
  int channels = 0;
  SampleFormat samples = SampleFormat::kS16;
};

class AudioFile {
 public:
  AudioFile() = default;
  AudioFile(const AudioFile&) = delete;
  auto operator=(const AudioFile&) -> AudioFile& = delete;
  virtual ~AudioFile() = default;

  /// Interleaved samples; those beyond −1…1 are cut off, unless they are stored as they are.
  /// Errors: of the disk; kExhausted when the format can hold no more.
  virtual auto Write(std::span<const float> samples) -> base::Status = 0;
  /// Writes what is left. Errors: of the disk.
  virtual auto Close() -> base::Status = 0;
};

/// "cannot write to 'x.wav': No space left on device (ENOSPC): make room there, or give the node another path".
auto CannotWrite(const std::string& name, int error) -> base::Status;

/// −1…1 to integers of so many bits. 1 is one step too large for them and becomes the largest.
auto ToInteger(float sample, int bits) -> std::int32_t;

}  // namespace penstock::nodes::media
