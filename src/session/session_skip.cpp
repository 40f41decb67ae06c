// How a session goes on without a node that has failed for good: its producers no longer wait for it, and its own
// streams end once its consumers have what it had sent.
#include "session/session_impl.h"
#include "transport/output_port.h"

namespace penstock::session {

// Before the start nothing is lost by saying what is wrong, and what concerns the host concerns every node.
void Session::Impl::FailForGood(std::size_t index, Failure failure, bool container_lost) {
  if (ending_) return;
  if (!started_ || !nodes_[index].node->skip || failure.environment) return Fail(std::move(failure));
  LeaveOut(index, failure, container_lost);
}

void Session::Impl::LeaveOut(std::size_t index, const Failure& failure, bool container_lost) {
  auto& state = nodes_[index];
  const bool cleared = state.replacing && state.replacing->settled && !state.worker;
  state.left_out = failure;
  observer_.OnLeftOut(failure);
  Replace(index, container_lost);
  for (const auto edge : state.node->inputs) {
    const auto producer = wiring_.producer_of(options_.plan.edges[edge].output);
    // One that has still to connect is told then.
    if (nodes_[producer].exited || !barrier_.connects(producer)) continue;
    SendOrFail(producer, worker::Peer{.edge = options_.plan.edges[edge].id, .state = worker::Peer::State::kGone});
  }
  Execute(barrier_.LeftOut(index));
  if (cleared) return OnLeftOut(index);
  if (state.worker) return EndOld(index);
  state.replacing->ended = true;
}

void Session::Impl::OnLeftOut(std::size_t index) {
  auto& state = nodes_[index];
  for (const auto output : state.node->outputs) {
    std::vector<transport::ControlLayout*> blocks;
    for (const auto edge : options_.plan.outputs[output].edges) blocks.push_back(wiring_.edge(edge).operator->());
    transport::CloseForDead(blocks);
    for (const auto edge : options_.plan.outputs[output].edges)
      wiring_.doorbell(wiring_.consumer_of(edge)).arrivals().Ring();
  }
  state.exited = true;
  if (state.replacing) loop_->Cancel(state.replacing->timer);
  state.replacing.reset();
  // Posted: this may run inside a handler of the lease.
  loop_->Post([this, index] { FreePlace(index); });
  EndIfAllDone();
}

}  // namespace penstock::session
