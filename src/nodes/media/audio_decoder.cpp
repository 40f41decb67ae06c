#include "nodes/media/audio_decoder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/unique_fd.h"
#include "nodes/media/ffmpeg_handles.h"
#include "nodes/media/sample_converter.h"
#include "nodes/media/wav_length.h"

namespace penstock::nodes::media {

using base::ErrorCode;
using base::Expected;
using base::Fail;
using base::Status;

namespace {

constexpr int kIoBufferBytes = 64 * 1024;

/// Formats without a header: nothing in the file tells them apart, so the extension decides.
struct RawFormat {
  std::string_view extension;
  const char* format;
  const char* rate;  // nullptr: the format has one rate only
};
constexpr auto kRawFormats = std::to_array<RawFormat>({
    {".g722", "g722", nullptr},
    {".722", "g722", nullptr},
    {".gsm", "gsm", nullptr},
    {".ulaw", "mulaw", "8000"},
    {".ul", "mulaw", "8000"},
    {".pcmu", "mulaw", "8000"},
    {".alaw", "alaw", "8000"},
    {".al", "alaw", "8000"},
    {".pcma", "alaw", "8000"},
    {".sln", "s16le", "8000"},
    {".sln16", "s16le", "16000"},
    {".sln48", "s16le", "48000"},
});

struct OpenedFile {
  base::UniqueFd fd;
  bool is_pipe = false;
  std::function<bool(int)> await = {};  // before each read; may be empty
};

auto ReadFile(void* opaque, std::uint8_t* buffer, int size) -> int {
  const auto& file = *static_cast<const OpenedFile*>(opaque);
  if (file.await && !file.await(file.fd.get())) return AVERROR_EXIT;
  for (;;) {
    const auto count = ::read(file.fd.get(), buffer, static_cast<std::size_t>(size));
    if (count > 0) return static_cast<int>(count);
    if (count == 0) return AVERROR_EOF;
    if (errno != EINTR) return AVERROR(errno);
  }
}

auto SeekFile(void* opaque, std::int64_t offset, int whence) -> std::int64_t {
  const int fd = static_cast<const OpenedFile*>(opaque)->fd.get();
  if ((whence & AVSEEK_SIZE) != 0) {
    struct stat status{};
    return ::fstat(fd, &status) == 0 ? status.st_size : AVERROR(errno);
  }
  const auto position = ::lseek(fd, offset, whence & ~AVSEEK_FORCE);
  return position >= 0 ? position : AVERROR(errno);
}

auto RefuseToOpen(AVFormatContext* /*context*/, AVIOContext** /*io*/, const char* /*url*/, int /*flags*/,
                  AVDictionary** /*options*/) -> int {
  return AVERROR(EACCES);
}

// A named pipe is opened as one waits for its writer, anything else at once.
auto OpenFile(const std::filesystem::path& file) -> Expected<OpenedFile> {
  struct stat status{};
  const bool is_pipe = ::stat(file.c_str(), &status) == 0 && S_ISFIFO(status.st_mode);
  base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | (is_pipe ? 0 : O_NONBLOCK)));
  if (!fd) return base::SystemError(fmt::format("open audio file '{}'", file.string()));
  if (::fstat(fd.get(), &status) != 0) return base::SystemError(fmt::format("look at audio file '{}'", file.string()));
  if (S_ISFIFO(status.st_mode)) return OpenedFile{.fd = std::move(fd), .is_pipe = true, .await = {}};
  if (!S_ISREG(status.st_mode)) {
    return Fail(ErrorCode::kInvalidArgument, "cannot read audio from '{}': it is {}, not a file or pipe", file.string(),
                S_ISDIR(status.st_mode) ? "a directory" : "a device or socket");
  }
  if (status.st_size == 0) {
    return Fail(ErrorCode::kInvalidArgument, "audio file '{}' is empty: write or download it again", file.string());
  }
  return OpenedFile{.fd = std::move(fd), .is_pipe = false, .await = {}};
}

