// A WAV file that is whole after each Write: its header says at any time how much there is, so that a reader, or a
// successor of the node, can use it whatever happens to this process.
#pragma once

#include <memory>

#include "nodes/media/audio_file.h"

namespace penstock::nodes::media {

class WavFile final : public AudioFile {
 public:
  /// Begins the file, which is empty.
  static auto Begin(base::UniqueFd file, AudioFileOptions options) -> base::Expected<std::unique_ptr<WavFile>>;
  /// Goes on after `data_bytes` of samples, and cuts off what comes behind.
  static auto Continue(base::UniqueFd file, AudioFileOptions options, std::uint64_t data_bytes)
      -> base::Expected<std::unique_ptr<WavFile>>;

  auto Write(std::span<const float> samples) -> base::Status override;
  auto Close() -> base::Status override { return {}; }

  /// Bytes of samples.
  auto data_bytes() const noexcept -> std::uint64_t { return data_bytes_; }

 private:
  WavFile(base::UniqueFd file, AudioFileOptions options, std::uint64_t data_bytes)
      : file_(std::move(file)), options_(std::move(options)), data_bytes_(data_bytes) {}

  auto Header() const -> std::string;
  auto WriteAt(std::uint64_t place, std::string_view bytes) -> base::Status;

  base::UniqueFd file_;
  AudioFileOptions options_;
  std::uint64_t data_bytes_;
  std::string buffer_;
};

}  // namespace penstock::nodes::media
