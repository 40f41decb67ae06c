#include "session/hearing.h"

namespace penstock::session {

auto IsHeard(const NodeState& state, const worker::FromWorker& message) -> bool {
  if (!state.replacing) return true;
  if (!state.replacing->ended) return false;
  if (!state.exited) return true;
  return state.replacing->greeted && std::holds_alternative<worker::Failed>(message);
}

}  // namespace penstock::session
