// One audio file, decoded and converted to one rate and channel count. Wraps FFmpeg's libraries; knows nothing of
// frames or media time (audio_reader.h).
//
// Reads nothing but the one file: it is opened here and handed to FFmpeg as a stream of bytes, and a format that wants
// to open more (playlists) is refused. Not thread-safe; no threads of its own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace penstock::nodes::media {

struct AudioDecoderOptions {
  std::filesystem::path file;
  /// FFmpeg's name of the file's format (`g722`, `s16le` …). Empty: by the extension for formats that have no header
  /// (.g722, .ulaw, .alaw, .gsm, .sln, .sln16 …), else by the content.
  std::string format = {};
  /// Frames per second of the output. Nothing: as in the file.
  std::optional<int> rate = {};
  /// Channels of the output; fewer than in the file are mixed without exceeding full scale. Nothing: as in the file.
  std::optional<int> channels = {};
  /// Asked before each read of a pipe, whose descriptor it is given: returns when there is something to read, and false
  /// when it is not to be waited for any longer, upon which reading fails. Nothing: reads wait.
  std::function<bool(int)> await_pipe = {};
};

class AudioDecoder final {
 public:
  /// Errors: kNotFound, kPermission; kInvalidArgument when the file holds no audio that FFmpeg decodes.
  static auto Open(const AudioDecoderOptions& options) -> base::Expected<AudioDecoder>;

  AudioDecoder(AudioDecoder&&) noexcept;
  auto operator=(AudioDecoder&&) noexcept -> AudioDecoder&;
  ~AudioDecoder();

  auto rate() const noexcept -> int;
  auto channels() const noexcept -> int;
  /// Packets that could not be decoded so far; they are skipped, as players do.
  auto damaged_packets() const noexcept -> std::int64_t;

  /// Appends some more interleaved samples (−1…1) to `out`; false at the end of the file.
  /// Errors: kPeerCorrupt when the file ends before its header says so or nothing in it could be decoded. What was
  /// decoded before has been appended by then.
  auto Decode(std::vector<float>& out) -> base::Expected<bool>;

 private:
  class Impl;
  explicit AudioDecoder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace penstock::nodes::media
