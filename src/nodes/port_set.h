// The ports of one worker, from the descriptors that came with `configure` to open outputs and inputs.
//
// Prepared on the node's thread before any user code runs, opened on the wire thread, used by the node's thread after
// `start`.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "nodes/memory_requests.h"
#include "transport/doorbell.h"
#include "transport/input_port.h"
#include "transport/output_port.h"
#include "transport/state_memory.h"
#include "worker/protocol.h"

namespace penstock::nodes {

/// One edge into this node.
struct InputEdge {
  std::size_t port = 0;  // index into PortSet::input_names
  std::unique_ptr<transport::InputPort> input;
  std::atomic<bool> given_up{false};  // set by the wire thread: the producer will not come back
  bool ended = false;                 // node's thread
};

class PortSet final {
 public:
  /// Places the realms at their numbers and maps every block and bell. Errors: kPeerCorrupt for memory that fails its
  /// checks; kConflict when a realm's number is taken by another descriptor of this process.
  /// `around_wait`: as Host::Options has it.
  static auto Prepare(const worker::Configure& configure, std::vector<base::UniqueFd> fds,
                      MemoryRequests::AroundWait around_wait) -> base::Expected<std::unique_ptr<PortSet>>;

  auto OpenOutputs() -> base::Status;
  /// What the runtime needs to know to put memory behind the outputs; the descriptors stay the ports'.
  auto DescribeOutputs() const -> worker::OutputsOpen;
  auto OpenInputs() -> base::Status;
  /// Every output sees all its consumers. Errors: kInternal with the one that does not.
  auto Connect() -> base::Status;

  void PeerAttached(std::string_view edge);
  void PeerGone(std::string_view edge);
  /// Makes every wait of the node's thread return.
  void Interrupt() noexcept;

  auto bell() noexcept -> transport::Doorbell& { return bell_; }
  auto memory() noexcept -> MemoryRequests& { return memory_; }
  /// Distinct names, in the order of `configure`.
  auto input_names() const noexcept -> const std::vector<std::string>& { return input_names_; }
  auto output_names() const noexcept -> const std::vector<std::string>& { return output_names_; }
  auto inputs() noexcept -> std::vector<std::unique_ptr<InputEdge>>& { return inputs_; }
  auto outputs() noexcept -> std::vector<std::unique_ptr<transport::OutputPort>>& { return outputs_; }
  /// Where the message goes that `configure` wants written down; invalid: none.
  auto quarantine() noexcept -> base::UniqueFd& { return quarantine_; }
  /// For what the node keeps of its state; nullopt when it is not restarted. To be taken once.
  auto TakeStateMemory() -> std::optional<transport::StateMemory> { return std::exchange(state_, std::nullopt); }
  /// Of a source: whether an earlier incarnation had sent everything, and ended its streams. After OpenOutputs.
  auto ended_before() const noexcept -> bool { return ended_before_; }

 private:
  PortSet(transport::Doorbell bell, std::size_t outputs, MemoryRequests::AroundWait around_wait)
      : bell_(std::move(bell)), memory_(outputs, std::move(around_wait)) {}
  auto OutputOf(std::string_view edge) -> transport::OutputPort*;

  std::vector<base::UniqueFd> realms_;  // ports name them by number
  transport::Doorbell bell_;            // outlives the outputs, which wait at it
  MemoryRequests memory_;               // and which ask it
  std::vector<std::string> input_names_;
  std::vector<std::string> output_names_;
  std::vector<transport::InputPortOptions> input_options_;
  std::vector<transport::OutputPortOptions> output_options_;
  std::vector<std::vector<std::string>> output_edges_;
  std::vector<std::unique_ptr<InputEdge>> inputs_;
  std::vector<std::unique_ptr<transport::OutputPort>> outputs_;
  base::UniqueFd quarantine_;
  std::optional<transport::StateMemory> state_;
  bool ended_before_ = false;
};

}  // namespace penstock::nodes
