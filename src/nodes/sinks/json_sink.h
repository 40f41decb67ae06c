// json.sink: one JSON object a line for each message:
//
//   {"port": "in", "sequence": 0, "epoch": 0, "kind": "text", "time_ns": 420000000 | null, "trace": "32 hex", "span":
//   "16 hex",
//    "origin": {"input": 0, "sequence": 3, "index": 0} | null, "attempt": 0, "metadata": {…} | null, …}
//
// followed by what the kind has: "text", "value" (json), or "bytes" (payload size) with "shape", "dtype" and "rate".
// Params: path (default: standard output).
#pragma once

#include "nodes/node.h"
#include "nodes/sinks/line_output.h"

namespace penstock::nodes::sinks {

class JsonSink final : public Node {
 public:
  auto Setup(const nlohmann::json& params) -> base::Status override;
  auto Resume(const nlohmann::json& params) -> base::Status override;
  auto keeps_state() const -> bool override { return output_.is_file(); }
  auto Checkpoint() -> std::string override { return output_.Written(); }
  auto Restore(std::string_view state) -> base::Status override { return output_.GoOnAfter(state); }
  auto Process(Context& context, std::string_view input, std::unique_ptr<Received> message) -> base::Status override;
  auto output_is_broken() const -> bool override { return output_.is_broken(); }

 private:
  LineOutput output_;
};

/// What json.sink writes for a message, without the line end.
auto ToJsonLine(std::string_view input, const Received& message) -> std::string;

}  // namespace penstock::nodes::sinks
