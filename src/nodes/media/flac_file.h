// A FLAC file, by FFmpeg's encoder. Its last part is written by Close: one that is not closed lacks it, and its header
// does not say how long it is.
#pragma once

#include <memory>

#include "nodes/media/audio_file.h"

namespace penstock::nodes::media {

class FlacFile final : public AudioFile {
 public:
  /// Begins the file, which is empty. Errors: kInvalidArgument for a rate or a number of channels that FLAC does not
  /// have.
  static auto Begin(base::UniqueFd file, AudioFileOptions options) -> base::Expected<std::unique_ptr<FlacFile>>;
  ~FlacFile() override;

  auto Write(std::span<const float> samples) -> base::Status override;
  auto Close() -> base::Status override;

 private:
  class Impl;
  explicit FlacFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace penstock::nodes::media
