#include "nodes/flow/pass.h"

#include "nodes/forward.h"
#include "nodes/params.h"

namespace penstock::nodes::flow {

auto Merge::Setup(const nlohmann::json& params) -> base::Status { return ParamReader("flow.merge", params).Finish(); }

auto Merge::Process(Context& context, std::string_view /*input*/, std::unique_ptr<Received> message) -> base::Status {
  return Forward(context, "out", *message);
}

auto Tee::Setup(const nlohmann::json& params) -> base::Status { return ParamReader("flow.tee", params).Finish(); }

auto Tee::Process(Context& context, std::string_view /*input*/, std::unique_ptr<Received> message) -> base::Status {
  for (const auto& output : kTeeOutputs) PENSTOCK_TRY(Forward(context, output.name, *message));
  return {};
}

}  // namespace penstock::nodes::flow
