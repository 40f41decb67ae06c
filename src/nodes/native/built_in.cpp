#include "nodes/native/built_in.h"

#include <array>

#include "nodes/sinks/json_sink.h"
#include "nodes/sinks/text_sink.h"
#include "nodes/sources/message_source.h"

namespace penstock::nodes::native {
namespace {

constexpr PluginPort kTextIn{.name = "in", .type = "Json|Text"};
constexpr PluginPort kAnyIn{.name = "in", .type = "Any"};
constexpr PluginPort kAnyOut{.name = "out", .type = "Any"};

constexpr auto kNodes = std::to_array<PluginNode>({
    {.name = "text.sink",
     .summary = "writes each text (or JSON) message as a line to standard output or a file",
     .create = []() -> Node* { return std::make_unique<sinks::TextSink>().release(); },
     .inputs = &kTextIn,
     .input_count = 1,
     .outputs = nullptr,
     .output_count = 0},
    {.name = "json.sink",
     .summary = "writes each message, with its times and trace, as a JSON line to standard output or a file",
     .create = []() -> Node* { return std::make_unique<sinks::JsonSink>().release(); },
     .inputs = &kAnyIn,
     .input_count = 1,
     .outputs = nullptr,
     .output_count = 0},
    {.name = "message.source",
     .summary = "sends one message that was kept in a file, as 'penstock quarantine' has them",
     .create = []() -> Node* { return std::make_unique<sources::MessageSource>().release(); },
     .inputs = nullptr,
     .input_count = 0,
     .outputs = &kAnyOut,
     .output_count = 1},
});

constexpr Plugin kPlugin{.nodes = kNodes.data(), .node_count = kNodes.size()};

}  // namespace

auto BuiltInNodes() -> const Plugin& { return kPlugin; }

}  // namespace penstock::nodes::native
