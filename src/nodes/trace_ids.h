// Trace and span ids (W3C Trace Context): random, never zero, without a system call a message.
#pragma once

#include <array>
#include <cstdint>

namespace penstock::nodes {

using TraceId = std::array<std::uint8_t, 16>;
using SpanId = std::array<std::uint8_t, 8>;

/// One thread's generator (xorshift128+, seeded from the kernel). Unique, not secret.
class TraceIds final {
 public:
  TraceIds();
  auto NewTrace() noexcept -> TraceId;
  auto NewSpan() noexcept -> SpanId;

 private:
  auto Next() noexcept -> std::uint64_t;
  std::array<std::uint64_t, 2> state_{};
};

}  // namespace penstock::nodes
