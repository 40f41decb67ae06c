// The `params` of a `media.source` node, as in
//
//     params: {url: talk.flac, audio: {rate: 16000, channels: 1, frame_ms: 20}, realtime: true}
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "nodes/media/audio_reader.h"

namespace penstock::nodes::media {

/// | key             | meaning                                                             | default           |
/// |-----------------|---------------------------------------------------------------------|-------------------|
/// | url             | a file: path or `file:` URL; relative to the manifest                | this or urls      |
/// | urls            | several files, played one after the other                           | this or url       |
/// | pause_ms        | silence between two files, 0…600000                                 | 0                 |
/// | format          | FFmpeg's name of the format, for files without header and extension | detected          |
/// | realtime        | true: send each frame when its time has come; false: at once        | false             |
/// | audio.rate      | samples per second, 1000…768000                                     | as the first file |
/// | audio.channels  | 1…64                                                                | as the first file |
/// | audio.frame_ms  | duration of a frame, 0.1…10000                                      | 20                |
struct SourceParams {
  AudioReaderOptions reader;
  bool realtime = false;

  /// Unknown keys, wrong types and values out of range are errors that name the key; all of them at once, a line each.
  /// `directory`: what relative paths are relative to.
  static auto Parse(const nlohmann::json& params, const std::filesystem::path& directory)
      -> base::Expected<SourceParams>;
};

}  // namespace penstock::nodes::media
