#include "nodes/media/flac_file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "nodes/media/ffmpeg_handles.h"

namespace penstock::nodes::media {

using base::ErrorCode;
using base::Fail;
using base::Status;

namespace {

constexpr int kIoBufferBytes = 64 * 1024;
constexpr int kMostChannels = 8;

#if LIBAVFORMAT_VERSION_MAJOR >= 61
using WrittenBytes = const std::uint8_t;
#else
using WrittenBytes = std::uint8_t;
#endif

auto WriteFile(void* opaque, WrittenBytes* bytes, int size) -> int {
  const int fd = static_cast<base::UniqueFd*>(opaque)->get();
  for (int done = 0; done < size;) {
    const auto written = ::write(fd, bytes + done, static_cast<std::size_t>(size - done));
    if (written < 0 && errno != EINTR) return AVERROR(errno);
    done += static_cast<int>(std::max<ssize_t>(written, 0));
  }
  return size;
}

auto SeekFile(void* opaque, std::int64_t offset, int whence) -> std::int64_t {
  if ((whence & AVSEEK_SIZE) != 0) return AVERROR(ENOSYS);
  const auto position = ::lseek(static_cast<base::UniqueFd*>(opaque)->get(), offset, whence & ~AVSEEK_FORCE);
  return position >= 0 ? position : AVERROR(errno);
}

}  // namespace

class FlacFile::Impl final {
 public:
  Impl(base::UniqueFd file, AudioFileOptions options) : file_(std::move(file)), options_(std::move(options)) {}
  Impl(const Impl&) = delete;
  auto operator=(const Impl&) -> Impl& = delete;

  auto Begin() -> Status {
    if (options_.channels > kMostChannels) {
      return Fail(ErrorCode::kInvalidArgument, "'{}' would have {} channels, and FLAC has {} at most: write WAV",
                  options_.name, options_.channels, kMostChannels);
    }
    PENSTOCK_TRY(OpenEncoder());
    AVFormatContext* raw = nullptr;
    int code = avformat_alloc_output_context2(&raw, nullptr, "flac", nullptr);
    format_.reset(raw);
    if (code < 0) return Refused(code);
    io_.reset(avio_alloc_context(static_cast<unsigned char*>(av_malloc(kIoBufferBytes)), kIoBufferBytes, 1, &file_,
                                 nullptr, WriteFile, SeekFile));
    format_->pb = io_.get();
    auto* stream = avformat_new_stream(format_.get(), nullptr);
    stream->time_base = encoder_->time_base;
    code = avcodec_parameters_from_context(stream->codecpar, encoder_.get());
    if (code >= 0) code = avformat_write_header(format_.get(), nullptr);
    if (code < 0) return Refused(code);
    packet_.reset(av_packet_alloc());
    return {};
  }

  auto Write(std::span<const float> samples) -> Status {
    pending_.insert(pending_.end(), samples.begin(), samples.end());
    const auto step = static_cast<std::size_t>(encoder_->frame_size) * static_cast<std::size_t>(options_.channels);
    std::size_t done = 0;
    for (; pending_.size() - done >= step; done += step) PENSTOCK_TRY(Encode(std::span(pending_).subspan(done, step)));
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(done));
    return {};
  }

  auto Close() -> Status {
    if (!pending_.empty()) PENSTOCK_TRY(Encode(pending_));
    pending_.clear();
    PENSTOCK_TRY(Send(nullptr));
    if (const int code = av_write_trailer(format_.get()); code < 0) return Refused(code);
    avio_flush(io_.get());
    return io_->error < 0 ? Refused(io_->error) : Status();
  }

 private:
  auto bits() const -> int { return options_.samples == SampleFormat::kS16 ? 16 : 24; }

