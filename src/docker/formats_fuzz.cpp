// What an engine answers, taken apart: frames, lines and JSON. The first byte of an input says what the rest is; the
// engine's HTTP is http_fuzz.cpp's.
#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "base/testing/fuzz.h"
#include "docker/decode.h"
#include "docker/errors.h"
#include "docker/frames.h"
#include "docker/lines.h"

namespace penstock::docker {
namespace {
using base::ErrorCode;
using base::testing::FuzzInput;
using base::testing::Require;

constexpr const char* kAttempt = "fuzz";

// Calls `feed` with the pieces of `text`, all of `size` bytes but the last; stops at the first error.
auto InPieces(std::string_view text, std::size_t size, const std::function<base::Status(std::string_view)>& feed)
    -> base::Status {
  for (; !text.empty(); text.remove_prefix(std::min(size, text.size()))) PENSTOCK_TRY(feed(text.substr(0, size)));
  return {};
}

struct Frames {
  std::string out;
  std::string err;
  bool good = true;
  bool complete = true;

  auto operator==(const Frames&) const -> bool = default;
};

// The format as its description reads, without pieces.
auto FramesOf(std::string_view text) -> Frames {
  Frames frames;
  while (!text.empty()) {
    if (text.size() < 8) return frames.complete = false, frames;
    const auto byte = [&](std::size_t i) { return std::uint32_t{static_cast<unsigned char>(text[i])}; };
    if (byte(0) > 2 || byte(1) != 0 || byte(2) != 0 || byte(3) != 0) return frames.good = false, frames;
    const auto size = byte(4) << 24U | byte(5) << 16U | byte(6) << 8U | byte(7);
    auto& stream = byte(0) == 2 ? frames.err : frames.out;
    text.remove_prefix(8);
    stream += text.substr(0, size);
    if (text.size() < size) return frames.complete = false, frames;
    text.remove_prefix(size);
  }
  return frames;
}

void TryFrames(std::string_view text, std::size_t piece) {
  FrameDecoder decoder(kAttempt);
  Frames frames;
  const OutputSink sink = [&](OutputStream stream, std::string_view bytes) {
    Require(!bytes.empty(), "a piece of nothing");
    (stream == OutputStream::kStdout ? frames.out : frames.err) += bytes;
  };
  const auto fed = InPieces(text, piece, [&](std::string_view bytes) { return decoder.Feed(bytes, sink); });
  frames.good = fed.has_value();
  frames.complete = !fed || decoder.Finish().has_value();
  Require(fed || fed.error().code() == ErrorCode::kPeerCorrupt, "a bad frame is {}", fed ? "" : fed.error().ToString());
  Require(frames == FramesOf(text), "frames in pieces of {} bytes differ from the whole", piece);
}

auto LinesOf(std::string_view text) -> std::vector<std::string> {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) lines.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

void TryLines(std::string_view text, std::size_t piece) {
  LineDecoder decoder;
  std::vector<std::string> lines;
  const LineDecoder::Sink sink = [&](std::string_view line) -> base::Status {
    lines.emplace_back(line);
    return {};
  };
  const auto fed = InPieces(text, piece, [&](std::string_view bytes) { return decoder.Feed(bytes, sink); });
  Require(fed && decoder.Flush(sink), "lines are refused");
  Require(lines == LinesOf(text), "lines in pieces of {} bytes differ from the whole", piece);
}

template <class T>
auto Explained(const base::Expected<T>& decoded) -> bool {
  if (decoded) return true;
  const auto& error = decoded.error();
  Require(error.code() == ErrorCode::kPeerCorrupt || error.code() == ErrorCode::kUnavailable, "{}", error.ToString());
  Require(error.message().find(kAttempt) != std::string::npos, "'{}' does not say what was tried", error.message());
  return false;
}

void TryVersion(std::string_view text) {
  const auto version = DecodeVersion(kAttempt, text);
  if (!Explained(version)) return;
  for (const auto& api : {version->api, version->api_min})
    Require(ParseApiVersion(ToString(api)) == api, "version {} is not read as it is written", ToString(api));
}

void TryContainers(std::string_view text) {
  const auto containers = DecodeContainers(kAttempt, text);
  if (!Explained(containers)) return;
  for (const auto& container : *containers) Require(!container.id.empty(), "a container without an id");
}

void TryEvents(std::string_view text, std::size_t piece) {
  LineDecoder lines;
  const LineDecoder::Sink sink = [](std::string_view line) -> base::Status {
    PENSTOCK_ASSIGN(const auto event, DecodeEvent(kAttempt, line));
    Require(!event.type.empty() && !event.action.empty(), "an event of nothing");
    return {};
  };
  const auto fed = InPieces(text, piece, [&](std::string_view bytes) { return lines.Feed(bytes, sink); });
  if (fed) static_cast<void>(Explained(base::Expected<void>(lines.Flush(sink))));
}

void TryHttpError(std::string_view text, int status) {
  const auto error = HttpError(kAttempt, status, text);
  Require(error.message().find(fmt::format("HTTP {}", status)) != std::string::npos, "'{}'", error.message());
}

// By the first byte of an input: a letter, so that seeds can be read.
void Try(const std::uint8_t* data, std::size_t size) {
  FuzzInput input(data, size);
  const auto what = input.Take<std::uint8_t>();
  const auto piece = std::size_t{input.Take<std::uint8_t>()} + 1;
  const auto text = input.text();
  switch (what) {
    case 'F':
      return TryFrames(text, piece);
    case 'L':
      return TryLines(text, piece);
    case 'E':
      return TryEvents(text, piece);
    case 'V':
      return TryVersion(text);
    case 'I':
      return static_cast<void>(Explained(DecodeInfo(kAttempt, text)));
    case 'i':
      return static_cast<void>(Explained(DecodeImage(kAttempt, text)));
    case 'm':
      return static_cast<void>(Explained(DecodeImages(kAttempt, text)));
    case 'C':
      return static_cast<void>(Explained(DecodeContainer(kAttempt, text)));
    case 'c':
      return TryContainers(text);
    case 'N':
      return static_cast<void>(Explained(DecodeCreated(kAttempt, text)));
    case 'X':
      return static_cast<void>(Explained(DecodeExitCode(kAttempt, text)));
    case 'P':
      return static_cast<void>(Explained(DecodeProgress(kAttempt, text)));
    case 'T':
      return static_cast<void>(Explained(DecodeText(kAttempt, text, "Id")));
    default:
      return TryHttpError(text, 300 + what);
  }
}

}  // namespace
}  // namespace penstock::docker

extern "C" auto LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) -> int {
  penstock::docker::Try(data, size);
  return 0;
}
