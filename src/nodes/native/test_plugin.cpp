// Nodes for the native worker's tests.
#include <array>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "nodes/node.h"
#include "nodes/params.h"

namespace penstock::nodes::native {
namespace {

auto SendText(Context& context, std::string_view output, std::string_view text) -> base::Status {
  PENSTOCK_ASSIGN(auto draft, context.Borrow(output, text.size()));
  draft->header().kind = message::Kind::kText;
  std::memcpy(draft->bytes().data(), text.data(), text.size());
  return context.Publish(output, std::move(draft));
}

// Sends `count` numbered lines (endless when negative), and says when it was stopped.
class Lines final : public Node {
 public:
  auto Setup(const nlohmann::json& params) -> base::Status override {
    ParamReader reader("test.lines", params);
    count_ = reader.Optional<int>("count", "a whole number", 3);
    return reader.Finish();
  }
  auto Run(Context& context) -> base::Status override {
    int i = 0;
    for (; (count_ < 0 || i < count_) && !context.stop_requested(); ++i) {
      PENSTOCK_ASSIGN(auto draft, context.Borrow("out", 8));
      const auto text = fmt::format("line {:3}", i % 1000);
      auto& header = draft->header();
      header.kind = message::Kind::kText;
      header.flags |= message::kFlagHasMediaTime;
      header.media_time_ns = std::int64_t{i} * 1'000'000;
      std::memcpy(draft->bytes().data(), text.data(), 8);
      PENSTOCK_TRY(context.Publish("out", std::move(draft)));
      PENSTOCK_TRY(SendText(context, "unconnected", "nobody reads this"));
    }
    return {};
  }

 private:
  int count_ = 0;
};

// Sends texts of `sizes` bytes, all of them written.
class Blobs final : public Node {
 public:
  auto Setup(const nlohmann::json& params) -> base::Status override {
    sizes_ = params.at("sizes").get<std::vector<std::size_t>>();
    return {};
  }
  auto Run(Context& context) -> base::Status override {
    for (const auto size : sizes_) PENSTOCK_TRY(SendText(context, "out", std::string(size, 'x')));
    return {};
  }

 private:
  std::vector<std::size_t> sizes_;
};

// Sleeps until stopped, then says so.
class Sleeper final : public Node {
 public:
  auto Setup(const nlohmann::json& /*params*/) -> base::Status override { return {}; }
  auto Run(Context& context) -> base::Status override {
    const bool slept = context.SleepUntil(base::Deadline::Clock::now() + std::chrono::hours(1));
    return SendText(context, "out", slept ? "slept" : "stopped");
  }
};

// Sends every text twice, and a last one when all inputs have ended. Throws at the text `throw_at`: an exception, or a
// number.
class Twice final : public Node {
 public:
  auto Setup(const nlohmann::json& params) -> base::Status override {
    ParamReader reader("test.twice", params);
    throw_at_ = reader.Optional<std::string>("throw_at", "a string", "");
    throws_number_ = reader.Optional<bool>("throw_number", "true or false", false);
    return reader.Finish();
  }
  auto Process(Context& context, std::string_view /*input*/, std::unique_ptr<Received> message)
      -> base::Status override {
    const std::string_view text(reinterpret_cast<const char*>(message->payload().data()), message->payload().size());
    if (text == throw_at_ && throws_number_) throw 42;
    if (text == throw_at_) throw std::out_of_range("no place for " + throw_at_);
    PENSTOCK_TRY(SendText(context, "out", text));
    return SendText(context, "out", text);
  }
  auto Finish(Context& context) -> base::Status override { return SendText(context, "out", "the end"); }

 private:
  std::string throw_at_;
  bool throws_number_ = false;
};

constexpr PluginPort kIn{.name = "in", .type = "Text"};
constexpr std::array<PluginPort, 2> kOut{PluginPort{.name = "out", .type = "Text"},
                                         PluginPort{.name = "unconnected", .type = "Text"}};

constexpr auto kNodes = std::to_array<PluginNode>({
    {.name = "test.lines",
     .summary = "",
     .create = []() -> Node* { return std::make_unique<Lines>().release(); },
     .inputs = nullptr,
     .input_count = 0,
     .outputs = kOut.data(),
     .output_count = 2},
    {.name = "test.blobs",
     .summary = "",
     .create = []() -> Node* { return std::make_unique<Blobs>().release(); },
     .inputs = nullptr,
     .input_count = 0,
     .outputs = kOut.data(),
     .output_count = 1},
    {.name = "test.sleeper",
     .summary = "",
     .create = []() -> Node* { return std::make_unique<Sleeper>().release(); },
     .inputs = nullptr,
     .input_count = 0,
     .outputs = kOut.data(),
     .output_count = 1},
    {.name = "test.twice",
     .summary = "",
     .create = []() -> Node* { return std::make_unique<Twice>().release(); },
     .inputs = &kIn,
     .input_count = 1,
     .outputs = kOut.data(),
     .output_count = 1},
});

constexpr Plugin kPlugin{.nodes = kNodes.data(), .node_count = kNodes.size()};

}  // namespace
}  // namespace penstock::nodes::native

extern "C" __attribute__((visibility("default"))) auto penstock_plugin() -> const penstock::nodes::Plugin* {
  return &penstock::nodes::native::kPlugin;
}
