// The shared memory of a session: a realm for each output, a control block for each edge, a doorbell for each node, and
// memory for the state of each node that may be restarted.
// Nameless: held as descriptors here and by the workers they are handed to, freed by the kernel with the last holder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "plan/plan.h"
#include "transport/control_block.h"
#include "transport/doorbell.h"
#include "transport/realm.h"
#include "transport/state_memory.h"
#include "worker/protocol.h"

namespace penstock::session {

class Wiring final {
 public:
  /// The realm of output i sits at descriptor `first_realm_number` + i in every worker (see realm_numbers.h).
  static auto Make(const plan::Plan& plan, const std::string& session_id, int first_realm_number)
      -> base::Expected<Wiring>;

  /// What the worker of node `index` is handed, after `restarts` of the node. The descriptors in it are borrowed from
  /// this object.
  auto ConfigureFor(const plan::Plan& plan, std::size_t index, std::uint32_t restarts = 0) const -> worker::Configure;
  /// Of output `index`.
  auto realm(std::size_t index) const -> const transport::Realm& { return realms_.at(index); }
  auto edge(std::size_t index) const -> const transport::ControlBlock& { return edges_.at(index); }
  /// Of node `index`.
  auto doorbell(std::size_t index) const -> const transport::Doorbell& { return doorbells_.at(index); }
  /// Nodes by index.
  auto producer_of(std::size_t output) const -> std::size_t { return producer_of_output_.at(output); }
  auto consumer_of(std::size_t edge) const -> std::size_t { return consumer_of_edge_.at(edge); }

 private:
  Wiring(std::string session_id, int first_realm_number)
      : session_id_(std::move(session_id)), first_realm_number_(first_realm_number) {}
  std::string session_id_;
  int first_realm_number_;
  std::vector<transport::Realm> realms_;                       // by output
  std::vector<transport::ControlBlock> edges_;                 // by edge
  std::vector<transport::Doorbell> doorbells_;                 // by node
  std::vector<std::optional<transport::StateMemory>> states_;  // by node
  std::vector<std::size_t> producer_of_output_;                // node index
  std::vector<std::size_t> consumer_of_edge_;                  // node index
};

}  // namespace penstock::session
