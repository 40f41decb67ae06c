#include "plan/promises.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "plan/render_container.h"

namespace penstock::plan {
namespace {

/// All that tells two containers apart and is known without the engine. container::Identity, which decides in the end,
/// knows the image's id as well.
auto Likeness(const Plan& plan, const Node& node) -> nlohmann::json {
  auto container = ToJson(*node.container);
  // They say how a container is used, not what it is.
  container.erase("keep_warm");
  container.erase("max_sessions");
  nlohmann::json packages = nlohmann::json::array();
  nlohmann::json likeness{{"container", container}, {"env", node.env}, {"directory", plan.directory.string()}};
  if (!node.environment) return likeness;
  const auto& environment = *node.environment;
  for (const auto& package : environment.python_packages) packages.push_back({package.requirement, package.no_deps});
  likeness["packages"] = packages;
  likeness["system"] = environment.system_packages;
  likeness["python"] = environment.python_version;
  likeness["base"] = environment.base_image.value_or("");
  if (environment.build) likeness["build"] = {environment.build->context.path.string(), environment.build->dockerfile};
  return likeness;
}

/// How many sessions use the containers of one likeness, in the order in which they came.
using Users = std::map<std::string, std::uint32_t, std::less<>>;

// Whether this user needs a container of its own, or finds room in one that is there.
auto OpensOne(Users& users, const Promise& promise) -> bool {
  if (promise.shared_as.empty()) return true;
  return users[promise.shared_as]++ % std::max(promise.max_sessions, 1U) == 0;
}

struct Holder {
  std::uint64_t memory_mb = 0;
  std::string text;  // "session 0192… (talk: asr 512, vad 256)"
};

struct Held {
  std::uint64_t memory_mb = 0;
  double cpus = 0;
  std::vector<Holder> holders;
};

auto HeldBy(const std::vector<RunningSession>& running, Users& users) -> Held {
  Held held;
  for (const auto& session : running) {
    std::uint64_t memory_mb = 0;
    std::vector<std::string> parts;
    for (const auto& promise : session.promises) {
      if (!OpensOne(users, promise)) continue;
      memory_mb += promise.memory_mb;
      held.cpus += promise.cpu_cores;
      parts.push_back(fmt::format("{} {}", promise.node, promise.memory_mb));
    }
    held.memory_mb += memory_mb;
    if (memory_mb == 0) continue;
    held.holders.push_back(
        {.memory_mb = memory_mb,
         .text = fmt::format("session {} ({}: {})", session.id, session.pipeline, fmt::join(parts, ", "))});
  }
  std::ranges::stable_sort(held.holders, std::ranges::greater(), &Holder::memory_mb);
  return held;
}

auto Names(const std::vector<Holder>& holders) -> std::string {
  constexpr std::size_t kMost = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(holders.size(), kMost); ++i) text += (i > 0 ? ", " : "") + holders[i].text;
  if (holders.size() > kMost) text += fmt::format(" and {} more", holders.size() - kMost);
  return text;
}

}  // namespace

auto PromisesOf(const Plan& plan) -> std::vector<Promise> {
  std::vector<Promise> promises;
  std::map<std::string, std::uint32_t> before;  // nodes of one session never share
  for (const auto& node : plan.nodes) {
    if (!node.container) continue;
    const auto& container = *node.container;
    auto& promise = promises.emplace_back(Promise{.node = node.id,
                                                  .memory_mb = container.limits.memory_mb,
                                                  .cpu_cores = container.limits.cpu_cores,
                                                  .shared_as = {},
                                                  .max_sessions = container.max_sessions});
    if (container.sharing == manifest::Sharing::kExclusive) continue;
    const auto likeness =
        base::Sha256(Likeness(plan, node).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    promise.shared_as = fmt::format("{} {}", likeness, before[likeness]++);
  }
  return promises;
}

auto CheckRoomBeside(const HostFacts& host, Plan& plan) -> base::Status {
  Users users;
  const auto held = HeldBy(host.running, users);
  std::uint64_t more_mb = 0;
  double more_cpus = 0;
  for (const auto& promise : PromisesOf(plan)) {
    if (!OpensOne(users, promise)) continue;
    more_mb += promise.memory_mb;
    more_cpus += promise.cpu_cores;
  }
  if (held.cpus > 0 && more_cpus > 0 && held.cpus + more_cpus > host.cpus) {
    plan.warnings.push_back(fmt::format(
        "the containers of running sessions may use {:g} cores and this pipeline's {:g} more, but this host has {}",
        held.cpus, more_cpus, host.cpus));
  }
  const auto host_mb = host.memory_bytes / kMebibyte;
  if (held.memory_mb == 0 || more_mb == 0 || held.memory_mb + more_mb <= host_mb) return {};
  const auto facts = fmt::format(
      "this pipeline's containers may use {} MB of memory, but of this host's {} MB running sessions hold {} MB: {}",
      more_mb, host_mb, held.memory_mb, Names(held.holders));
  if (host.overcommit) {
    plan.warnings.push_back(facts);
    return {};
  }
  return base::Fail(base::ErrorCode::kExhausted,
                    "{}; end one of them ('penstock stop ID') or wait for its end, lower the 'memory_mb' of some "
                    "nodes, or promise more than there is with --overcommit",
                    facts);
}

}  // namespace penstock::plan
