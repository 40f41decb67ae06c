// The order in which ports open: every output before any input that reads it, every input before its producer counts
// its consumers, everything before anyone starts. A node that is replaced goes through the same, beside those that run.
// Pure bookkeeping over the plan's graph.
#pragma once

#include <cstddef>
#include <vector>

#include "plan/plan.h"

namespace penstock::session {

class AttachBarrier final {
 public:
  explicit AttachBarrier(const plan::Plan& plan);

  enum class Step { kOpenInputs, kConnect };
  struct Command {
    std::size_t node;
    Step step;
  };

  /// Each returns the commands that may be sent now, each command once.
  auto OutputsOpen(std::size_t node) -> std::vector<Command>;
  auto InputsOpen(std::size_t node) -> std::vector<Command>;
  /// The node's worker has ended and is replaced: it has everything before it again. The others go on, and those that
  /// are replaced themselves do not wait for its outputs: it may have to wait for what they handle.
  void Replaced(std::size_t node);
  /// The node will not come back: nobody waits for it.
  auto LeftOut(std::size_t node) -> std::vector<Command>;
  void Connected(std::size_t node) { state_.at(node).connected = true; }
  void Ready(std::size_t node) { state_.at(node).ready = true; }

  /// Everybody is connected and set up.
  auto Passed() const -> bool;
  /// This node is connected and set up.
  auto Passed(std::size_t node) const -> bool { return state_.at(node).connected && state_.at(node).ready; }
  /// The node was told to open its inputs.
  auto reads(std::size_t node) const -> bool { return state_.at(node).told_to_open; }
  /// The node was told to connect its outputs.
  auto connects(std::size_t node) const -> bool { return state_.at(node).told_to_connect; }
  /// Nodes that are still awaited, for the sentence when the deadline passes.
  auto Missing() const -> std::vector<std::size_t>;

 private:
  struct State {
    std::vector<std::size_t> producers;  // nodes, each once
    std::vector<std::size_t> consumers;
    bool outputs_open = false;  // of this incarnation
    bool was_open = false;      // of any: whoever reads them may attach
    bool inputs_open = false;
    bool told_to_open = false;
    bool told_to_connect = false;
    bool connected = false;
    bool ready = false;
  };
  void Offer(std::size_t node, std::vector<Command>& commands);
  std::vector<State> state_;
};

}  // namespace penstock::session
