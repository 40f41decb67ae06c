// text.sink: each text message as a line. JSON messages are written as they are.
//
// Params: path (default: standard output).
#pragma once

#include "nodes/node.h"
#include "nodes/sinks/line_output.h"

namespace penstock::nodes::sinks {

class TextSink final : public Node {
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

}  // namespace penstock::nodes::sinks
