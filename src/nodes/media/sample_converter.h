// Decoded audio of whatever layout to interleaved float samples of one rate and channel count. Internal to this folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "nodes/media/ffmpeg_handles.h"

namespace penstock::nodes::media {

/// Follows changes of layout within a stream. Lives on its decoder's thread.
class SampleConverter final {
 public:
  SampleConverter() = default;
  SampleConverter(const SampleConverter&) = delete;
  auto operator=(const SampleConverter&) -> SampleConverter& = delete;
  ~SampleConverter();

  /// Before anything else. With as many channels as `input` has, its speaker layout is kept. `file` is for messages.
  void Configure(std::string file, const AVChannelLayout& input, int rate, int channels);

  auto rate() const noexcept -> int { return rate_; }
  auto channels() const noexcept -> int { return output_layout_.nb_channels; }

  /// Appends the frame's samples to `out`, fewer or more by what the filter holds back.
  auto Convert(const AVFrame& frame, std::vector<float>& out) -> base::Status;
  /// Appends what the filter still holds: the stream has ended.
  auto Drain(std::vector<float>& out) -> base::Status;

 private:
  auto Adapt(const AVFrame& frame, std::vector<float>& out) -> base::Status;
  auto Resample(const std::uint8_t** input, int count, std::vector<float>& out) -> base::Status;

  std::string file_;
  Resampler resampler_;
  AVChannelLayout input_layout_{};
  AVChannelLayout output_layout_{};
  int input_rate_ = 0;
  int input_format_ = -1;
  int rate_ = 0;
};

}  // namespace penstock::nodes::media
