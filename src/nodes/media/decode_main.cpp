// penstock-decode FILE [RATE [CHANNELS]]: the audio of any file as raw 16-bit little-endian PCM on standard output,
// decoded exactly as media.source decodes it. For scripts that prepare test material without FFmpeg's own programs.
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <optional>
#include <vector>

#include "nodes/media/audio_decoder.h"

namespace {

using penstock::nodes::media::AudioDecoder;

constexpr int kExitUsage = 2;
constexpr int kExitBadFile = 1;

auto ParseNumber(const char* text) -> std::optional<int> {
  int value = 0;
  const auto* end = text + std::strlen(text);
  const auto result = std::from_chars(text, end, value);
  return result.ec == std::errc{} && result.ptr == end && value > 0 ? std::optional(value) : std::nullopt;
}

auto ToPcm(const std::vector<float>& samples) -> std::vector<std::int16_t> {
  std::vector<std::int16_t> pcm;
  pcm.reserve(samples.size());
  for (const float sample : samples) {
    pcm.push_back(static_cast<std::int16_t>(std::lround(std::fmin(std::fmax(sample * 32768.0F, -32768.0F), 32767.0F))));
  }
  return pcm;
}

}  // namespace

auto main(int argc, char** argv) -> int {
  const auto rate = argc > 2 ? ParseNumber(argv[2]) : std::nullopt;
  const auto channels = argc > 3 ? ParseNumber(argv[3]) : std::nullopt;
  if (argc < 2 || argc > 4 || (argc > 2 && !rate) || (argc > 3 && !channels)) {
    fmt::print(stderr, "usage: penstock-decode FILE [RATE [CHANNELS]] >pcm16le\n");
    return kExitUsage;
  }
  auto decoder = AudioDecoder::Open({.file = argv[1], .rate = rate, .channels = channels});
  if (!decoder) {
    fmt::print(stderr, "penstock-decode: {}\n", decoder.error().ToString());
    return kExitBadFile;
  }
  std::vector<float> samples;
  for (;;) {
    samples.clear();
    const auto more = decoder->Decode(samples);
    const auto pcm = ToPcm(samples);
    if (std::fwrite(pcm.data(), sizeof(std::int16_t), pcm.size(), stdout) != pcm.size()) {
      fmt::print(stderr, "penstock-decode: cannot write: {}\n", std::strerror(errno));
      return kExitBadFile;
    }
    if (!more) {
      fmt::print(stderr, "penstock-decode: {}\n", more.error().ToString());
      return kExitBadFile;
    }
    if (!*more) return std::fflush(stdout) == 0 ? 0 : kExitBadFile;
  }
}
