#include "cli/load.h"

#include <fmt/format.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "base/command.h"
#include "base/paths.h"
#include "manifest/load.h"
#include "plan/host_files.h"
#include "plan/port_check.h"
#include "session/promises.h"
#include "worker/agent/domain.h"

namespace penstock::cli {

namespace {

auto SplitAt(std::string_view text, char separator) -> std::vector<std::string> {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
    if (text.empty()) parts.emplace_back();
  }
  return parts;
}

/// "in:Json|Text,…" of `penstock-native --list`.
auto ParsePorts(std::string_view text) -> plan::Ports {
  std::map<std::string, plan::MessageTypes> ports;
  for (const auto& port : SplitAt(text, ',')) {
    const auto colon = port.find(':');
    const auto types = SplitAt(std::string_view(port).substr(std::min(colon, port.size() - 1) + 1), '|');
    const bool any = types.empty() || types[0] == "Any";
    ports[port.substr(0, colon)] = any ? std::nullopt : plan::MessageTypes(std::set(types.begin(), types.end()));
  }
  return ports;
}

// Plugins are loaded by the native worker only, so that a broken one cannot harm the runtime: it is asked. Nothing when
// it cannot answer; then a name that does not exist is reported when its worker starts.
void ListNativeNodes(plan::HostFacts& host) {
  const auto home = base::InstallDirectory();
  if (!home) return;
  std::map<std::string, plan::NodePorts> nodes;
  const auto listed = base::RunCommand(
      {*home / "bin" / "penstock-native", "--list"},
      [&](std::string_view line) {
        const auto parts = SplitAt(line, '\t');
        if (parts.size() == 4) nodes[parts[0]] = {.inputs = ParsePorts(parts[2]), .outputs = ParsePorts(parts[3])};
      },
      base::Deadline::In(std::chrono::seconds(10)));
  if (!listed || *listed != 0) return;
  for (const auto& [name, ports] : nodes) host.native_nodes.push_back(name);
  host.native_ports = std::move(nodes);
}

auto UsesNativeNodes(const manifest::Pipeline& pipeline) -> bool {
  return std::ranges::any_of(pipeline.nodes, [](const manifest::Node& node) {
    return manifest::ClassifyNodeType(node.node_type) == manifest::NodeTypeKind::kNative;
  });
}

auto FactsFor(const manifest::Pipeline& pipeline) -> plan::HostFacts {
  auto host = GatherHostFacts();
  if (UsesNativeNodes(pipeline)) ListNativeNodes(host);
  return host;
}

void Append(manifest::Errors& errors, const manifest::Errors& more) {
  errors.insert(errors.end(), more.begin(), more.end());
}

auto Refuse(manifest::Errors errors, const manifest::Pipeline& pipeline) -> int {
  fmt::print(stderr, "{}", manifest::RenderErrors(manifest::Sorted(std::move(errors), pipeline.file)));
  return kUsage;
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
  const auto reading = manifest::Read(options.manifest);
  if (reading.errors.empty()) return PlanOf(reading.pipeline, options, room);
  const auto host = FactsFor(reading.pipeline);
  auto errors = plan::CheckHost(reading.pipeline, host, options.placement);
  Append(errors, reading.errors);
  Append(errors, plan::CheckHostFiles(reading.pipeline, host, options.placement));
  Append(errors, plan::CheckPorts(reading.pipeline, host));
  return tl::unexpected(Refuse(std::move(errors), reading.pipeline));
}

auto PlanOf(const manifest::Pipeline& pipeline, const PipelineOptions& options, Room room)
    -> tl::expected<plan::Plan, int> {
  auto host = FactsFor(pipeline);
  if (room == Room::kBesideRunning) {
    auto running = session::RunningSessions();
    if (!running) return tl::unexpected(Complain(running.error()));
    host.running = std::move(*running);
    host.overcommit = options.overcommit;
  }
  auto plan = plan::MakePlan(pipeline, host, options.placement);
  auto errors = plan::CheckHostFiles(pipeline, host, options.placement);
  Append(errors, plan::CheckPorts(pipeline, host));
  if (plan && errors.empty()) return std::move(*plan);
  if (!plan && plan.error().front().code() == base::ErrorCode::kExhausted)
    return tl::unexpected(Complain(plan.error().front()));
  if (!plan) Append(errors, plan.error());
  return tl::unexpected(Refuse(std::move(errors), pipeline));
}

auto NeedsEngine(const plan::Plan& plan) -> bool {
  return std::ranges::any_of(plan.nodes,
                             [](const plan::Node& node) { return node.placement == plan::Placement::kContainer; });
}

}  // namespace penstock::cli
