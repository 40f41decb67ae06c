// Autopsy: the sentences.
#include "session/autopsy.h"

#include <csignal>
#include <cstring>

#include "base/count.h"
#include "session/limits.h"
#include "session/suggestion.h"

namespace penstock::session {
namespace {

constexpr double kMebibyte = 1024 * 1024;

auto Megabytes(std::uint64_t bytes) -> std::string {
  const auto value = static_cast<double>(bytes) / kMebibyte;
  return value < 10 ? fmt::format("{:.1f} MB", value) : fmt::format("{:.0f} MB", value);
}

auto SignalName(int signal) -> std::string {
  const char* name = ::sigabbrev_np(signal);
  return fmt::format("signal {} (SIG{})", signal, name == nullptr ? "?" : name);
}

auto ToClause(Phase phase) -> std::string_view {
  switch (phase) {
    case Phase::kStarting:
      return " while it was starting";
    case Phase::kRunning:
      return " before its stream had ended";
    case Phase::kFinished:
      return " after it had finished its work";
  }
  return "";
}

auto SinceStart(const Evidence& evidence) -> std::string {
  if (evidence.since_start.count() == 0) return "";
  return fmt::format("{:.1f} s after its start", std::chrono::duration<double>(evidence.since_start).count());
}

// " while handling message 3 of edge a.out->b.in (for 12.3 ms), 2.3 s after its start"
auto When(const Evidence& evidence) -> std::string {
  std::string text;
  if (evidence.in_flight) {
    text = fmt::format(" while handling message {} of edge {} (for {:.1f} ms)", evidence.in_flight->sequence,
                       evidence.in_flight->edge, static_cast<double>(evidence.in_flight->handling_ns) / 1e6);
  }
  if (const auto since = SinceStart(evidence); !since.empty()) text += ", " + since;
  return text;
}

auto LimitMb(const plan::Node& node) -> std::uint64_t { return node.container ? node.container->limits.memory_mb : 0; }

auto RaiseMemory(const plan::Node& node, std::uint64_t peak_bytes, std::optional<std::uint64_t> asked = {})
    -> std::string {
  return fmt::format("raise docker.resource_limits.memory_mb of this node to {} or more",
                     SufficientMemoryMb(LimitMb(node), peak_bytes, asked));
}

auto MemoryFigures(const container::MemoryCounters& memory) -> std::string {
  auto text = fmt::format("it used {} at most", Megabytes(memory.peak_bytes.value_or(memory.usage_bytes)));
  if (memory.limit_hits > 0) text += fmt::format(" and met the limit {}", base::Count(memory.limit_hits, "time"));
  return text;
}

auto ChildMemoryClause(const plan::Node& node, const container::MemoryCounters& memory) -> std::string {
  return fmt::format("the kernel killed {} of its processes at its memory limit of {} MB ({}): {}", memory.oom_kills,
                     LimitMb(node), MemoryFigures(memory), RaiseMemory(node, memory.peak_bytes.value_or(0)));
}

auto PidsClause(const plan::Node& node, const container::PidsCounters& pids) -> std::string {
  const auto limit = node.container ? node.container->limits.pids : pids.limit.value_or(0);
  return fmt::format(
      "it was refused {} process{} or thread{} at its limit of {}: raise docker.resource_limits.pids of this node to "
      "{} or more",
      pids.refused, pids.refused == 1 ? "" : "es", pids.refused == 1 ? "" : "s", limit,
      SufficientPids(limit, pids.refused));
}

auto CpuClause(const plan::Node& node, const container::CpuCounters& cpu, double host_cores) -> std::string {
  const auto limit = node.container ? node.container->limits.cpu_cores : 0;
  return fmt::format(
      "it used up its limit of {:.2g} cores in {:.0f} % of its CPU periods and was stopped for {:.1f} s in all: raise "
      "docker.resource_limits.cpu_cores of this node to {:.2g} or more",
      limit, cpu.ThrottledShare() * 100, static_cast<double>(cpu.throttled_ns) / 1e9,
      SufficientCores(limit, cpu, host_cores));
}

auto HostMemoryClause(const plan::Node& node, const Evidence& evidence) -> std::string {
  auto text = fmt::format("this host ran out of memory ({} of {} are available now)",
                          Megabytes(evidence.host.available_bytes), Megabytes(evidence.host.total_bytes));
  if (!node.container) return text + "; free memory, or bound what runs here with docker.resource_limits.memory_mb";
  return text + fmt::format(
                    "; it was below its own limit of {} MB: free memory, or lower the limits so that their sum "
                    "fits this host",
                    LimitMb(node));
}

auto StorageClause(const worker::Exited& exited) -> std::string {
  std::string text;
  for (const auto& full : exited.full) {
    const auto* field = full.path == "/tmp" ? "docker.tmpfs_mb" : full.path == "/dev/shm" ? "docker.shm_size_mb" : "";
    text += fmt::format("{}{} is full ({})", text.empty() ? "" : ", ", full.path, Megabytes(full.bytes));
    if (*field != '\0') text += fmt::format(": raise {} of this node, or delete files there", field);
  }
  return text;
}

// What a node writes to is its user's disk.
auto IsOfItsOutput(const worker::Failed& failed) -> bool { return failed.phase == "output"; }

auto OwnWords(const plan::Node& node, const worker::Failed& failed) -> std::string {
  if (failed.phase == worker::kOverflowPhase) return fmt::format("node '{}' cannot send: {}", node.id, failed.message);
  if (IsOfItsOutput(failed))
    return fmt::format("node '{}' failed by no fault of a message: {}", node.id, failed.message);
  auto where = fmt::format("in its {}", failed.phase);
  if (failed.phase == "process" && failed.edge && failed.sequence) {
    where = fmt::format("while handling message {} of edge {}", *failed.sequence, *failed.edge);
  } else if (failed.phase == "import") {
    where = "while importing its module";
  } else if (failed.phase == "ports") {
    where = "while using its ports";
  }
  return fmt::format("node '{}' failed {}: {}{}{}", node.id, where, failed.error,
                     failed.error.empty() || failed.message.empty() ? "" : ": ", failed.message);
}

// What limits had to do with an end that tells itself; "" when none had.
auto LimitClause(const plan::Node& node, Cause cause, const Evidence& evidence) -> std::string {
  const LimitsReached limits(evidence);
  if (cause == Cause::kChildMemoryLimit) return ChildMemoryClause(node, *limits.memory);
  if (cause == Cause::kPidsLimit) return PidsClause(node, *limits.pids);
  return "";
}

auto Tell(const plan::Node& node, const worker::Failed& failed, Cause cause, const Evidence& evidence) -> std::string {
  auto text = OwnWords(node, failed);
  auto clause = LimitClause(node, cause, evidence);
  if (cause == Cause::kMemoryLimit && node.container && evidence.container && evidence.container->counters &&
      evidence.container->counters->memory) {
    const auto& memory = *evidence.container->counters->memory;
    const auto peak = memory.peak_bytes.value_or(memory.usage_bytes);
    const auto asked = AskedBytes(failed.message);
    clause = fmt::format("its memory limit is {} MB, of which it had used {} at most{}: {}", LimitMb(node),
                         Megabytes(peak), asked ? fmt::format(" when it asked for {} more", Megabytes(*asked)) : "",
                         RaiseMemory(node, peak, asked));
  }
  if (clause.empty() && node.container && failed.message.find("[Errno 24]") != std::string::npos) {
    clause = fmt::format(
        "its limit is {} open descriptors: raise docker.resource_limits.nofile of this node, or close "
        "what it opens",
        node.container->limits.nofile);
  }
  if (clause.empty()) return text;
  const auto since = SinceStart(evidence);
  return fmt::format("{}; {}{}{}", text, since, since.empty() ? "" : ": ", clause);
}

auto EngineStopped(const plan::Node& node, const Evidence& evidence) -> std::string {
  return fmt::format(
      "the container of node '{}' ended with the Docker engine, which was stopped or restarted{}: run "
      "the pipeline again once the engine runs ('docker info' tells)",
      node.id, When(evidence));
}

auto KilledFromOutside(const plan::Node& node, int signal, const Evidence& evidence) -> std::string {
  return fmt::format(
      "the container of node '{}' was killed from outside{}: somebody had the engine send it {} (docker "
      "kill, stop or rm -f); no limit had to do with it",
      node.id, When(evidence), SignalName(signal));
}

// A process of several sessions ends for all of them, whichever one was the reason.
auto SharedClause(const worker::Exited& exited) -> std::string {
  if (exited.others == 0) return "";
  return fmt::format("; its process served {} too, which shared what its node's class had loaded",
                     base::Count(exited.others, "other session"));
}

// Of a container that several sessions share, any may have used the memory up.
auto NeighboursClause(const worker::Exited& exited) -> std::string {
  if (exited.others > 0 || exited.beside == 0) return "";
  return fmt::format(
      "; its container served {} its limits: 'sharing: exclusive' gives "
      "it one of its own",
      base::Count(exited.beside, "other session too, which shares", "other sessions too, which share"));
}

auto Tell(const plan::Node& node, const worker::Exited& exited, Cause cause, const Evidence& evidence) -> std::string {
  if (cause == Cause::kEngineStopped) return EngineStopped(node, evidence);
  if (cause == Cause::kContainerKilled)
    return KilledFromOutside(node, *evidence.container->engine.signal_asked, evidence);
  if (cause == Cause::kMemoryLimit) {
    auto text = fmt::format("node '{}' was killed by the kernel at its memory limit of {} MB{}; ", node.id,
                            LimitMb(node), When(evidence));
    const LimitsReached limits(evidence);
    if (limits.memory != nullptr) text += MemoryFigures(*limits.memory) + ": ";
    text += RaiseMemory(node, limits.memory == nullptr ? 0 : limits.memory->peak_bytes.value_or(0));
    return text + SharedClause(exited) + NeighboursClause(exited);
  }
  if (cause == Cause::kHostMemory) {
    return fmt::format("node '{}' was killed by the kernel{}: {}{}", node.id, When(evidence),
                       HostMemoryClause(node, evidence), SharedClause(exited));
  }
  std::string text;
  if (exited.signal) {
    text = fmt::format("node '{}' was killed by {}{}{}{}", node.id, SignalName(*exited.signal),
                       evidence.phase == Phase::kRunning ? "" : ToClause(evidence.phase), When(evidence),
                       exited.core ? "; a core was dumped" : "");
  } else {
    text = fmt::format("node '{}' exited with code {}{}{}", node.id, exited.code.value_or(-1), ToClause(evidence.phase),
                       When(evidence));
  }
  text += SharedClause(exited);
  if (cause == Cause::kStorageFull) return text + "; " + StorageClause(exited);
  const auto clause = LimitClause(node, cause, evidence);
  return clause.empty() ? text : text + "; " + clause;
}

auto Tell(const plan::Node& node, const Overdue& overdue, Cause cause, const Evidence& evidence) -> std::string {
  auto text = fmt::format("node '{}' did not {} within {:.1f} s; ", node.id, overdue.what,
                          std::chrono::duration<double>(overdue.allowed).count());
  if (cause != Cause::kCpuLimit) return text + overdue.remedy;
  return text + fmt::format("{}, or {}", *ThrottledClause(node, evidence), overdue.remedy);
}

auto Tell(const plan::Node& node, const ContainerLost& /*lost*/, Cause cause, const Evidence& evidence) -> std::string {
  if (cause == Cause::kEngineStopped) return EngineStopped(node, evidence);
  if (cause == Cause::kContainerKilled)
    return KilledFromOutside(node, *evidence.container->engine.signal_asked, evidence);
  auto text = fmt::format("the container of node '{}' ended unexpectedly{}", node.id, When(evidence));
  const LimitsReached limits(evidence);
  if (cause == Cause::kMemoryLimit) return text + "; " + ChildMemoryClause(node, *limits.memory);
  if (cause == Cause::kHostMemory) return text + ": " + HostMemoryClause(node, evidence);
  return text;
}

}  // namespace

auto FailureOf(const plan::Node& node, const End& end, const Evidence& evidence) -> Failure {
  const auto cause = Judge(end, evidence);
  Failure failure{.node = node.id, .sentence = {}, .traceback = evidence.stack};
  failure.environment = cause == Cause::kHostMemory || cause == Cause::kEngineStopped;
  failure.sentence = std::visit([&](const auto& how) { return Tell(node, how, cause, evidence); }, end);
  if (const auto* failed = std::get_if<worker::Failed>(&end)) {
    failure.traceback = failed->traceback;
    failure.environment = failure.environment || IsOfItsOutput(*failed);
  }
  return failure;
}

auto DetailOf(const plan::Node& node, const container::EngineRecord& engine, bool engine_lost)
    -> std::optional<std::string> {
  const Evidence nothing;
  constexpr int kSignalBase = 128;
  if (engine_lost) return EngineStopped(node, nothing);
  if (engine.signal_asked) return KilledFromOutside(node, *engine.signal_asked, nothing);
  if (!engine.exit_code) return std::nullopt;
  if (engine.out_of_memory && *engine.exit_code == kSignalBase + SIGKILL) {
    return fmt::format("the container of node '{}' was killed by the kernel at its memory limit of {} MB: {}", node.id,
                       LimitMb(node), RaiseMemory(node, 0));
  }
  if (*engine.exit_code > kSignalBase) {
    return fmt::format(
        "the first process of the container of node '{}' was killed with {}, and not through the engine: "
        "look for who did it on this host",
        node.id, SignalName(*engine.exit_code - kSignalBase));
  }
  return fmt::format("the container of node '{}' exited with code {}", node.id, *engine.exit_code);
}

auto ThrottledClause(const plan::Node& node, const Evidence& evidence) -> std::optional<std::string> {
  const LimitsReached limits(evidence);
  if (limits.cpu == nullptr) return std::nullopt;
  return CpuClause(node, *limits.cpu, evidence.host_cores);
}

auto RemarksOn(const plan::Node& node, const Evidence& evidence) -> std::vector<std::string> {
  const LimitsReached limits(evidence);
  std::vector<std::string> remarks;
  const auto add = [&](const std::string& clause) { remarks.push_back(fmt::format("node '{}': {}", node.id, clause)); };
  if (limits.memory != nullptr) add(ChildMemoryClause(node, *limits.memory));
  if (limits.pids != nullptr) add(PidsClause(node, *limits.pids));
  if (limits.cpu != nullptr) add(CpuClause(node, *limits.cpu, evidence.host_cores));
  return remarks;
}

}  // namespace penstock::session
