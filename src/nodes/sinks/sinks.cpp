#include "nodes/sinks/sinks.h"

#include <array>

#include "nodes/sinks/json_sink.h"
#include "nodes/sinks/text_sink.h"

namespace penstock::nodes::sinks {
namespace {

constexpr PluginPort kTextIn{.name = "in", .type = "Json|Text"};
constexpr PluginPort kAnyIn{.name = "in", .type = "Any"};

constexpr auto kNodes = std::to_array<PluginNode>({
    {.name = "text.sink",
     .summary = "writes each text (or JSON) message as a line to standard output or a file",
     .create = []() -> Node* { return std::make_unique<TextSink>().release(); },
     .inputs = &kTextIn,
     .input_count = 1,
     .outputs = nullptr,
     .output_count = 0},
    {.name = "json.sink",
     .summary = "writes each message, with its times and trace, as a JSON line to standard output or a file",
     .create = []() -> Node* { return std::make_unique<JsonSink>().release(); },
     .inputs = &kAnyIn,
     .input_count = 1,
     .outputs = nullptr,
     .output_count = 0},
});

constexpr Plugin kPlugin{.nodes = kNodes.data(), .node_count = kNodes.size()};

}  // namespace

auto SinksPlugin() -> const Plugin& { return kPlugin; }

}  // namespace penstock::nodes::sinks
