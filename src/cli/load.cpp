#include "cli/load.h"

#include <fmt/format.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/paths.h"
#include "cli/ends.h"
#include "cli/native_nodes.h"
#include "cli/settings.h"
#include "plan/host_files.h"
#include "plan/port_check.h"
#include "session/promises.h"
#include "worker/agent/domain.h"

namespace penstock::cli {

namespace {

// "Json|Text"; "Any" is every type.
auto TypesOf(std::string_view text) -> plan::MessageTypes {
  if (text == "Any") return std::nullopt;
  std::set<std::string> types;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find('|', begin), text.size());
    types.emplace(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return types;
}

auto PortsOf(const std::vector<NativePort>& declared) -> plan::Ports {
  std::map<std::string, plan::MessageTypes> ports;
  for (const auto& port : declared) ports[port.name] = TypesOf(port.type);
  return ports;
}

// Nothing when the worker cannot answer for all of them; then a name that does not exist is reported when its worker
// starts.
void ListNativeNodes(plan::HostFacts& host) {
  const auto& all = AskNativeNodes();
  if (!all.complaints.empty()) return;
  host.native_nodes = all.Names();
  for (const auto& node : all.nodes)
    host.native_ports[node.name] = {.inputs = PortsOf(node.inputs), .outputs = PortsOf(node.outputs)};
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

auto Refuse(manifest::Errors errors, const manifest::Pipeline& pipeline) -> tl::unexpected<Refusal> {
  return tl::unexpected(Refusal{.errors = manifest::Sorted(std::move(errors), pipeline.file)});
}

auto RefuseOptions(const std::vector<std::string>& sentences) -> tl::unexpected<Refusal> {
  Refusal refusal{.errors = {}, .of_manifest = false};
  for (const auto& sentence : sentences) refusal.errors.emplace_back(base::ErrorCode::kInvalidArgument, sentence);
  return tl::unexpected(std::move(refusal));
}

auto RefuseHere(const base::Error& error) -> tl::unexpected<Refusal> {
  return tl::unexpected(Refusal{.errors = {error}, .of_manifest = false, .code = kEnvironment});
}

// What the manifest is refused for, with all that the host and the nodes' code refuse of the rest.
auto RefuseAll(const manifest::Reading& reading, const PipelineOptions& options) -> tl::unexpected<Refusal> {
  const auto host = FactsFor(reading.pipeline);
  auto errors = plan::CheckHost(reading.pipeline, host, options.placement);
  Append(errors, reading.errors);
  Append(errors, plan::CheckHostFiles(reading.pipeline, host, options.placement));
  Append(errors, plan::CheckPorts(reading.pipeline, host));
  return Refuse(std::move(errors), reading.pipeline);
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

auto Show(const Refusal& refusal) -> int {
  if (refusal.of_manifest) {
    fmt::print(stderr, "{}", manifest::RenderErrors(refusal.errors));
  } else {
    for (const auto& error : refusal.errors) Complain(error);
  }
  return refusal.code;
}

auto LoadPlan(const PipelineOptions& options, Room room) -> Planned {
  if (options.manifest == "-" && std::ranges::any_of(options.part.inputs, IsStandardInput))
    return RefuseOptions({"standard input is the manifest already: give one of them as a file"});
  auto reading = manifest::Read(options.manifest);
  if (!reading.errors.empty()) return RefuseAll(reading, options);
  const auto remarks = Adapt(reading.pipeline, options);
  if (!remarks.errors.empty()) return RefuseOptions(remarks.errors);
  auto plan = PlanOf(reading.pipeline, options, room);
  if (plan) std::ranges::copy(remarks.warnings, std::back_inserter(plan->warnings));
  return plan;
}

auto PlanOf(const manifest::Pipeline& pipeline, const PipelineOptions& options, Room room) -> Planned {
  auto host = FactsFor(pipeline);
  if (room == Room::kBesideRunning) {
    auto running = session::RunningSessions();
    if (!running) return RefuseHere(running.error());
    host.running = std::move(*running);
    host.overcommit = options.overcommit;
  }
  auto plan = plan::MakePlan(pipeline, host, options.placement);
  auto errors = plan::CheckHostFiles(pipeline, host, options.placement);
  Append(errors, plan::CheckPorts(pipeline, host));
  if (plan && errors.empty()) return std::move(*plan);
  if (!plan && plan.error().front().code() == base::ErrorCode::kExhausted) return RefuseHere(plan.error().front());
  if (!plan) Append(errors, plan.error());
  return Refuse(std::move(errors), pipeline);
}

auto NeedsEngine(const plan::Plan& plan) -> bool {
  return std::ranges::any_of(plan.nodes,
                             [](const plan::Node& node) { return node.placement == plan::Placement::kContainer; });
}

}  // namespace penstock::cli
