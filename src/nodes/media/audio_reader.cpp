#include "nodes/media/audio_reader.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace penstock::nodes::media {

using base::ErrorCode;
using base::Expected;
using base::Fail;

namespace {

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

/// floor(value · factor / divisor); a stream of 18 hours at 192 kHz would overflow 64 bits on the way.
auto MultiplyAndDivide(std::int64_t value, std::int64_t factor, std::int64_t divisor) -> std::int64_t {
  __extension__ using Wide = __int128;
  return static_cast<std::int64_t>(static_cast<Wide>(value) * factor / divisor);
}

}  // namespace

AudioReader::AudioReader(AudioReaderOptions options, std::deque<AudioDecoder> decoders, int rate, int channels)
    : options_(std::move(options)), decoders_(std::move(decoders)), rate_(rate), channels_(channels) {}

auto AudioReader::Open(AudioReaderOptions options) -> Expected<AudioReader> {
  if (options.files.empty()) return Fail(ErrorCode::kInvalidArgument, "no audio file to read: give params.url");
  std::deque<AudioDecoder> decoders;
  AudioDecoderOptions decoder{.file = {},
                              .format = options.format,
                              .rate = options.rate,
                              .channels = options.channels,
                              .await_pipe = options.await_pipe};
  for (const auto& file : options.files) {
    decoder.file = file;
    PENSTOCK_ASSIGN(auto opened, AudioDecoder::Open(decoder));
    decoder.rate = opened.rate();  // all files as the first
    decoder.channels = opened.channels();
    decoders.push_back(std::move(opened));
  }
  if (MultiplyAndDivide(options.frame_duration.count(), *decoder.rate, kNanosecondsPerSecond) < 1) {
    return Fail(ErrorCode::kInvalidArgument, "a frame of {} ns is shorter than one sample at {} Hz: raise frame_ms",
                options.frame_duration.count(), *decoder.rate);
  }
  return AudioReader(std::move(options), std::move(decoders), *decoder.rate, *decoder.channels);
}

auto AudioReader::BoundaryOf(std::int64_t number) const noexcept -> std::int64_t {
  return MultiplyAndDivide(number * options_.frame_duration.count(), rate_, kNanosecondsPerSecond);
}

auto AudioReader::TimeOf(std::int64_t sample) const noexcept -> std::chrono::nanoseconds {
  return std::chrono::nanoseconds(MultiplyAndDivide(sample, kNanosecondsPerSecond, rate_));
}

auto AudioReader::max_frame_bytes() const noexcept -> std::size_t {
  return static_cast<std::size_t>((BoundaryOf(1) + 1) * channels_) * sizeof(float);
}

auto AudioReader::damaged_packets() const noexcept -> std::int64_t {
  return damaged_packets_ + (decoders_.empty() ? 0 : decoders_.front().damaged_packets());
}

auto AudioReader::DecodeMore() -> bool {
  if (decoders_.empty()) return false;
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(consumed_));
  consumed_ = 0;
  auto decoded = decoders_.front().Decode(buffer_);
  if (decoded && *decoded) return true;
  damaged_packets_ += decoders_.front().damaged_packets();
  decoders_.pop_front();
  if (!decoded) {
    failure_ = std::move(decoded).error();
    decoders_.clear();
    return false;
  }
  if (!decoders_.empty()) {
    const auto silence = MultiplyAndDivide(options_.pause.count(), rate_, kNanosecondsPerSecond) * channels_;
    buffer_.resize(buffer_.size() + static_cast<std::size_t>(silence), 0.0F);
  }
  return true;
}

auto AudioReader::Next() -> Expected<std::optional<Frame>> {
  if (next_) return next_;
  const auto wanted = static_cast<std::size_t>(BoundaryOf(frame_number_ + 1) - position_);
  while (buffered() < wanted && DecodeMore()) {
  }
  const auto frames = std::min(wanted, buffered());
  if (frames == 0) {
    if (failure_) return tl::make_unexpected(*failure_);
    return std::nullopt;
  }
  next_ = Frame{.time = TimeOf(position_),
                .end_time = TimeOf(position_ + static_cast<std::int64_t>(frames)),
                .frames = frames,
                .sample_count = frames * static_cast<std::size_t>(channels_)};
  return next_;
}

void AudioReader::Read(std::span<float> out) {
  assert(next_ && out.size() == next_->sample_count);
  std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(consumed_), out.size(), out.begin());
  consumed_ += out.size();
  position_ += static_cast<std::int64_t>(next_->frames);
  ++frame_number_;
  next_.reset();
}

}  // namespace penstock::nodes::media