  auto Refused(int code) const -> Status {
    if (AVUNERROR(code) > 0 && AVUNERROR(code) < 4096) return CannotWrite(options_.name, AVUNERROR(code));
    return Fail(ErrorCode::kInvalidArgument, "cannot write '{}' as FLAC of {} Hz and {} channels ({}): write WAV",
                options_.name, options_.rate, options_.channels, Describe(code));
  }

  auto OpenEncoder() -> Status {
    const auto* codec = avcodec_find_encoder(AV_CODEC_ID_FLAC);
    if (codec == nullptr)
      return Fail(ErrorCode::kUnsupported, "this FFmpeg has no encoder for FLAC: write WAV instead of '{}'",
                  options_.name);
    encoder_.reset(avcodec_alloc_context3(codec));
    encoder_->sample_rate = options_.rate;
    encoder_->time_base = {1, options_.rate};
    encoder_->sample_fmt = bits() == 16 ? AV_SAMPLE_FMT_S16 : AV_SAMPLE_FMT_S32;
    encoder_->bits_per_raw_sample = bits();
    encoder_->thread_count = 1;
    encoder_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    av_channel_layout_default(&encoder_->ch_layout, options_.channels);
    const int code = avcodec_open2(encoder_.get(), codec, nullptr);
    return code < 0 ? Refused(code) : Status();
  }

  auto Encode(std::span<const float> samples) -> Status {
    const Frame frame(av_frame_alloc());
    frame->nb_samples = static_cast<int>(samples.size()) / options_.channels;
    frame->format = encoder_->sample_fmt;
    frame->sample_rate = options_.rate;
    frame->pts = written_;
    av_channel_layout_copy(&frame->ch_layout, &encoder_->ch_layout);
    if (const int code = av_frame_get_buffer(frame.get(), 0); code < 0) return Refused(code);
    if (bits() == 16) {
      std::ranges::transform(samples, reinterpret_cast<std::int16_t*>(frame->data[0]),
                             [](float sample) { return static_cast<std::int16_t>(ToInteger(sample, 16)); });
    } else {
      // The encoder takes the upper 24 of 32 bits.
      std::ranges::transform(samples, reinterpret_cast<std::int32_t*>(frame->data[0]),
                             [](float sample) { return ToInteger(sample, 24) * 256; });
    }
    written_ += frame->nb_samples;
    return Send(frame.get());
  }

  // Null: what the encoder holds back.
  auto Send(const AVFrame* frame) -> Status {
    if (const int code = avcodec_send_frame(encoder_.get(), frame); code < 0) return Refused(code);
    for (;;) {
      const int code = avcodec_receive_packet(encoder_.get(), packet_.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return {};
      if (code < 0) return Refused(code);
      av_packet_rescale_ts(packet_.get(), encoder_->time_base, format_->streams[0]->time_base);
      const int written = av_write_frame(format_.get(), packet_.get());
      av_packet_unref(packet_.get());
      if (written < 0) return Refused(written);
      if (io_->error < 0) return Refused(io_->error);
    }
  }

  base::UniqueFd file_;
  AudioFileOptions options_;
  CodecContext encoder_;
  IoContext io_;  // before format_: is used until that is freed
  OutputContext format_;
  Packet packet_;
  std::vector<float> pending_;  // less than a frame of the encoder
  std::int64_t written_ = 0;    // samples of a channel
};

FlacFile::FlacFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FlacFile::~FlacFile() = default;

auto FlacFile::Begin(base::UniqueFd file, AudioFileOptions options) -> base::Expected<std::unique_ptr<FlacFile>> {
  av_log_set_level(AV_LOG_FATAL);  // what it would print is in our errors, with the file's name
  auto impl = std::make_unique<Impl>(std::move(file), std::move(options));
  PENSTOCK_TRY(impl->Begin());
  return std::unique_ptr<FlacFile>(new FlacFile(std::move(impl)));
}

auto FlacFile::Write(std::span<const float> samples) -> Status { return impl_->Write(samples); }
auto FlacFile::Close() -> Status { return impl_->Close(); }

}  // namespace penstock::nodes::media
