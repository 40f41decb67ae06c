// Times of log records: exact to the nanosecond in files, local and short for people.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace penstock::observe {

/// Appends "2026-01-31T08:15:30.123456789Z" for nanoseconds since 1970; later than 1970, before the year 2262.
void AppendUtc(std::int64_t time_ns, std::string& out);
auto ParseUtc(std::string_view text) -> std::optional<std::int64_t>;
/// "08:15:30.123" in the local time zone.
auto LocalClock(std::int64_t time_ns) -> std::string;
/// What a person types for a point in time: "2026-01-31T08:15:30Z", or without the Z in local time, seconds optional, a
/// space for the T allowed; a date alone is its midnight, and "08:15" is that time of today (of `now_ns`).
auto ParseTime(std::string_view text, std::int64_t now_ns) -> std::optional<std::int64_t>;

/// What a person types for how long ago: `90s`, `1.5h`, `7d`; a bare number is seconds. Units ms, s, m, h, d, w.
auto ParseAge(std::string_view text) -> std::optional<std::chrono::duration<double>>;

}  // namespace penstock::observe
