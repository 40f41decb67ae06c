// Recorded audio as a stream of frames of equal duration with exact media time: what `media.source` sends.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "nodes/media/audio_decoder.h"

namespace penstock::nodes::media {

struct AudioReaderOptions {
  /// Played one after the other; at least one.
  std::vector<std::filesystem::path> files;
  /// Silence between two files.
  std::chrono::nanoseconds pause{0};
  /// FFmpeg's name of the files' format; empty: detected (audio_decoder.h).
  std::string format = {};
  /// Of the output. Nothing: as in the first file.
  std::optional<int> rate = {};
  std::optional<int> channels = {};
  /// Duration of one frame. Need not be a whole number of samples: lengths then alternate, times stay exact.
  std::chrono::nanoseconds frame_duration = std::chrono::milliseconds(20);
  /// As AudioDecoderOptions::await_pipe.
  std::function<bool(int)> await_pipe = {};
};

/// Decodes, resamples and cuts into frames. The n-th frame starts at the sample nearest below n · frame_duration, and
/// its time is that sample's time: both are computed from counts, so nothing drifts and frames are contiguous. The last
/// frame is short, never padded. Lives on one thread.
///
/// The caller learns the size of the next frame before its samples are written, so they go straight into a loaned
/// buffer:
///
///     while (true) {
///       PENSTOCK_ASSIGN(const auto frame, reader.Next());
///       if (!frame) break;                       // end of the last file
///       reader.Read(loaned_buffer_of(frame->sample_count));
///     }
class AudioReader final {
 public:
  struct Frame {
    std::chrono::nanoseconds time;      // of the first sample, since the stream's start
    std::chrono::nanoseconds end_time;  // equals the next frame's time
    std::size_t frames = 0;             // samples per channel
    std::size_t sample_count = 0;       // frames × channels: floats to make room for
  };

  /// Opens all files, so that a wrong one is reported before anything is played.
  static auto Open(AudioReaderOptions options) -> base::Expected<AudioReader>;

  auto rate() const noexcept -> int { return rate_; }
  auto channels() const noexcept -> int { return channels_; }
  /// Bytes of the longest frame there will be.
  auto max_frame_bytes() const noexcept -> std::size_t;
  /// Packets that could not be decoded so far; they are skipped and the samples after them come earlier.
  auto damaged_packets() const noexcept -> std::int64_t;

  /// Describes the next frame, decoding as far as needed; nothing at the end. Without a Read it tells the same again.
  /// Errors: as AudioDecoder::Decode, after all frames that could be decoded were given.
  auto Next() -> base::Expected<std::optional<Frame>>;

  /// Writes the frame that Next described, interleaved, shape (frames, channels), −1…1. Moves on to the next one.
  /// Precondition: `out.size()` is its sample_count.
  void Read(std::span<float> out);

 private:
  AudioReader(AudioReaderOptions options, std::deque<AudioDecoder> decoders, int rate, int channels);

  /// Index of the first sample (per channel) of frame `number`.
  auto BoundaryOf(std::int64_t number) const noexcept -> std::int64_t;
  auto TimeOf(std::int64_t sample) const noexcept -> std::chrono::nanoseconds;
  auto buffered() const noexcept -> std::size_t {
    return (buffer_.size() - consumed_) / static_cast<std::size_t>(channels_);
  }
  /// Decodes some more; false when there is nothing left.
  auto DecodeMore() -> bool;

  AudioReaderOptions options_;
  std::deque<AudioDecoder> decoders_;  // front: the one being played
  int rate_;
  int channels_;
  std::vector<float> buffer_;
  std::size_t consumed_ = 0;   // floats at the start of buffer_ that were read
  std::int64_t position_ = 0;  // samples per channel read so far
  std::int64_t frame_number_ = 0;
  std::int64_t damaged_packets_ = 0;  // of the decoders that are done
  std::optional<Frame> next_;
  std::optional<base::Error> failure_;  // reported when the buffer is empty
};

}  // namespace penstock::nodes::media
