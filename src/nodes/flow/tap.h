// debug.tap: passes every message on, and logs what it is.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "nodes/node.h"

namespace penstock::nodes::flow {

inline constexpr auto kTapParams = std::to_array<PluginParam>({
    {.name = "every", .type = "whole number", .what = "log one of so many messages, from 1", .otherwise = "1"},
    {.name = "text",
     .type = "true or false",
     .what = "log what text and JSON messages say, too, shortened",
     .otherwise = "false"},
});

class Tap final : public Node {
 public:
  auto Setup(const nlohmann::json& params) -> base::Status override;
  auto Process(Context& context, std::string_view input, std::unique_ptr<Received> message) -> base::Status override;

 private:
  std::uint64_t every_ = 1;
  bool text_ = false;
  std::uint64_t count_ = 0;
};

/// "message 7: Audio float32 (320, 1) at 16000 Hz, 1280 bytes, at 0.140 s"; `with_text` adds the beginning of a text.
auto DescribeMessage(const Received& message, bool with_text) -> std::string;

}  // namespace penstock::nodes::flow
