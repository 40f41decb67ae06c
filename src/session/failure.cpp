#include "session/failure.h"

#include <csignal>
#include <cstring>

namespace penstock::session {
namespace {

auto Describe(const InFlight& in_flight) -> std::string {
  return fmt::format(" while handling message {} of edge {} (for {:.1f} ms)", in_flight.sequence, in_flight.edge,
                     static_cast<double>(in_flight.handling_ns) / 1e6);
}

auto ToClause(Phase phase) -> std::string_view {
  switch (phase) {
    case Phase::kStarting:
      return "while it was starting";
    case Phase::kRunning:
      return "before its stream had ended";
    case Phase::kFinished:
      return "after it had finished its work";
  }
  return "";
}

}  // namespace

auto FailureOf(const plan::Node& node, const worker::Failed& failed) -> Failure {
  Failure failure{.node = node.id, .sentence = {}, .traceback = failed.traceback};
  std::string where;
  if (failed.phase == "process") {
    where = "handling a message";
    if (failed.edge && failed.sequence)
      where = fmt::format("handling message {} of edge {}", *failed.sequence, *failed.edge);
  } else if (failed.phase == "import") {
    where = "importing its module";
  } else if (failed.phase == "ports") {
    where = "using its ports";
  } else {
    where = fmt::format("its {}", failed.phase);
  }
  failure.sentence =
      fmt::format("node '{}' failed {} {}: {}{}{}", node.id,
                  failed.phase == "process" || failed.phase == "import" || failed.phase == "ports" ? "while" : "in",
                  where, failed.error, failed.error.empty() || failed.message.empty() ? "" : ": ", failed.message);
  return failure;
}

auto FailureOf(const plan::Node& node, const worker::Exited& exited, const EndEvidence& evidence) -> Failure {
  Failure failure{.node = node.id, .sentence = {}, .traceback = {}};
  const auto in_flight = evidence.in_flight ? Describe(*evidence.in_flight) : std::string();
  if (exited.signal == SIGKILL && node.container && evidence.memory && evidence.memory->oom_kills > 0) {
    const auto limit = node.container->limits.memory_mb;
    failure.sentence = fmt::format(
        "node '{}' was killed by the kernel at its memory limit of {} MB{}; raise docker.resource_limits.memory_mb of "
        "this "
        "node",
        node.id, limit, in_flight);
    return failure;
  }
  if (exited.signal) {
    const char* name = ::sigabbrev_np(*exited.signal);
    failure.sentence = fmt::format(
        "node '{}' was killed by signal {} (SIG{}){}{}{}", node.id, *exited.signal, name == nullptr ? "?" : name,
        evidence.phase == Phase::kRunning ? "" : fmt::format(" {}", ToClause(evidence.phase)), in_flight,
        exited.core ? "; a core was dumped" : "");
    return failure;
  }
  failure.sentence = fmt::format("node '{}' exited with code {} {}{}", node.id, exited.code.value_or(-1),
                                 ToClause(evidence.phase), in_flight);
  return failure;
}

}  // namespace penstock::session
