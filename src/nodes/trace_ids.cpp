#include "nodes/trace_ids.h"

#include <sys/random.h>

#include <bit>
#include <cstdlib>

namespace penstock::nodes {

TraceIds::TraceIds() {
  // getrandom(2) cannot fail or come up short for 16 bytes once the kernel's pool is up.
  if (::getrandom(state_.data(), sizeof(state_), 0) != static_cast<ssize_t>(sizeof(state_))) std::abort();
  if (state_[0] == 0 && state_[1] == 0) state_[1] = 1;
}

// xorshift128+ (Vigna 2014): a period of 2^128 - 1, so two workers with different seeds do not meet.
auto TraceIds::Next() noexcept -> std::uint64_t {
  std::uint64_t value = 0;
  do {
    auto first = state_[0];
    const auto second = state_[1];
    value = first + second;
    state_[0] = second;
    first ^= first << 23U;
    state_[1] = first ^ second ^ (first >> 18U) ^ (second >> 5U);
  } while (value == 0);
  return value;
}

auto TraceIds::NewTrace() noexcept -> TraceId { return std::bit_cast<TraceId>(std::array{Next(), Next()}); }
auto TraceIds::NewSpan() noexcept -> SpanId { return std::bit_cast<SpanId>(Next()); }

}  // namespace penstock::nodes
