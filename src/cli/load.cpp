#include "cli/load.h"

#include <fmt/format.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>

#include "manifest/load.h"

namespace penstock::cli {

auto GatherHostFacts() -> plan::HostFacts {
  plan::HostFacts host;
  host.cpus = static_cast<double>(::sysconf(_SC_NPROCESSORS_ONLN));
  struct sysinfo info{};
  if (::sysinfo(&info) == 0) host.memory_bytes = static_cast<std::uint64_t>(info.totalram) * info.mem_unit;
  return host;
}

auto LoadPipeline(const std::string& path) -> std::optional<manifest::Pipeline> {
  auto pipeline = manifest::Load(path);
  if (pipeline) return std::move(*pipeline);
  fmt::print(stderr, "{}", manifest::RenderErrors(pipeline.error()));
  return std::nullopt;
}

auto LoadPlan(const PipelineOptions& options) -> std::optional<plan::Plan> {
  const auto pipeline = LoadPipeline(options.manifest);
  if (!pipeline) return std::nullopt;
  auto plan = plan::MakePlan(*pipeline, GatherHostFacts(), options.placement);
  if (plan) return std::move(*plan);
  fmt::print(stderr, "{}", manifest::RenderErrors(plan.error()));
  return std::nullopt;
}

auto NeedsEngine(const plan::Plan& plan) -> bool {
  return std::ranges::any_of(plan.nodes,
                             [](const plan::Node& node) { return node.placement == plan::Placement::kContainer; });
}

}  // namespace penstock::cli
