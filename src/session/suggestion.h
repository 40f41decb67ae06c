// Values for limits that would have sufficed, as far as the counters tell.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "container/counters.h"

namespace penstock::session {

/// MiB. `peak_bytes` beyond `asked_bytes` more, with a quarter of headroom. For a process that was killed at the limit
/// nobody knows what it would have gone on to ask for: then half as much again as it had.
auto SufficientMemoryMb(std::uint64_t limit_mb, std::uint64_t peak_bytes, std::optional<std::uint64_t> asked_bytes)
    -> std::uint64_t;
/// Cores with which nothing would have been throttled, if what ran was the same; at most `host_cores`.
auto SufficientCores(double limit, const container::CpuCounters& cpu, double host_cores) -> double;
/// The limit and what was refused, with a quarter of headroom.
auto SufficientPids(std::uint64_t limit, std::uint64_t refused) -> std::uint64_t;

/// "Unable to allocate 2.00 GiB for an array …", as numpy words it: bytes.
auto AskedBytes(std::string_view message) -> std::optional<std::uint64_t>;

}  // namespace penstock::session