/// "video (h264), subtitle (subrip)".
auto ListStreams(const AVFormatContext& format) -> std::string {
  std::string list;
  for (unsigned i = 0; i < format.nb_streams; ++i) {
    const auto* parameters = format.streams[i]->codecpar;
    const char* kind = av_get_media_type_string(parameters->codec_type);
    list += fmt::format("{}{} ({})", list.empty() ? "" : ", ", kind == nullptr ? "data" : kind,
                        avcodec_get_name(parameters->codec_id));
  }
  return list.empty() ? "no streams" : list;
}

}  // namespace

class AudioDecoder::Impl final {
 public:
  explicit Impl(const AudioDecoderOptions& options) : options_(options) {}
  Impl(const Impl&) = delete;
  auto operator=(const Impl&) -> Impl& = delete;

  auto Open() -> Status {
    PENSTOCK_TRY(OpenFormat());
    PENSTOCK_TRY(OpenCodec());
    const int rate = options_.rate.value_or(codec_->sample_rate);
    const int channels = options_.channels.value_or(codec_->ch_layout.nb_channels);
    if (rate <= 0 || channels <= 0) {
      return Fail(ErrorCode::kInvalidArgument, "audio file '{}' does not say its rate and channels: give params.format",
                  name());
    }
    converter_.Configure(name(), codec_->ch_layout, rate, channels);
    packet_.reset(av_packet_alloc());
    frame_.reset(av_frame_alloc());
    return {};
  }

  auto rate() const noexcept -> int { return converter_.rate(); }
  auto channels() const noexcept -> int { return converter_.channels(); }
  auto damaged_packets() const noexcept -> std::int64_t { return damaged_packets_; }

  auto Decode(std::vector<float>& out) -> Expected<bool> {
    const auto before = out.size();
    while (out.size() == before) {
      if (finished_) return false;
      const int code = avcodec_receive_frame(codec_.get(), frame_.get());
      if (code == 0) {
        seconds_decoded_ += static_cast<double>(frame_->nb_samples) / std::max(frame_->sample_rate, 1);
        PENSTOCK_TRY(converter_.Convert(*frame_, out));  // the frame is unreferenced by the next receive
      } else if (code == AVERROR(EAGAIN)) {
        PENSTOCK_TRY(SendPacket());
      } else {
        if (code != AVERROR_EOF) ++damaged_packets_;
        if (code != AVERROR_EOF && !input_ended_) continue;
        finished_ = true;
        PENSTOCK_TRY(converter_.Drain(out));
        PENSTOCK_TRY(CheckComplete());
      }
    }
    return true;
  }

 private:
  auto name() const -> std::string { return options_.file.string(); }

  auto OpenFormat() -> Status {
    PENSTOCK_ASSIGN(file_, OpenFile(options_.file));
    if (file_.is_pipe) file_.await = options_.await_pipe;
    if (!file_.is_pipe) wav_ = ReadWavLength(file_.fd.get());
    const AVInputFormat* input_format = nullptr;
    AVDictionary* settings = nullptr;
    if (!options_.format.empty()) {
      input_format = av_find_input_format(options_.format.c_str());
      if (input_format == nullptr) {
        return Fail(ErrorCode::kInvalidArgument,
                    "FFmpeg knows no audio format '{}': leave params.format out to detect it by content",
                    options_.format);
      }
    } else {
      auto extension = options_.file.extension().string();
      std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
      const auto* raw = std::ranges::find(kRawFormats, std::string_view(extension), &RawFormat::extension);
      if (raw != kRawFormats.end()) {
        input_format = av_find_input_format(raw->format);
        if (raw->rate != nullptr) av_dict_set(&settings, "sample_rate", raw->rate, 0);
      }
    }

    io_.reset(avio_alloc_context(static_cast<unsigned char*>(av_malloc(kIoBufferBytes)), kIoBufferBytes, 0, &file_,
                                 ReadFile, nullptr, file_.is_pipe ? nullptr : SeekFile));
    AVFormatContext* context = avformat_alloc_context();
    context->pb = io_.get();
    context->io_open = RefuseToOpen;
    context->protocol_whitelist = av_strdup("none");  // for demuxers that open by themselves, past io_open (concat)
    // On failure this frees the context; the name is only a hint for detection, nothing is opened by it.
    const int code = avformat_open_input(&context, name().c_str(), input_format, &settings);
    av_dict_free(&settings);
    if (code < 0) {
      return Fail(ErrorCode::kInvalidArgument,
                  "'{}' is not an audio file that FFmpeg can read ({}): check that it is the right file and complete; "
                  "for headerless audio give its format, as in `format: g722`",
                  name(), Describe(code));
    }
    format_.reset(context);
    return {};
  }

