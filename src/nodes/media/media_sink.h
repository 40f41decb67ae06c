// The native node `media.sink`: messages of kind audio in, one file out.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "nodes/media/audio_file.h"
#include "nodes/node.h"

namespace penstock::nodes::media {

inline constexpr auto kSinkParams = std::to_array<PluginParam>({
    {.name = "path",
     .type = "text",
     .what = "the file to write, *.wav or *.flac, created or emptied; relative to the manifest"},
    {.name = "samples",
     .type = "text",
     .what = "how they are stored: s16 or s24, integers of so many bits, or, in WAV only, f32, as they come",
     .otherwise = "s16"},
});

/// Writes the samples of all messages one after another; their media times are not looked at. The first message says
/// rate and channels. A WAV file is whole after each message, and goes on in a worker that replaces one that failed; a
/// FLAC file does not, and is whole when the stream has ended.
class MediaSink final : public Node {
 public:
  /// Opens the file. Errors: of the parameters and the disk.
  auto Setup(const nlohmann::json& params) -> base::Status override;
  /// Errors: kUnsupported for FLAC.
  auto Resume(const nlohmann::json& params) -> base::Status override;
  auto keeps_state() const -> bool override { return !is_flac_; }
  auto Checkpoint() -> std::string override;
  auto Restore(std::string_view state) -> base::Status override;
  /// Errors: kInvalidArgument for a message that is no audio, or has another rate or other channels than the first one;
  /// of the disk, after which output_is_broken.
  auto Process(Context& context, std::string_view input, std::unique_ptr<Received> message) -> base::Status override;
  auto output_is_broken() const -> bool override { return is_broken_; }
  auto Finish(Context& context) -> base::Status override;
  auto Teardown() -> base::Status override;

 private:
  auto Read(const nlohmann::json& params) -> base::Status;
  auto Open(int flags) -> base::Status;
  auto Begin(int rate, int channels, std::uint64_t data_bytes) -> base::Status;

  AudioFileOptions options_;  // rate 0: no message yet
  bool is_flac_ = false;
  bool is_broken_ = false;
  base::UniqueFd opened_;  // until the first message
  std::unique_ptr<AudioFile> file_;
};

}  // namespace penstock::nodes::media
