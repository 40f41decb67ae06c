#include "plan/admission.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace penstock::plan {
namespace {

struct Sums {
  std::uint64_t memory_mb = 0;
  double cpus = 0;
  std::size_t largest = 0;         // index of the node with the most memory
  std::vector<std::string> parts;  // "vad 512"
};

auto AddUp(const Plan& plan) -> Sums {
  Sums sums;
  std::uint64_t most = 0;
  for (std::size_t index = 0; index < plan.nodes.size(); ++index) {
    const auto& node = plan.nodes[index];
    if (!node.container) continue;
    const auto memory_mb = node.container->limits.memory_mb;
    sums.memory_mb += memory_mb;
    sums.cpus += node.container->limits.cpu_cores;
    sums.parts.push_back(fmt::format("{} {}", node.id, memory_mb));
    if (memory_mb <= most) continue;
    most = memory_mb;
    sums.largest = index;
  }
  return sums;
}

void RefuseMemory(const manifest::Pipeline& pipeline, const Sums& sums, std::uint64_t host_mb,
                  manifest::Report& report) {
  const auto& node = pipeline.nodes[sums.largest];
  const auto& limits = node.docker->resource_limits;
  report.AddAt(limits.memory_mb ? limits.memory_at : node.at,
               fmt::format("the containers' memory limits add up to {} MB ({}), but this host has {}: lower the "
                           "'memory_mb' of some, or run them on a larger host",
                           sums.memory_mb, fmt::join(sums.parts, ", "), host_mb));
}

}  // namespace

void CheckRoom(const manifest::Pipeline& pipeline, const HostFacts& host, Plan& plan, manifest::Report& report) {
  const auto sums = AddUp(plan);
  const auto host_mb = host.memory_bytes / kMebibyte;
  const auto shared_mb = plan.shm_quota_bytes / kMebibyte;
  // One limit that is above the host on its own has been reported where it is written.
  const bool alone = !sums.parts.empty() && plan.nodes[sums.largest].container->limits.memory_mb > host_mb;
  if (sums.memory_mb > host_mb && !alone) {
    RefuseMemory(pipeline, sums, host_mb, report);
  } else if (sums.memory_mb > 0 && sums.memory_mb + shared_mb > host_mb) {
    plan.warnings.push_back(fmt::format(
        "the containers may use {} MB of memory together and the edges {} MB of shared memory, but this host has {}",
        sums.memory_mb, shared_mb, host_mb));
  }
  if (sums.cpus > host.cpus) {
    plan.warnings.push_back(
        fmt::format("the containers may use {:g} cores together, but this host has {}", sums.cpus, host.cpus));
  }
}

}  // namespace penstock::plan
