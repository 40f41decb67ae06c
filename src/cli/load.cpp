#include "cli/load.h"

#include <fmt/format.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>

#include "base/paths.h"
#include "cli/ends.h"
#include "cli/native_nodes.h"
#include "cli/settings.h"
#include "manifest/load.h"
#include "plan/host_files.h"
#include "session/promises.h"
#include "worker/agent/domain.h"

namespace penstock::cli {

namespace {

// Empty when the worker cannot answer for all of them; then a name that does not exist is reported when its worker
// starts.
auto NamesForPlanning() -> std::vector<std::string> {
  const auto& all = AskNativeNodes();
  return all.complaints.empty() ? all.Names() : std::vector<std::string>();
}

auto UsesNativeNodes(const manifest::Pipeline& pipeline) -> bool {
  return std::ranges::any_of(pipeline.nodes, [](const manifest::Node& node) {
    return manifest::ClassifyNodeType(node.node_type) == manifest::NodeTypeKind::kNative;
  });
}

auto IsStandardInput(const std::string& input) -> bool { return input == "-" || input.ends_with("=-"); }

// What the command line says beside the manifest.
auto Adapt(manifest::Pipeline& pipeline, const PipelineOptions& options) -> SettingRemarks {
  auto remarks = ApplySettings(pipeline, options.settings);
  auto part = options.part;
  std::ranges::move(TakePart(pipeline, part), std::back_inserter(remarks.errors));
  if (remarks.errors.empty()) remarks.errors = ApplyEnds(pipeline, part.inputs, options.outputs);
  return remarks;
}

}  // namespace

auto GatherHostFacts() -> plan::HostFacts {
  plan::HostFacts host;
  host.cpus = static_cast<double>(::sysconf(_SC_NPROCESSORS_ONLN));
  struct sysinfo info{};
  if (::sysinfo(&info) == 0) host.memory_bytes = static_cast<std::uint64_t>(info.totalram) * info.mem_unit;
  // A user's realms are made in a user namespace that maps this user only: the kernel lets nobody else create a file in
  // them (EOVERFLOW). Root's have no such bound, and a container of root's is never root.
  if (::geteuid() != 0) {
    host.container_uid = ::geteuid();
    host.container_gid = ::getegid();
    host.container_user_is_fixed = true;
  }
  host.separates_workers = worker::agent::DomainVersion() != 0;
  host.secrets_directory = base::ConfigDirectory() / "secrets";
  return host;
}

auto LoadPipeline(const std::string& path) -> std::optional<manifest::Pipeline> {
  auto pipeline = manifest::Load(path);
  if (pipeline) return std::move(*pipeline);
  fmt::print(stderr, "{}", manifest::RenderErrors(pipeline.error()));
  return std::nullopt;
}

auto LoadPlan(const PipelineOptions& options, Room room) -> tl::expected<plan::Plan, int> {
  if (options.manifest == "-" && std::ranges::any_of(options.part.inputs, IsStandardInput)) {
    fmt::print(stderr, "penstock: error: standard input is the manifest already: give one of them as a file\n");
    return tl::unexpected(kUsage);
  }
  auto pipeline = LoadPipeline(options.manifest);
  if (!pipeline) return tl::unexpected(kUsage);
  const auto remarks = Adapt(*pipeline, options);
  for (const auto& error : remarks.errors) fmt::print(stderr, "penstock: error: {}\n", error);
  if (!remarks.errors.empty()) return tl::unexpected(kUsage);
  auto plan = PlanOf(*pipeline, options, room);
  if (plan) std::ranges::copy(remarks.warnings, std::back_inserter(plan->warnings));
  return plan;
}

auto PlanOf(const manifest::Pipeline& pipeline, const PipelineOptions& options, Room room)
    -> tl::expected<plan::Plan, int> {
  auto host = GatherHostFacts();
  if (UsesNativeNodes(pipeline)) host.native_nodes = NamesForPlanning();
  if (room == Room::kBesideRunning) {
    auto running = session::RunningSessions();
    if (!running) return tl::unexpected(Complain(running.error()));
    host.running = std::move(*running);
    host.overcommit = options.overcommit;
  }
  auto plan = plan::MakePlan(pipeline, host, options.placement);
  auto errors = plan::CheckHostFiles(pipeline, host, options.placement);
  if (plan && errors.empty()) return std::move(*plan);
  if (!plan && plan.error().front().code() == base::ErrorCode::kExhausted)
    return tl::unexpected(Complain(plan.error().front()));
  if (!plan) errors.insert(errors.begin(), plan.error().begin(), plan.error().end());
  fmt::print(stderr, "{}", manifest::RenderErrors(errors));
  return tl::unexpected(kUsage);
}

auto NeedsEngine(const plan::Plan& plan) -> bool {
  return std::ranges::any_of(plan.nodes,
                             [](const plan::Node& node) { return node.placement == plan::Placement::kContainer; });
}

}  // namespace penstock::cli
