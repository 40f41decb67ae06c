// What a node keeps of its state for its successor, and how far that state goes.
//
// A state is kept after a message's outputs are published and before it is acknowledged, together with the number of
// that message: a successor that gets the message again, as its predecessor was killed in between, sees that the state
// includes it. Of what a node sends without a message in hands (a source, `finish`) the counts are kept.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "transport/state_memory.h"

namespace penstock::nodes {

/// Lives on the node's thread.
class StateKeeper final {
 public:
  /// Without `memory` nothing is kept: the node is not restarted.
  StateKeeper(std::string node, std::optional<transport::StateMemory> memory, std::size_t inputs)
      : node_(std::move(node)), memory_(std::move(memory)), included_(inputs, 0) {}

  /// What the predecessor kept; from now on Includes knows what that includes. Errors: kPeerCorrupt.
  auto Restore() -> base::Expected<std::optional<transport::KeptState>>;

  /// A message of an input edge.
  struct Handled {
    std::size_t edge = 0;
    std::uint64_t sequence = 0;
  };
  /// `message`: what was handled last; nullopt for a source. `published`: by output, of messages without an origin.
  /// Errors: kExhausted for a state that is too large; kUnsupported without memory.
  auto Keep(const std::optional<Handled>& message, const std::vector<std::uint64_t>& published, std::uint32_t format,
            std::string_view bytes) -> base::Status;
  /// Whether the state that was restored has this message in it already.
  auto Includes(const Handled& message) const -> bool { return message.sequence < included_[message.edge]; }

 private:
  std::string node_;
  std::optional<transport::StateMemory> memory_;
  std::vector<std::uint64_t> included_;  // by input edge: all messages below
};

}  // namespace penstock::nodes
