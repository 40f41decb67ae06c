// Audio files for tests, made here byte by byte or with FFmpeg's encoders.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::nodes::media {

/// A directory that is removed with its content.
class TemporaryDirectory final {
 public:
  TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  auto operator=(const TemporaryDirectory&) -> TemporaryDirectory& = delete;
  ~TemporaryDirectory();
  auto operator/(std::string_view name) const -> std::filesystem::path { return path_ / name; }

 private:
  std::filesystem::path path_;
};

struct Pcm {
  int rate = 16000;
  int channels = 1;
  std::vector<std::int16_t> samples;  // interleaved
};

/// `frames` samples per channel, all channels equal.
auto Sine(int rate, int channels, int frames, double hertz, double amplitude = 0.5) -> Pcm;
/// Every value differs from its neighbours, so that a lost or moved sample shows.
auto Ramp(int rate, int channels, int frames) -> Pcm;

auto WriteBytes(const std::filesystem::path& file, std::string_view bytes) -> std::filesystem::path;
auto WriteWav(const std::filesystem::path& file, const Pcm& pcm) -> std::filesystem::path;
/// By FFmpeg's encoder for the extension; raw (headerless) for g722.
auto Encode(const std::filesystem::path& file, const Pcm& pcm) -> std::filesystem::path;

/// Frequency by positive-going zero crossings of channel `channel`.
auto MeasuredHertz(const std::vector<float>& samples, int rate, int channels, int channel) -> double;
auto Peak(const std::vector<float>& samples) -> float;

}  // namespace penstock::nodes::media
