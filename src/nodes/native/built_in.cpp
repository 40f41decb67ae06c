#include "nodes/native/built_in.h"

#include <array>

#include "nodes/sinks/json_sink.h"
#include "nodes/sinks/text_sink.h"
#include "nodes/sources/line_source.h"
#include "nodes/sources/message_source.h"

namespace penstock::nodes::native {
namespace {

constexpr PluginPort kTextIn{.name = "in", .type = "Json|Text"};
constexpr PluginPort kAnyIn{.name = "in", .type = "Any"};
constexpr PluginPort kAnyOut{.name = "out", .type = "Any"};
constexpr PluginPort kTextOut{.name = "out", .type = "Text"};
constexpr PluginPort kJsonOut{.name = "out", .type = "Json"};

constexpr PluginParam kLinesPath{.name = "path",
                                 .type = "text",
                                 .what = "the file to write, created or emptied; relative to the manifest",
                                 .otherwise = "standard output"};
constexpr PluginParam kMessagePath{
    .name = "path", .type = "text", .what = "a message.bin of the quarantine; relative to the manifest"};

constexpr PluginParam kReadLines{
    .name = "path", .type = "text", .what = "the file or pipe to read; relative to the manifest"};

constexpr auto kNodes = std::to_array<PluginNode>({
    {.name = "text.sink",
     .summary = "writes each text (or JSON) message as a line to standard output or a file",
     .create = []() -> Node* { return std::make_unique<sinks::TextSink>().release(); },
     .inputs = &kTextIn,
     .input_count = 1,
     .outputs = nullptr,
     .output_count = 0,
     .params = &kLinesPath,
     .param_count = 1},
    {.name = "json.sink",
     .summary = "writes each message, with its times and trace, as a JSON line to standard output or a file",
     .create = []() -> Node* { return std::make_unique<sinks::JsonSink>().release(); },
     .inputs = &kAnyIn,
     .input_count = 1,
     .outputs = nullptr,
     .output_count = 0,
     .params = &kLinesPath,
     .param_count = 1},
    {.name = "text.source",
     .summary = "sends each line of a file or pipe as a text message",
     .create = []() -> Node* {
       return std::make_unique<sources::LineSource>("text.source", message::Kind::kText).release();
     },
     .inputs = nullptr,
     .input_count = 0,
     .outputs = &kTextOut,
     .output_count = 1,
     .params = &kReadLines,
     .param_count = 1},
    {.name = "json.source",
     .summary = "sends each line of a file or pipe, a JSON value, as a JSON message",
     .create = []() -> Node* {
       return std::make_unique<sources::LineSource>("json.source", message::Kind::kJson).release();
     },
     .inputs = nullptr,
     .input_count = 0,
     .outputs = &kJsonOut,
     .output_count = 1,
     .params = &kReadLines,
     .param_count = 1},
    {.name = "message.source",
     .summary = "sends one message that was kept in a file, as 'penstock quarantine' has them",
     .create = []() -> Node* { return std::make_unique<sources::MessageSource>().release(); },
     .inputs = nullptr,
     .input_count = 0,
     .outputs = &kAnyOut,
     .output_count = 1,
     .params = &kMessagePath,
     .param_count = 1},
});

constexpr Plugin kPlugin{.nodes = kNodes.data(), .node_count = kNodes.size()};

}  // namespace

auto BuiltInNodes() -> const Plugin& { return kPlugin; }

}  // namespace penstock::nodes::native
