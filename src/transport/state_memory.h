// The memory in which a node keeps its state beyond its worker's end: a memfd that the runtime made, one per node.
//
// Two slots and the number of the last complete one. The writer, the node's worker, fills the other slot and then
// switches: killed at any instruction it leaves one complete slot. The reader, its successor, believes nothing: what it
// reads has been in the hands of the node's code, and may be anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/mapping.h"
#include "base/unique_fd.h"

namespace penstock::transport {

/// What a node has kept, with how far it had come: the state includes exactly this.
struct KeptState {
  std::vector<std::uint64_t> inputs;   // by input edge: every message below is included
  std::vector<std::uint64_t> outputs;  // by output: messages published without a current message (sources, `finish`)
  std::uint32_t format = 0;            // what `bytes` are, which is the node's worker's affair
  std::string bytes;
};

/// Lives on the node's thread.
class StateMemory final {
 public:
  /// Of `bytes` in KeptState.
  static constexpr std::size_t kMaxBytes = std::size_t{1} << 20U;

  /// The runtime's side: memory for a node with so many input edges and outputs. Sparse: what is not used costs
  /// nothing, and what is used is charged to the worker.
  static auto Create(std::size_t inputs, std::size_t outputs) -> base::Expected<StateMemory>;
  /// A worker's side. kPeerCorrupt unless the size is sealed and sufficient.
  static auto Map(base::UniqueFd fd, std::size_t inputs, std::size_t outputs) -> base::Expected<StateMemory>;

  auto fd() const noexcept -> const base::UniqueFd& { return fd_; }

  /// Replaces what was kept, all at once. `inputs` and `outputs` are as many as the memory was made for. Errors:
  /// kInvalidArgument beyond kMaxBytes; what was kept before is still there then.
  auto Keep(std::span<const std::uint64_t> inputs, std::span<const std::uint64_t> outputs, std::uint32_t format,
            std::string_view bytes) -> base::Status;
  /// What was kept last; nullopt: nothing ever. Errors: kPeerCorrupt when that is not what Keep leaves.
  auto Load() const -> base::Expected<std::optional<KeptState>>;

 private:
  struct Head;
  struct SlotHead;
  StateMemory(base::UniqueFd fd, base::Mapping mapping, std::size_t inputs, std::size_t outputs);
  static auto SlotBytes(std::size_t inputs, std::size_t outputs) -> std::size_t;
  static auto TotalBytes(std::size_t inputs, std::size_t outputs) -> std::size_t;
  auto head() const noexcept -> Head&;
  auto Slot(std::uint64_t generation) const noexcept -> std::byte*;

  base::UniqueFd fd_;
  base::Mapping mapping_;
  std::size_t inputs_;
  std::size_t outputs_;
};

}  // namespace penstock::transport
