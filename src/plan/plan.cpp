#include "plan/plan.h"

#include <fmt/format.h>

#include "manifest/report.h"
#include "plan/admission.h"
#include "plan/nodes.h"
#include "plan/promises.h"
#include "plan/wiring.h"

namespace penstock::plan {

auto ToString(Placement placement) -> std::string_view {
  switch (placement) {
    case Placement::kContainer:
      return "container";
    case Placement::kProcess:
      return "process";
    case Placement::kNative:
      return "native";
  }
  return "unknown";
}

auto ToString(Grant::Kind kind) -> std::string_view {
  switch (kind) {
    case Grant::Kind::kRealm:
      return "realm";
    case Grant::Kind::kControlBlock:
      return "control block";
    case Grant::Kind::kDoorbell:
      return "doorbell";
    case Grant::Kind::kControlChannel:
      return "control channel";
    case Grant::Kind::kLogPipe:
      return "log pipe";
    case Grant::Kind::kState:
      return "state memory";
  }
  return "unknown";
}

auto ServiceName(const Output& output, std::string_view session_id) -> std::string {
  auto name = fmt::format("{}_{}_output", session_id, output.port.node);
  if (!output.only_output) name += fmt::format(".{}", output.port.port);
  return name;
}

auto MakePlan(const manifest::Pipeline& pipeline, const HostFacts& host, PlacementOverride placement)
    -> tl::expected<Plan, std::vector<base::Error>> {
  manifest::Report report(pipeline.file);
  Plan plan;
  plan.name = pipeline.metadata.name;
  plan.description = pipeline.metadata.description;
  plan.created_at = pipeline.metadata.created_at;
  plan.file = pipeline.file;
  plan.directory = pipeline.directory;
  plan.modules = pipeline.modules;
  plan.start_timeout = pipeline.session.start_timeout.value_or(kDefaultSessionStartTimeout);
  const Surroundings around{.directory = pipeline.directory, .host = host, .placement = placement};
  for (const auto& node : pipeline.nodes) plan.nodes.push_back(PlaceNode(node, around, report));
  WireEdges(pipeline, plan);
  CheckSources(pipeline, plan, report);
  CheckFanOut(pipeline, plan, report);
  DivideMemory(pipeline, host, plan, report);
  CheckRoom(pipeline, host, plan, report);
  WarnOfOpenDoors(plan);
  GrantDescriptors(plan);
  plan.start_order = StartOrder(plan);
  if (!report.empty()) return tl::unexpected(report.Take());
  if (auto room = CheckRoomBeside(host, plan); !room) return tl::unexpected(std::vector{std::move(room).error()});
  return plan;
}

auto CheckHost(const manifest::Pipeline& pipeline, const HostFacts& host, PlacementOverride placement)
    -> std::vector<base::Error> {
  manifest::Report report(pipeline.file);
  const Surroundings around{.directory = pipeline.directory, .host = host, .placement = placement};
  for (const auto& node : pipeline.nodes) {
    if (manifest::ClassifyNodeType(node.node_type)) PlaceNode(node, around, report);
  }
  CheckQuota(pipeline, host, report);
  return report.Take();
}

}  // namespace penstock::plan
