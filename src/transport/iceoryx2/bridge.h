// iceoryx2 as owned C++ objects. One Output or Input is one participant of one service in one realm.
//
// Safe to use from several threads, except for destruction. In a forked child every call fails with kUnsupported and
// destructors do nothing: the ports, their locks and their shared memory belong to the parent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"
#include "message/header.h"

struct pb_output;
struct pb_input;
struct pb_chunk;
struct pb_sample;

namespace penstock::transport::iceoryx2 {

/// What both ends of a service agree on.
struct Service {
  std::string root;  // the realm's path
  std::string name;
  std::uint32_t buffer = 1;    // the largest queue of any consumer
  std::uint32_t history = 0;   // messages kept for consumers that attach late
  std::uint32_t max_held = 1;  // messages that a consumer may have in hands
};

namespace detail {
struct CloseOutput {
  void operator()(pb_output* handle) const noexcept;
};
struct CloseInput {
  void operator()(pb_input* handle) const noexcept;
};
struct DropChunk {
  void operator()(pb_chunk* handle) const noexcept;
};
struct ReleaseSample {
  void operator()(pb_sample* handle) const noexcept;
};
}  // namespace detail

/// A writable chunk; returned to its pool when dropped. Must not outlive its Output.
struct Chunk {
  std::unique_ptr<pb_chunk, detail::DropChunk> handle;
  std::span<std::byte> bytes;
  message::Header* header = nullptr;  // zeroed
};

/// A received chunk, rounded up to the payload's alignment; its slot returns to the producer when dropped. Header and
/// bytes may be changed by a hostile producer at any time.
struct Sample {
  std::unique_ptr<pb_sample, detail::ReleaseSample> handle;
  std::span<const std::byte> bytes;
  const message::Header* header = nullptr;
};

struct OutputLimits {
  std::uint64_t max_message_bytes = 0;
  std::size_t consumers = 0;  // registered at once, dead ones that were not cleaned up included
  std::size_t max_loans = 1;
};

/// Where the chunks of an output lie in this process.
struct ChunkLayout {
  const std::byte* first = nullptr;  // the first chunk ever borrowed
  std::size_t header_bytes = 0;      // from a chunk's start to its payload
  std::size_t stride = 0;            // from chunk to chunk
  std::size_t chunks = 0;
};

class Output final {
 public:
  static auto Open(const Service& service, const OutputLimits& limits) -> base::Expected<Output>;

  /// Borrows and returns a chunk, so its `first` is the first one of all only directly after Open.
  auto Layout() const -> base::Expected<ChunkLayout>;
  /// Errors: kExhausted when loans or slots are used up, or more consumers are registered than planned.
  auto Borrow(std::size_t bytes) const -> base::Expected<Chunk>;
  /// Returns how many consumers have it in their queue.
  static auto Send(Chunk chunk) -> base::Expected<std::size_t>;
  /// Connects to consumers that attached since the last call or Send, and delivers the history to them.
  auto Refresh() const -> base::Status;

 private:
  explicit Output(pb_output* handle) : handle_(handle) {}
  std::unique_ptr<pb_output, detail::CloseOutput> handle_;
};

class Input final {
 public:
  /// `buffer`: this consumer's own queue; `history`: how many old messages it wants.
  static auto Open(const Service& service, std::uint32_t buffer, std::uint32_t history) -> base::Expected<Input>;
  auto Receive() const -> base::Expected<std::optional<Sample>>;

 private:
  explicit Input(pb_input* handle) : handle_(handle) {}
  std::unique_ptr<pb_input, detail::CloseInput> handle_;
};

struct CleanReport {
  std::uint64_t cleaned = 0;
  std::uint64_t failed = 0;
};

/// For the cleaner's process only; see transport/cleanup.h.
auto CleanRealm(const std::string& root) -> base::Expected<CleanReport>;

}  // namespace penstock::transport::iceoryx2
