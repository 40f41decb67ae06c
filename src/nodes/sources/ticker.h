// time.ticker: a message every so often, the first one at once.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "nodes/node.h"

namespace penstock::nodes::sources {

inline constexpr auto kTickerParams = std::to_array<PluginParam>({
    {.name = "every", .type = "duration", .what = "time between two messages, such as 250ms; above 0, to 7 days"},
    {.name = "count",
     .type = "whole number",
     .what = "how many messages are sent, from 1",
     .otherwise = "until the session is asked to stop"},
    {.name = "text",
     .type = "text",
     .what = "what each message says, as a text message",
     .otherwise = "a JSON message {\"tick\": number, from 0, \"unix_ns\": time of the day}"},
});

/// Tick n is due at the start + n × every, so that delays do not add up, and has n × every for its media time. Of ticks
/// that were missed while an output had no room one is sent: their numbers say how many were left out.
class Ticker final : public Node {
 public:
  auto Setup(const nlohmann::json& params) -> base::Status override;
  auto Run(Context& context) -> base::Status override;
  auto replay() const -> Replay override { return Replay::kNew; }

 private:
  auto Send(Context& context, std::int64_t tick) const -> base::Status;

  std::chrono::nanoseconds every_{};
  std::int64_t count_ = 0;  // 0: without end
  std::optional<std::string> text_;
};

}  // namespace penstock::nodes::sources
