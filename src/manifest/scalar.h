// What a scalar means: our own typing, so that `012`, `yes` and `3.10` have no surprises.
//
// Plain scalars follow YAML 1.2's core schema: null and ~; true and false; decimal, 0x and 0o integers; decimal
// fractions. Anything else, and anything quoted, is text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace penstock::manifest {

enum class ScalarKind {
  kText,
  kNull,
  kBool,
  kInteger,
  kNumber,       // a fraction
  kLeadingZero,  // 012: ten or twelve, depending on whom you ask
};

auto ClassifyScalar(std::string_view text, bool quoted) -> ScalarKind;
/// `text` for messages: in one line, control characters as escapes, what is long cut short.
auto Shown(std::string_view text) -> std::string;
/// "the number 12", "the text 'abc'": for messages.
auto DescribeScalar(std::string_view text, bool quoted) -> std::string;

/// For scalars of kInteger. nullopt: beyond 64 bits.
auto ParseInteger(std::string_view text) -> std::optional<std::int64_t>;
/// For scalars of kInteger and kNumber. nullopt: not finite.
auto ParseNumber(std::string_view text) -> std::optional<double>;

/// `4096`, `64MiB`, `1.5GB`; a bare number is bytes. Units B, kB, MB, GB, KiB, MiB, GiB. nullopt: none of these, or not
/// whole.
auto ParseSize(std::string_view text) -> std::optional<std::uint64_t>;

}  // namespace penstock::manifest
