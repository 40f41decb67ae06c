// flow.batch: several text or JSON messages as one JSON array.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "nodes/node.h"

namespace penstock::nodes::flow {

inline constexpr auto kBatchParams = std::to_array<PluginParam>({
    {.name = "size",
     .type = "whole number",
     .what = "a batch is sent when it has so many messages, from 1; size, within or both",
     .otherwise = "as many as come in time"},
    {.name = "within",
     .type = "duration",
     .what = "a batch is sent so long after its first message, such as 200ms; above 0, to 7 days",
     .otherwise = "whenever it is full"},
});

/// A text is a string of the array, a JSON message the value that it holds, word for word. The array has the media time
/// of its first message. What is left at the end is sent then; an empty array never is.
///
/// What is collected is the node's state: in the place of one that failed it goes on with it, and `within` counts anew.
class Batch final : public Node {
 public:
  auto Setup(const nlohmann::json& params) -> base::Status override;
  auto keeps_state() const -> bool override { return true; }
  auto Checkpoint() -> std::string override;
  auto Restore(std::string_view state) -> base::Status override;
  /// Errors: kInvalidArgument for a message of another kind, or a JSON message that holds no JSON.
  auto Process(Context& context, std::string_view input, std::unique_ptr<Received> message) -> base::Status override;
  auto next_tick() const -> std::optional<base::Deadline::Clock::time_point> override { return due_; }
  auto Tick(Context& context) -> base::Status override { return Send(context); }
  auto Finish(Context& context) -> base::Status override { return Send(context); }

 private:
  void Begin();
  auto Send(Context& context) -> base::Status;

  std::uint64_t size_ = 0;                                // 0: any
  std::chrono::nanoseconds within_{};                     // 0: for ever
  std::string items_;                                     // of the array, with commas between them
  std::uint64_t count_ = 0;                               // of them
  std::optional<std::int64_t> media_time_ns_;             // of the first one
  std::optional<base::Deadline::Clock::time_point> due_;  // while there is one
};

}  // namespace penstock::nodes::flow
