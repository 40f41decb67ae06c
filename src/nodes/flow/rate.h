// flow.rate: lets so many messages a second pass.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

#include "nodes/node.h"

namespace penstock::nodes::flow {

inline constexpr auto kRateParams = std::to_array<PluginParam>({
    {.name = "per_second", .type = "number", .what = "how many messages pass in a second; above 0, to 1000000"},
    {.name = "policy",
     .type = "text",
     .what = "what becomes of the others: drop leaves them out, wait holds them, and their producers, up",
     .otherwise = "drop"},
});

/// One message passes in each interval. Intervals follow each other without a gap as long as messages come, so that the
/// rate is met by messages that come unevenly, too; after a pause the next message begins anew.
class RateLimit final {
 public:
  using Time = base::Deadline::Clock::time_point;
  explicit RateLimit(std::chrono::nanoseconds interval) : interval_(interval) {}

  /// When a message may pass that comes at `now`: not before `now`.
  auto NextAt(Time now) const -> Time { return std::max(now, next_.value_or(now)); }
  /// It passes, at `time`.
  void Pass(Time time) { next_ = next_ && time < *next_ + interval_ ? *next_ + interval_ : time + interval_; }

 private:
  std::chrono::nanoseconds interval_;
  std::optional<Time> next_;
};

class Rate final : public Node {
 public:
  auto Setup(const nlohmann::json& params) -> base::Status override;
  auto Process(Context& context, std::string_view input, std::unique_ptr<Received> message) -> base::Status override;
  /// Logs how many messages were left out.
  auto Finish(Context& context) -> base::Status override;

 private:
  std::optional<RateLimit> limit_;  // there after Setup
  bool waits_ = false;
  std::uint64_t came_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace penstock::nodes::flow
