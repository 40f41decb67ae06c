#include "nodes/native/built_in.h"

#include <array>

#include "nodes/flow/batch.h"
#include "nodes/flow/pass.h"
#include "nodes/flow/rate.h"
#include "nodes/flow/tap.h"
#include "nodes/sinks/json_sink.h"
#include "nodes/sinks/text_sink.h"
#include "nodes/sources/file_watch.h"
#include "nodes/sources/line_source.h"
#include "nodes/sources/message_source.h"
#include "nodes/sources/ticker.h"

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

constexpr PluginPort kTextOrJsonOut{.name = "out", .type = "Json|Text"};

template <class T>
auto Create() -> Node* {
  return std::make_unique<T>().release();
}

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
    {.name = "time.ticker",
     .summary = "sends a JSON or text message every so often",
     .create = &Create<sources::Ticker>,
     .inputs = nullptr,
     .input_count = 0,
     .outputs = &kTextOrJsonOut,
     .output_count = 1,
     .params = sources::kTickerParams.data(),
     .param_count = sources::kTickerParams.size()},
    {.name = "file.watch",
     .summary = "sends the path of each file that appears in a folder, once it is complete, as a JSON message",
     .create = &Create<sources::FileWatch>,
     .inputs = nullptr,
     .input_count = 0,
     .outputs = &kJsonOut,
     .output_count = 1,
     .params = sources::kFileWatchParams.data(),
     .param_count = sources::kFileWatchParams.size()},
    {.name = "debug.tap",
     .summary = "passes messages on, and logs a line for each",
     .create = &Create<flow::Tap>,
     .inputs = &kAnyIn,
     .input_count = 1,
     .outputs = &kAnyOut,
     .output_count = 1,
     .params = flow::kTapParams.data(),
     .param_count = flow::kTapParams.size()},
    {.name = "flow.rate",
     .summary = "lets so many messages a second pass",
     .create = &Create<flow::Rate>,
     .inputs = &kAnyIn,
     .input_count = 1,
     .outputs = &kAnyOut,
     .output_count = 1,
     .params = flow::kRateParams.data(),
     .param_count = flow::kRateParams.size()},
    {.name = "flow.batch",
     .summary = "collects text and JSON messages, and sends several as one JSON array",
     .create = &Create<flow::Batch>,
     .inputs = &kTextIn,
     .input_count = 1,
     .outputs = &kJsonOut,
     .output_count = 1,
     .params = flow::kBatchParams.data(),
     .param_count = flow::kBatchParams.size()},
    {.name = "flow.merge",
     .summary = "passes on what several connections bring, in the order in which it comes",
     .create = &Create<flow::Merge>,
     .inputs = &kAnyIn,
     .input_count = 1,
     .outputs = &kAnyOut,
     .output_count = 1},
    {.name = "flow.tee",
     .summary = "sends each message at every output that is connected",
     .create = &Create<flow::Tee>,
     .inputs = &kAnyIn,
     .input_count = 1,
     .outputs = flow::kTeeOutputs.data(),
     .output_count = flow::kTeeOutputs.size()},
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