  auto OpenCodec() -> Status {
    // What the headers say; looking into the streams would fill in what is merely estimated, or another stream's.
    std::vector<std::int64_t> announced(format_->nb_streams);
    for (unsigned i = 0; i < format_->nb_streams; ++i) announced[i] = format_->streams[i]->duration;
    if (const int code = avformat_find_stream_info(format_.get(), nullptr); code < 0) {
      return Fail(ErrorCode::kInvalidArgument,
                  "'{}' is damaged, its streams cannot be read ({}): make or copy it again", name(), Describe(code));
    }
    const AVCodec* codec = nullptr;
    const int index = av_find_best_stream(format_.get(), AVMEDIA_TYPE_AUDIO, -1, -1, &codec, 0);
    if (index == AVERROR_DECODER_NOT_FOUND) {
      return Fail(ErrorCode::kUnsupported,
                  "this FFmpeg has no decoder for the audio in '{}' ({}): convert the file to WAV or FLAC", name(),
                  ListStreams(*format_));
    }
    if (index < 0) {
      return Fail(ErrorCode::kInvalidArgument, "'{}' contains no audio, only {}: media.source needs an audio stream",
                  name(), ListStreams(*format_));
    }
    for (unsigned i = 0; i < format_->nb_streams; ++i) {
      if (static_cast<int>(i) != index) format_->streams[i]->discard = AVDISCARD_ALL;
    }
    stream_ = format_->streams[index];
    if (static_cast<std::size_t>(index) < announced.size()) {
      announced_seconds_ = static_cast<double>(std::max<std::int64_t>(announced[static_cast<std::size_t>(index)], 0)) *
                           av_q2d(stream_->time_base);  // no duration is a negative number
    }
    if (wav_.announced_bytes > 0 && stream_->codecpar->bit_rate > 0) {
      announced_seconds_ =
          static_cast<double>(wav_.announced_bytes) * 8 / static_cast<double>(stream_->codecpar->bit_rate);
    }
    codec_.reset(avcodec_alloc_context3(codec));
    int code = avcodec_parameters_to_context(codec_.get(), stream_->codecpar);
    codec_->pkt_timebase = stream_->time_base;
    codec_->thread_count = 1;  // audio decodes thousands of times faster than it plays
    if (code >= 0) code = avcodec_open2(codec_.get(), codec, nullptr);
    if (code < 0) {
      return Fail(ErrorCode::kInvalidArgument, "cannot decode '{}' as {} ({}): make or copy it again", name(),
                  codec->name, Describe(code));
    }
    return {};
  }

