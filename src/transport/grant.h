// How much memory goes behind the chunks of a port when one of them needs more: the arithmetic, without the memory.
//
// One grant raises every chunk of the port, so that a stream of large messages asks once. Where there is not room for
// that, the chunk that asked is raised alone: of a port's chunks, which are as many as could ever be in use, a stream
// that flows uses a few again and again.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "transport/segment.h"

namespace penstock::transport {

/// The answer to a request. Payload bytes from a chunk's start.
struct Grant {
  std::uint64_t every = 0;  // behind each chunk of the port
  std::uint64_t chunk = 0;  // behind the one that asked
};

/// What is behind a port's chunks: headers included, rounded up to pages in the file.
class Holdings final {
 public:
  explicit Holdings(SegmentLayout layout) : layout_(layout) {}

  auto Of(std::uint32_t chunk) const -> std::uint64_t;
  auto every() const noexcept -> std::uint64_t { return every_; }

  struct Range {
    std::uint64_t offset = 0;  // in the file
    std::uint64_t bytes = 0;   // 0: nothing is missing
  };
  /// The pages to add so that `chunk` has memory for `bytes` of payload.
  auto Missing(std::uint32_t chunk, std::uint64_t bytes) const -> Range;
  /// Missing for every chunk together. Pages that two chunks share are counted twice: never too little.
  auto MissingInAll(std::uint64_t bytes) const -> std::uint64_t;

  void Raise(std::uint32_t chunk, std::uint64_t bytes);
  void RaiseAll(std::uint64_t bytes);

 private:
  SegmentLayout layout_;
  bool any_ = false;  // headers count even where every_ is 0
  std::uint64_t every_ = 0;
  std::unordered_map<std::uint32_t, std::uint64_t> beyond_;  // chunks that have more than every_
};

/// Bytes that may be taken.
struct Budget {
  std::uint64_t for_all = 0;  // to raise every chunk
  std::uint64_t for_one = 0;  // to raise one
};

struct Decision {
  enum class Scope { kNothing, kAll, kOne, kRefused } scope = Scope::kRefused;
  std::uint64_t bytes = 0;  // payload that the chunks concerned will have room for
};

/// `bytes` <= `max_bytes`. Never decides on more than the budget of its scope.
auto Decide(const Holdings& held, std::uint32_t chunk, std::uint64_t bytes, std::uint64_t max_bytes, Budget budget)
    -> Decision;

/// The next of the sizes in which ports grow, an eighth apart: a stream whose messages become larger little by little
/// asks a few dozen times in its life, and never holds more than an eighth too much.
auto RoundUpToStep(std::uint64_t bytes) -> std::uint64_t;

}  // namespace penstock::transport
