#include "nodes/media/test_audio.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <numbers>
#include <span>
#include <stdexcept>

#include "nodes/media/ffmpeg_handles.h"

namespace penstock::nodes::media {
namespace {

void Require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

void AppendLittleEndian(std::string& bytes, std::uint32_t value, int width) {
  for (int i = 0; i < width; ++i) bytes.push_back(static_cast<char>(value >> (8 * i) & 0xFFU));
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  auto name = (std::filesystem::temp_directory_path() / "penstock-audio-XXXXXX").string();
  Require(::mkdtemp(name.data()) != nullptr, "mkdtemp");
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

auto Sine(int rate, int channels, int frames, double hertz, double amplitude) -> Pcm {
  Pcm pcm{.rate = rate, .channels = channels, .samples = {}};
  for (int i = 0; i < frames; ++i) {
    const double value = amplitude * std::sin(2 * std::numbers::pi * hertz * i / rate);
    for (int c = 0; c < channels; ++c) pcm.samples.push_back(static_cast<std::int16_t>(std::lround(value * 32767)));
  }
  return pcm;
}

auto Ramp(int rate, int channels, int frames) -> Pcm {
  Pcm pcm{.rate = rate, .channels = channels, .samples = {}};
  for (std::int64_t i = 0; i < std::int64_t{frames} * channels; ++i) {
    pcm.samples.push_back(static_cast<std::int16_t>(i * 7919 % 65521 - 32760));
  }
  return pcm;
}

auto WriteBytes(const std::filesystem::path& file, std::string_view bytes) -> std::filesystem::path {
  std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return file;
}

auto WriteWav(const std::filesystem::path& file, const Pcm& pcm) -> std::filesystem::path {
  const auto data_bytes = static_cast<std::uint32_t>(pcm.samples.size() * 2);
  const auto channels = static_cast<std::uint32_t>(pcm.channels);
  const auto rate = static_cast<std::uint32_t>(pcm.rate);
  std::string bytes = "RIFF";
  AppendLittleEndian(bytes, 36 + data_bytes, 4);
  bytes += "WAVEfmt ";
  AppendLittleEndian(bytes, 16, 4);
  AppendLittleEndian(bytes, 1, 2);  // PCM
  AppendLittleEndian(bytes, channels, 2);
  AppendLittleEndian(bytes, rate, 4);
  AppendLittleEndian(bytes, rate * channels * 2, 4);
  AppendLittleEndian(bytes, channels * 2, 2);
  AppendLittleEndian(bytes, 16, 2);
  bytes += "data";
  AppendLittleEndian(bytes, data_bytes, 4);
  for (const auto sample : pcm.samples) AppendLittleEndian(bytes, static_cast<std::uint16_t>(sample), 2);
  return WriteBytes(file, bytes);
}

auto Encode(const std::filesystem::path& file, const Pcm& pcm) -> std::filesystem::path {
  AVFormatContext* raw = nullptr;
  Require(avformat_alloc_output_context2(&raw, nullptr, nullptr, file.c_str()) >= 0, "no format of that extension");
  const std::unique_ptr<AVFormatContext, decltype(&avformat_free_context)> format(raw, &avformat_free_context);
  const AVCodec* codec = avcodec_find_encoder(format->oformat->audio_codec);
  Require(codec != nullptr, "no encoder");
  const CodecContext encoder(avcodec_alloc_context3(codec));
  encoder->sample_rate = pcm.rate;
  encoder->sample_fmt = AV_SAMPLE_FMT_S16;
  av_channel_layout_default(&encoder->ch_layout, pcm.channels);
  if ((format->oformat->flags & AVFMT_GLOBALHEADER) != 0) encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  Require(avcodec_open2(encoder.get(), codec, nullptr) >= 0, "encoder does not open");
  AVStream* stream = avformat_new_stream(format.get(), nullptr);
  avcodec_parameters_from_context(stream->codecpar, encoder.get());
  Require(avio_open(&format->pb, file.c_str(), AVIO_FLAG_WRITE) >= 0, "file does not open");
  Require(avformat_write_header(format.get(), nullptr) >= 0, "header");

  const Packet packet(av_packet_alloc());
  const auto write_packets = [&] {
    while (avcodec_receive_packet(encoder.get(), packet.get()) == 0) {
      av_packet_rescale_ts(packet.get(), {1, pcm.rate}, stream->time_base);
      Require(av_interleaved_write_frame(format.get(), packet.get()) >= 0, "write");
    }
  };
  const auto channels = static_cast<std::size_t>(pcm.channels);
  const std::size_t step = encoder->frame_size > 0 ? static_cast<std::size_t>(encoder->frame_size) : 1024;
  for (std::size_t at = 0; at < pcm.samples.size(); at += step * channels) {
    const Frame frame(av_frame_alloc());
    const auto count = std::min(step * channels, pcm.samples.size() - at);
    frame->nb_samples = static_cast<int>(count / channels);
    frame->format = AV_SAMPLE_FMT_S16;
    frame->sample_rate = pcm.rate;
    frame->pts = static_cast<std::int64_t>(at / channels);
    av_channel_layout_copy(&frame->ch_layout, &encoder->ch_layout);
    Require(av_frame_get_buffer(frame.get(), 0) >= 0, "frame");
    std::copy_n(pcm.samples.begin() + static_cast<std::ptrdiff_t>(at), count,
                reinterpret_cast<std::int16_t*>(frame->data[0]));
    Require(avcodec_send_frame(encoder.get(), frame.get()) >= 0, "encode");
    write_packets();
  }
  avcodec_send_frame(encoder.get(), nullptr);
  write_packets();
  av_write_trailer(format.get());
  avio_closep(&format->pb);
  return file;
}

auto MeasuredHertz(const std::vector<float>& samples, int rate, int channels, int channel) -> double {
  const auto width = static_cast<std::size_t>(channels);
  const float threshold = Peak(samples) / 4;
  bool armed = false;  // only after a clear negative: noise around zero does not count
  double first = -1;
  double last = -1;
  int crossings = 0;
  for (std::size_t i = width + static_cast<std::size_t>(channel); i < samples.size(); i += width) {
    const float before = samples[i - width];
    const float now = samples[i];
    armed = armed || now < -threshold;
    if (!armed || before >= 0 || now < 0) continue;
    armed = false;
    last = static_cast<double>(i / width) - 1 + static_cast<double>(before / (before - now));
    if (crossings++ == 0) first = last;
  }
  return crossings < 2 ? 0 : (crossings - 1) * rate / (last - first);
}

auto Peak(const std::vector<float>& samples) -> float {
  float peak = 0;
  for (const float sample : samples) peak = std::max(peak, std::abs(sample));
  return peak;
}

}  // namespace penstock::nodes::media
