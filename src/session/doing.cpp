#include "session/doing.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace penstock::session {
namespace {

using nlohmann::json;

auto Between(std::uint64_t since_ns, std::uint64_t now_ns) -> double {
  return static_cast<double>(now_ns - std::min(since_ns, now_ns)) / 1e9;
}

auto HandlingOf(const SessionView& session, const HandlerState& handler) -> json {
  if (handler.since_ns == 0) return nullptr;
  return {{"edge", session.plan.edges[handler.edge].id},
          {"message", handler.sequence},
          {"for_s", Between(handler.since_ns, handler.now_ns)}};
}

auto WaitsOf(const SessionView& session, const HandlerState& handler) -> json {
  auto waits = json::array();
  for (const auto index : handler.waits_at) {
    const auto since = session.wiring.edge(index)->waiting_since_ns.load(std::memory_order_acquire);
    if (since == 0) continue;  // it has room by now
    const auto& edge = session.plan.edges[index];
    waits.push_back({{"node", edge.to.node}, {"edge", edge.id}, {"for_s", Between(since, handler.now_ns)}});
  }
  return waits;
}

auto StepOf(const Replacement& replacing) -> const char* {
  if (!replacing.ended) return "its old worker ends";
  if (replacing.timer != 0) return "its backoff passes";
  if (replacing.container_lost) return "it gets a container";
  if (!replacing.greeted) return "its new worker starts";
  if (!replacing.settled) return "its consumers handle what it had sent";
  return "it is set up";
}

auto RestartOf(const NodeState& state) -> json {
  if (!state.replacing || state.left_out) return nullptr;
  const auto time = std::chrono::steady_clock::now() - state.replacing->since;
  return {{"for_s", std::chrono::duration<double>(time).count()}, {"step", StepOf(*state.replacing)}};
}

}  // namespace

auto DoingOf(const SessionView& session, std::size_t index) -> json {
  const auto& state = session.nodes[index];
  json doing{{"handling", nullptr}, {"waits_for", json::array()}, {"restarting", RestartOf(state)}};
  // Else the account is that of a worker that is gone.
  if (state.exited || state.replacing) return doing;
  const auto handler = HandlerOf(session, index);
  doing["handling"] = HandlingOf(session, handler);
  doing["waits_for"] = WaitsOf(session, handler);
  return doing;
}

}  // namespace penstock::session
