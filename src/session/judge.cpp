// Autopsy: from evidence to cause.
#include <csignal>

#include "session/autopsy.h"
#include "session/limits.h"

namespace penstock::session {
namespace {

auto CauseOfFailure(const Evidence& evidence, Cause otherwise) -> Cause {
  const LimitsReached limits(evidence);
  if (limits.memory != nullptr) return Cause::kChildMemoryLimit;
  if (limits.pids != nullptr) return Cause::kPidsLimit;
  return otherwise;
}

auto CauseOf(const worker::Failed& failed, const Evidence& evidence) -> Cause {
  return CauseOfFailure(evidence, failed.error.ends_with("MemoryError") ? Cause::kMemoryLimit : Cause::kNode);
}

auto CauseOf(const worker::Exited& exited, const Evidence& evidence) -> Cause {
  const LimitsReached limits(evidence);
  if (exited.signal == SIGKILL) {
    if (limits.memory != nullptr) return Cause::kMemoryLimit;
    if (limits.host_memory) return Cause::kHostMemory;
    // Counters that this host does not show leave the engine's word.
    const auto& container = evidence.container;
    if (container && !container->counters && container->engine.out_of_memory) return Cause::kMemoryLimit;
  }
  // An engine that stops, and docker stop, reach the workers through their agent.
  if (evidence.container && (exited.signal == SIGKILL || exited.signal == SIGTERM)) {
    if (evidence.container->engine_lost) return Cause::kEngineStopped;
    if (evidence.container->engine.signal_asked) return Cause::kContainerKilled;
  }
  const auto otherwise = exited.signal ? Cause::kSignal : Cause::kExit;
  const auto cause = CauseOfFailure(evidence, otherwise);
  return cause == otherwise && !exited.full.empty() ? Cause::kStorageFull : cause;
}

auto CauseOf(const Overdue& /*overdue*/, const Evidence& evidence) -> Cause {
  const LimitsReached limits(evidence);
  return limits.cpu != nullptr ? Cause::kCpuLimit : Cause::kOverdue;
}

auto CauseOf(const ContainerLost& /*lost*/, const Evidence& evidence) -> Cause {
  const LimitsReached limits(evidence);
  if (evidence.container && evidence.container->engine_lost) return Cause::kEngineStopped;
  if (evidence.container && evidence.container->engine.signal_asked) return Cause::kContainerKilled;
  if (limits.memory != nullptr) return Cause::kMemoryLimit;
  if (limits.host_memory) return Cause::kHostMemory;
  return Cause::kContainerEnded;
}

}  // namespace

LimitsReached::LimitsReached(const Evidence& evidence) {
  // Below these, throttling is the ordinary course of things: an interpreter that starts uses all it gets.
  constexpr double kShare = 0.25;
  constexpr std::uint64_t kPeriods = 5;
  host_memory = evidence.host.oom_kills > 0 && evidence.host.IsShort();
  if (!evidence.container || !evidence.container->counters) return;
  const auto& counters = *evidence.container->counters;
  if (counters.memory && counters.memory->oom_kills > 0) {
    if (counters.memory->ReachedLimit()) {
      memory = &*counters.memory;
    } else {
      host_memory = true;
    }
  } else if (counters.memory) {
    host_memory = false;  // whom the kernel killed was somebody else
  }
  if (counters.pids && counters.pids->refused > 0) pids = &*counters.pids;
  if (counters.cpu && counters.cpu->periods >= kPeriods && counters.cpu->ThrottledShare() >= kShare)
    cpu = &*counters.cpu;
}

auto HasMetLimits(const Evidence& evidence) -> bool {
  const LimitsReached limits(evidence);
  return limits.memory != nullptr || limits.pids != nullptr || limits.host_memory;
}

auto Judge(const End& end, const Evidence& evidence) -> Cause {
  return std::visit([&](const auto& how) { return CauseOf(how, evidence); }, end);
}

auto IsUnexplained(const End& end, const Evidence& evidence) -> bool {
  if (!evidence.container) return false;
  const auto cause = Judge(end, evidence);
  if (cause == Cause::kContainerEnded) return true;
  const auto* exited = std::get_if<worker::Exited>(&end);
  return cause == Cause::kSignal && exited != nullptr && (exited->signal == SIGTERM || exited->signal == SIGKILL);
}

}  // namespace penstock::session
