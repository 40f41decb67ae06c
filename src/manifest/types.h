// The types of single values in a manifest.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>

#include "manifest/pipeline.h"
#include "manifest/reader.h"

namespace penstock::manifest {

/// Names a broken rule, or is empty: see names.h.
using Check = std::string (*)(std::string_view);

/// What text must be. The pattern, for the JSON Schema, may let more pass than the check, but nothing less.
struct Rule {
  Check check = nullptr;
  std::string_view pattern{};
};

/// Text that is not a number, truth value or nothing, unless quoted; not empty.
auto Text(Rule rule = {}) -> Type<std::string>;
/// The same, but plain numbers count as they are written: 3.10 is a version, not a fraction.
auto TextOrNumber(Rule rule = {}) -> Type<std::string>;
auto Boolean() -> Type<bool>;
auto Number(double least, double most) -> Type<double>;
auto DurationValue() -> Type<Duration>;
auto DurationOrZero() -> Type<Duration>;
/// `range` says both bounds, for messages.
auto DurationBetween(Duration least, Duration most, std::string_view range) -> Type<Duration>;
/// Bytes, at least 1.
auto Size() -> Type<std::uint64_t>;
/// Any value, as JSON.
auto AnyJson() -> Type<Json>;
/// A mapping, as JSON; nothing is an empty one.
auto JsonObject() -> Type<Json>;
/// Text or numbers by name.
auto Environment() -> Type<std::map<std::string, std::string>>;

auto Integer(std::int64_t least, std::int64_t most) -> Type<std::int64_t>;

template <class V>
auto Integer(V least, V most = std::numeric_limits<V>::max()) -> Type<V> {
  constexpr auto kLargest = std::numeric_limits<std::int64_t>::max();
  const auto limit = std::cmp_greater(most, kLargest) ? kLargest : static_cast<std::int64_t>(most);
  auto wide = Integer(static_cast<std::int64_t>(least), limit);
  auto schema = wide.schema;
  return {[wide = std::move(wide)](Report& report, std::string_view name, const Value& value) -> std::optional<V> {
            const auto read = wide.read(report, name, value);
            return read ? std::optional(static_cast<V>(*read)) : std::nullopt;
          },
          std::move(schema)};
}

/// "64 MiB" for 67108864, "1000 bytes" for 1000: for messages.
auto RenderSize(std::uint64_t bytes) -> std::string;

}  // namespace penstock::manifest
