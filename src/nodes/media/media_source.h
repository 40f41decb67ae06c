// The native node `media.source`: recorded audio in, messages of kind audio out. Parameters: source_params.h.
#pragma once

#include <optional>

#include "nodes/media/audio_reader.h"
#include "nodes/node.h"

namespace penstock::nodes::media {

/// Sends one message per frame on `out`: float32, shape (frames, channels), with the frame's media time. Decodes
/// straight into shared memory. With `realtime: true` a frame is sent when its last sample would have been recorded, by
/// absolute times, so that delays do not add up; after a wait for slow consumers it catches up. Decoding gives the same
/// again: in the place of one that failed it runs through what was sent already, at once, and goes on there in time.
class MediaSource final : public Node {
 public:
  /// Opens the files. Errors: as SourceParams::Parse and AudioReader::Open.
  auto Setup(const nlohmann::json& params) -> base::Status override;
  /// Until the last file's end or a stop, also while a pipe has nothing. Errors: as AudioReader::Next, after everything
  /// that could be decoded was sent.
  auto Run(Context& context) -> base::Status override;
  /// What comes through a pipe is not there a second time.
  auto replay() const -> Replay override { return replay_; }
  auto Teardown() -> base::Status override;

 private:
  auto Play(Context& context) -> base::Status;
  auto Send(Context& context, const AudioReader::Frame& frame) -> base::Status;

  std::optional<AudioReader> reader_;
  Replay replay_ = Replay::kSame;
  bool realtime_ = false;
  Context* context_ = nullptr;  // during Run
  bool was_stopped_ = false;    // while it waited for a pipe
};

}  // namespace penstock::nodes::media
