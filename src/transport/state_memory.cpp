#include "transport/state_memory.h"

#include <atomic>
#include <cstring>
#include <utility>

namespace penstock::transport {
namespace {
using base::ErrorCode;
using base::Fail;

constexpr std::size_t kPage = 4096;

auto RoundUp(std::size_t bytes, std::size_t unit) -> std::size_t { return (bytes + unit - 1) / unit * unit; }

// Notices what was changed by mistake, by code that writes where it should not. Eight bytes at a time: it is made for
// every message.
class Checksum final {
 public:
  void Add(const void* bytes, std::size_t count) {
    const auto* next = static_cast<const std::byte*>(bytes);
    for (; count >= sizeof(std::uint64_t); count -= sizeof(std::uint64_t), next += sizeof(std::uint64_t)) {
      std::uint64_t word = 0;
      std::memcpy(&word, next, sizeof(word));
      Mix(word);
    }
    std::uint64_t rest = 0;
    std::memcpy(&rest, next, count);
    Mix(rest ^ (std::uint64_t{count + 1} << 56U));
  }
  auto value() const -> std::uint64_t { return sum_; }

 private:
  void Mix(std::uint64_t word) {
    sum_ = (sum_ ^ word) * 0x9e37'79b9'7f4a'7c15U;  // 2^64 divided by the golden ratio, odd
    sum_ ^= sum_ >> 32U;
  }
  std::uint64_t sum_ = 1;
};

}  // namespace

struct StateMemory::Head {
  static constexpr std::uint64_t kMagic = 0x31'54'41'54'53'53'4e'50;  // "PNSSTAT1"
  std::uint64_t magic;
  std::atomic<std::uint64_t> complete;  // generation of the last complete slot; 0: none
};

// Followed by the positions, then by the bytes.
struct StateMemory::SlotHead {
  std::uint64_t generation;
  std::uint64_t length;
  std::uint64_t checksum;  // of everything else in the slot
  std::uint64_t format;

  auto Sum(std::span<const std::uint64_t> inputs, std::span<const std::uint64_t> outputs, std::string_view bytes) const
      -> std::uint64_t {
    Checksum sum;
    for (const auto word : {generation, length, format}) sum.Add(&word, sizeof(word));
    sum.Add(inputs.data(), inputs.size_bytes());
    sum.Add(outputs.data(), outputs.size_bytes());
    sum.Add(bytes.data(), bytes.size());
    return sum.value();
  }
};

StateMemory::StateMemory(base::UniqueFd fd, base::Mapping mapping, std::size_t inputs, std::size_t outputs)
    : fd_(std::move(fd)), mapping_(std::move(mapping)), inputs_(inputs), outputs_(outputs) {}

auto StateMemory::SlotBytes(std::size_t inputs, std::size_t outputs) -> std::size_t {
  return RoundUp(sizeof(SlotHead) + inputs * sizeof(std::uint64_t) + outputs * sizeof(std::uint64_t) + kMaxBytes,
                 kPage);
}

// The head has a page, so that neither slot shares one with it.
auto StateMemory::TotalBytes(std::size_t inputs, std::size_t outputs) -> std::size_t {
  return kPage + 2 * SlotBytes(inputs, outputs);
}

auto StateMemory::head() const noexcept -> Head& { return *static_cast<Head*>(mapping_.data()); }

auto StateMemory::Slot(std::uint64_t generation) const noexcept -> std::byte* {
  return static_cast<std::byte*>(mapping_.data()) + kPage + generation % 2 * SlotBytes(inputs_, outputs_);
}

auto StateMemory::Create(std::size_t inputs, std::size_t outputs) -> base::Expected<StateMemory> {
  const auto bytes = TotalBytes(inputs, outputs);
  PENSTOCK_ASSIGN(auto fd, base::CreateSealedMemfd("penstock-state", bytes));
  PENSTOCK_ASSIGN(auto mapping, base::Mapping::Map(fd, bytes));
  static_cast<Head*>(mapping.data())->magic = Head::kMagic;
  return StateMemory(std::move(fd), std::move(mapping), inputs, outputs);
}

auto StateMemory::Map(base::UniqueFd fd, std::size_t inputs, std::size_t outputs) -> base::Expected<StateMemory> {
  if (!base::HasSealedSize(fd)) {
    return Fail(ErrorCode::kPeerCorrupt, "the memory for a node's state is not sealed: its size could change");
  }
  PENSTOCK_ASSIGN(auto mapping, base::Mapping::Map(fd, TotalBytes(inputs, outputs)));
  if (static_cast<const Head*>(mapping.data())->magic != Head::kMagic)
    return Fail(ErrorCode::kPeerCorrupt, "a descriptor that should be the memory for a node's state is something else");
  return StateMemory(std::move(fd), std::move(mapping), inputs, outputs);
}

auto StateMemory::Keep(std::span<const std::uint64_t> inputs, std::span<const std::uint64_t> outputs,
                       std::uint32_t format, std::string_view bytes) -> base::Status {
  if (bytes.size() > kMaxBytes || inputs.size() != inputs_ || outputs.size() != outputs_) {
    return Fail(ErrorCode::kInvalidArgument, "a state of {} bytes with {} and {} positions does not fit: {}, {} and {}",
                bytes.size(), inputs.size(), outputs.size(), kMaxBytes, inputs_, outputs_);
  }
  const auto generation = head().complete.load(std::memory_order_relaxed) + 1;
  auto* const slot = Slot(generation);
  SlotHead described{.generation = generation, .length = bytes.size(), .checksum = 0, .format = format};
  described.checksum = described.Sum(inputs, outputs, bytes);
  auto* next = slot;
  const auto write = [&next](const void* from, std::size_t count) {
    if (count != 0) std::memcpy(next, from, count);
    next += count;
  };
  write(&described, sizeof(described));
  write(inputs.data(), inputs.size_bytes());
  write(outputs.data(), outputs.size_bytes());
  write(bytes.data(), bytes.size());
  head().complete.store(generation, std::memory_order_release);
  return {};
}

auto StateMemory::Load() const -> base::Expected<std::optional<KeptState>> {
  const auto generation = head().complete.load(std::memory_order_acquire);
  if (generation == 0) return std::nullopt;
  const auto* next = Slot(generation);
  const auto read = [&next](void* to, std::size_t count) {
    if (count != 0) std::memcpy(to, next, count);
    next += count;
  };
  // Everything is copied before it is looked at, and nothing is copied by a length that was not.
  SlotHead described{};
  read(&described, sizeof(described));
  const auto corrupt = [](std::string_view why) {
    return Fail(ErrorCode::kPeerCorrupt,
                "what the node had kept of its state is damaged ({}): something in its worker wrote into memory that "
                "is not its own",
                why);
  };
  if (described.generation != generation) return corrupt("its number is another");
  if (described.length > kMaxBytes) return corrupt("its length is impossible");
  KeptState state{.inputs = std::vector<std::uint64_t>(inputs_),
                  .outputs = std::vector<std::uint64_t>(outputs_),
                  .format = static_cast<std::uint32_t>(described.format),
                  .bytes = std::string(static_cast<std::size_t>(described.length), '\0')};
  read(state.inputs.data(), inputs_ * sizeof(std::uint64_t));
  read(state.outputs.data(), outputs_ * sizeof(std::uint64_t));
  read(state.bytes.data(), state.bytes.size());
  if (described.checksum != described.Sum(state.inputs, state.outputs, state.bytes))
    return corrupt("its checksum is another");
  return state;
}

}  // namespace penstock::transport
