// example.words: for each text a JSON message with how many words it has, and at the end how many there were.
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "nodes/forward.h"
#include "nodes/node.h"
#include "nodes/params.h"

namespace {

using penstock::base::ErrorCode;
using penstock::base::Fail;
using penstock::base::Status;
using penstock::message::Kind;
using namespace penstock::nodes;

auto FromOne(const std::uint32_t& number) -> bool { return number > 0; }

class Words final : public Node {
 public:
  auto Setup(const nlohmann::json& params) -> Status override {
    ParamReader reader("example.words", params);
    shortest_ = reader.Optional<std::uint32_t>("shortest", "a whole number from 1", 1, &FromOne);
    return reader.Finish();
  }

  auto Process(Context& context, std::string_view input, std::unique_ptr<Received> message) -> Status override {
    if (message->header().kind != Kind::kText) {
      return Fail(ErrorCode::kInvalidArgument, "example.words takes Text at input '{}', but received {}", input,
                  penstock::message::ToString(message->header().kind));
    }
    const auto payload = message->payload();  // shared memory of the producer: nothing was copied
    const auto words = Count({reinterpret_cast<const char*>(payload.data()), payload.size()});
    total_ += words;
    const nlohmann::json value{{"words", words}};
    return SendText(context, "out", Kind::kJson, value.dump());
  }

  auto Finish(Context& context) -> Status override {
    const nlohmann::json value{{"total", total_}};
    return SendText(context, "out", Kind::kJson, value.dump());
  }

  // Where the node may be restarted: its state after each message.
  auto keeps_state() const -> bool override { return true; }
  auto Checkpoint() -> std::string override { return std::to_string(total_); }
  auto Restore(std::string_view state) -> Status override {
    total_ = std::stoull(std::string(state));
    return {};
  }

 private:
  auto Count(std::string_view text) const -> std::uint64_t {
    std::uint64_t words = 0;
    while (!text.empty()) {
      const auto length = std::min(text.find(' '), text.size());
      if (length >= shortest_) ++words;
      text.remove_prefix(std::min(length + 1, text.size()));
    }
    return words;
  }

  std::uint32_t shortest_ = 1;
  std::uint64_t total_ = 0;
};

constexpr PluginPort kIn{.name = "in", .type = "Text"};
constexpr PluginPort kOut{.name = "out", .type = "Json"};
constexpr PluginParam kShortest{
    .name = "shortest", .type = "whole number", .what = "how many bytes a word has at least, from 1", .otherwise = "1"};

constexpr auto kNodes = std::to_array<PluginNode>({
    {.name = "example.words",
     .summary = "counts the words of texts",
     .create = []() -> Node* { return std::make_unique<Words>().release(); },
     .inputs = &kIn,
     .input_count = 1,
     .outputs = &kOut,
     .output_count = 1,
     .params = &kShortest,
     .param_count = 1},
});

constexpr Plugin kPlugin{.nodes = kNodes.data(), .node_count = kNodes.size()};

}  // namespace

extern "C" __attribute__((visibility("default"))) auto penstock_plugin() -> const Plugin* { return &kPlugin; }