  auto SendPacket() -> Status {
    for (;;) {
      const int code = av_read_frame(format_.get(), packet_.get());
      if (code == AVERROR_EOF) {
        input_ended_ = true;
        avcodec_send_packet(codec_.get(), nullptr);  // from here on the decoder gives what it holds back
        return {};
      }
      if (code < 0) {
        return Fail(ErrorCode::kPeerCorrupt,
                    "cannot read on in '{}' after {:.2f} s ({}): the file is damaged or its disk "
                    "is; copy it again",
                    name(), seconds_decoded_, Describe(code));
      }
      const bool wanted = packet_->stream_index == stream_->index;
      // PCM has no packets of its own: FFmpeg's last read of a file without a stated length is always "cut".
      const bool has_packets = av_get_exact_bits_per_sample(stream_->codecpar->codec_id) == 0;
      if (wanted && has_packets && (packet_->flags & AV_PKT_FLAG_CORRUPT) != 0) cut_packet_ = true;
      const int sent = wanted ? avcodec_send_packet(codec_.get(), packet_.get()) : 0;
      av_packet_unref(packet_.get());
      if (!wanted) continue;
      if (sent < 0) ++damaged_packets_;
      return {};
    }
  }

  /// Container headers state how much there is; a file that was cut short still decodes without any error.
  auto CheckComplete() const -> Status {
    if (seconds_decoded_ == 0) {
      return Fail(ErrorCode::kPeerCorrupt,
                  "nothing in '{}' could be decoded as {}: the file is damaged or its format is "
                  "another; make or copy it again",
                  name(), codec_->codec->name);
    }
    // Encoders' delay and padding make the stated duration of compressed audio inexact by some thousand samples.
    constexpr double kToleranceSeconds = 0.1;
    constexpr std::int64_t kSloppyBytes = 64;  // some programs count the WAV's own headers in
    const bool is_cut = wav_.announced_bytes > 0 ? wav_.announced_bytes > wav_.present_bytes + kSloppyBytes
                                                 : announced_seconds_ > seconds_decoded_ + kToleranceSeconds;
    if (is_cut) {
      return Fail(ErrorCode::kPeerCorrupt,
                  "'{}' is truncated: its header announces {:.2f} s of audio and {:.2f} s are there; copy it again, or "
                  "write what is left into a new file with a correct header",
                  name(), announced_seconds_, seconds_decoded_);
    }
    if (cut_packet_) {
      return Fail(ErrorCode::kPeerCorrupt, "'{}' is truncated: it ends within a packet after {:.2f} s; copy it again",
                  name(), seconds_decoded_);
    }
    return {};
  }

  AudioDecoderOptions options_;
  OpenedFile file_;
  IoContext io_;  // before format_: is used until that is closed
  FormatContext format_;
  CodecContext codec_;
  SampleConverter converter_;
  Packet packet_;
  Frame frame_;
  WavLength wav_;
  AVStream* stream_ = nullptr;    // owned by format_
  double announced_seconds_ = 0;  // by the file's header; 0: not stated
  double seconds_decoded_ = 0;    // of the file; for messages and for the check at its end
  std::int64_t damaged_packets_ = 0;
  bool cut_packet_ = false;
  bool input_ended_ = false;
  bool finished_ = false;
};

AudioDecoder::AudioDecoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AudioDecoder::AudioDecoder(AudioDecoder&&) noexcept = default;
auto AudioDecoder::operator=(AudioDecoder&&) noexcept -> AudioDecoder& = default;
AudioDecoder::~AudioDecoder() = default;

auto AudioDecoder::Open(const AudioDecoderOptions& options) -> Expected<AudioDecoder> {
  av_log_set_level(AV_LOG_FATAL);  // what it would print is in our errors, with the file's name
  auto impl = std::make_unique<Impl>(options);
  PENSTOCK_TRY(impl->Open());
  return AudioDecoder(std::move(impl));
}

auto AudioDecoder::rate() const noexcept -> int { return impl_->rate(); }
auto AudioDecoder::channels() const noexcept -> int { return impl_->channels(); }
auto AudioDecoder::damaged_packets() const noexcept -> std::int64_t { return impl_->damaged_packets(); }
auto AudioDecoder::Decode(std::vector<float>& out) -> Expected<bool> { return impl_->Decode(out); }

}  // namespace penstock::nodes::media
