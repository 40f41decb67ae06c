// The `params` of a `media.source` node, as in
//
//     params: {url: talk.flac, audio: {rate: 16000, channels: 1, frame_ms: 20}, realtime: true}
#pragma once

#include <array>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "nodes/media/audio_reader.h"
#include "nodes/node.h"

namespace penstock::nodes::media {

/// What a media.source can be told: the one list of its keys. One of url and urls is needed.
inline constexpr auto kSourceParams = std::to_array<PluginParam>({
    {.name = "url",
     .type = "text",
     .what = "the file: a path or file: URL, relative to the manifest",
     .otherwise = "urls is given"},
    {.name = "urls",
     .type = "list of texts",
     .what = "several files, one after the other",
     .otherwise = "url is given"},
    {.name = "pause_ms", .type = "number", .what = "silence between two files, 0 to 600000 ms", .otherwise = "0"},
    {.name = "format",
     .type = "text",
     .what = "FFmpeg's name of the format, for files without header and extension",
     .otherwise = "detected"},
    {.name = "realtime",
     .type = "true or false",
     .what = "send each frame when its time has come, instead of at once",
     .otherwise = "false"},
    {.name = "audio.rate",
     .type = "whole number",
     .what = "samples per second, 1000 to 768000",
     .otherwise = "as the first file has"},
    {.name = "audio.channels", .type = "whole number", .what = "1 to 64", .otherwise = "as the first file has"},
    {.name = "audio.frame_ms", .type = "number", .what = "duration of a frame, 0.1 to 10000 ms", .otherwise = "20"},
});

struct SourceParams {
  AudioReaderOptions reader;
  bool realtime = false;

  /// Unknown keys, wrong types and values out of range are errors that name the key; all of them at once, a line each.
  /// `directory`: what relative paths are relative to.
  static auto Parse(const nlohmann::json& params, const std::filesystem::path& directory)
      -> base::Expected<SourceParams>;
};

}  // namespace penstock::nodes::media
