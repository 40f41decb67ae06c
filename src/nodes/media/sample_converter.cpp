#include "nodes/media/sample_converter.h"

extern "C" {
#include <libavutil/opt.h>
}

#include <algorithm>
#include <utility>

namespace penstock::nodes::media {

using base::ErrorCode;
using base::Fail;
using base::Status;

SampleConverter::~SampleConverter() {
  av_channel_layout_uninit(&input_layout_);
  av_channel_layout_uninit(&output_layout_);
}

void SampleConverter::Configure(std::string file, const AVChannelLayout& input, int rate, int channels) {
  file_ = std::move(file);
  rate_ = rate;
  if (channels == input.nb_channels) {
    av_channel_layout_copy(&output_layout_, &input);
  } else {
    av_channel_layout_default(&output_layout_, channels);
  }
}

auto SampleConverter::Convert(const AVFrame& frame, std::vector<float>& out) -> Status {
  PENSTOCK_TRY(Adapt(frame, out));
  return Resample(const_cast<const std::uint8_t**>(frame.extended_data), frame.nb_samples, out);
}

auto SampleConverter::Adapt(const AVFrame& frame, std::vector<float>& out) -> Status {
  if (resampler_ && input_rate_ == frame.sample_rate && input_format_ == frame.format &&
      av_channel_layout_compare(&input_layout_, &frame.ch_layout) == 0) {
    return {};
  }
  PENSTOCK_TRY(Drain(out));
  input_rate_ = frame.sample_rate;
  input_format_ = frame.format;
  av_channel_layout_copy(&input_layout_, &frame.ch_layout);
  // Without a speaker layout (plain WAV) there is nothing to mix by: take the usual one of that many channels.
  AVChannelLayout usual_layout{};
  av_channel_layout_default(&usual_layout, input_layout_.nb_channels);
  const bool mix_blindly =
      input_layout_.order == AV_CHANNEL_ORDER_UNSPEC && input_layout_.nb_channels != output_layout_.nb_channels;
  SwrContext* context = nullptr;
  int code = swr_alloc_set_opts2(&context, &output_layout_, AV_SAMPLE_FMT_FLT, rate_,
                                 mix_blindly ? &usual_layout : &input_layout_,
                                 static_cast<AVSampleFormat>(input_format_), input_rate_, 0, nullptr);
  resampler_.reset(context);
  // Mixing in float is not normalised unless asked for, and two equal channels would exceed full scale.
  if (code >= 0) code = av_opt_set_double(context, "rematrix_maxval", 1.0, 0);
  if (code >= 0) code = swr_init(context);
  if (code < 0) {
    resampler_.reset();
    return Fail(ErrorCode::kUnsupported, "cannot convert '{}' from {} Hz, {} channels to {} Hz, {} channels ({})",
                file_, input_rate_, input_layout_.nb_channels, rate_, channels(), Describe(code));
  }
  return {};
}

auto SampleConverter::Drain(std::vector<float>& out) -> Status {
  if (!resampler_) return {};
  auto before = out.size();
  do {
    before = out.size();
    PENSTOCK_TRY(Resample(nullptr, 0, out));
  } while (out.size() > before);
  return {};
}

auto SampleConverter::Resample(const std::uint8_t** input, int count, std::vector<float>& out) -> Status {
  constexpr int kMinimumRoom = 64;  // while draining, the upper bound is told without the filter's own extrapolation
  const int room = std::max(swr_get_out_samples(resampler_.get(), count), kMinimumRoom);
  const auto width = static_cast<std::size_t>(channels());
  const auto before = out.size();
  out.resize(before + static_cast<std::size_t>(room) * width);
  auto* target = reinterpret_cast<std::uint8_t*>(out.data() + before);
  const int made = swr_convert(resampler_.get(), &target, room, input, count);
  out.resize(before + static_cast<std::size_t>(std::max(made, 0)) * width);
  if (made < 0) return Fail(ErrorCode::kInternal, "converting audio of '{}' failed ({})", file_, Describe(made));
  return {};
}

}  // namespace penstock::nodes::media
