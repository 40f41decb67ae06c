// The plugin libpenstock_media.so: everything that needs FFmpeg, and the only thing that links it.
#include <array>

#include "nodes/media/media_sink.h"
#include "nodes/media/media_source.h"
#include "nodes/media/source_params.h"

namespace penstock::nodes::media {
namespace {

constexpr PluginPort kAudioOut{.name = "out", .type = "Audio"};
constexpr PluginPort kAudioIn{.name = "in", .type = "Audio"};

constexpr auto kNodes = std::to_array<PluginNode>({
    {.name = "media.source",
     .summary = "reads audio files of any format and sends frames with media time",
     .create = []() -> Node* { return std::make_unique<MediaSource>().release(); },
     .inputs = nullptr,
     .input_count = 0,
     .outputs = &kAudioOut,
     .output_count = 1,
     .params = kSourceParams.data(),
     .param_count = kSourceParams.size()},
    {.name = "media.sink",
     .summary = "writes audio into a WAV or FLAC file",
     .create = []() -> Node* { return std::make_unique<MediaSink>().release(); },
     .inputs = &kAudioIn,
     .input_count = 1,
     .outputs = nullptr,
     .output_count = 0,
     .params = kSinkParams.data(),
     .param_count = kSinkParams.size()},
});

constexpr Plugin kPlugin{.nodes = kNodes.data(), .node_count = kNodes.size()};

}  // namespace
}  // namespace penstock::nodes::media

extern "C" __attribute__((visibility("default"))) auto penstock_plugin() -> const penstock::nodes::Plugin* {
  return &penstock::nodes::media::kPlugin;
}
