#include "manifest/types.h"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/count.h"
#include "base/duration.h"
#include "manifest/names.h"
#include "manifest/scalar.h"

namespace penstock::manifest {
namespace {

constexpr Duration kMostDuration = base::kLongestDuration;
// Of quoted ones too: a number that is text counts like any other here.
constexpr std::string_view kDurationPattern = R"(^\+?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? ?(ns|us|µs|ms|s|m|h)?$)";
constexpr std::string_view kSizePattern = R"(^\+?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? ?(B|[kK]B|[MG]B|[KMG]iB)?$)";

auto KindOf(const Value& value) -> std::optional<ScalarKind> {
  if (value.kind != Value::Kind::kScalar) return std::nullopt;
  return ClassifyScalar(value.text, value.quoted);
}

/// Text of a value whose kind was accepted, if it passes the check.
auto Checked(Report& report, const Value& value, Check check) -> std::optional<std::string> {
  if (check != nullptr) {
    if (const auto problem = check(value.text); !problem.empty()) {
      report.Add(value.at, "'{}' {}", Shown(value.text), problem);
      return std::nullopt;
    }
  }
  return value.text;
}

/// Reports numbers that nobody should guess at. True: `value` is one.
auto RefuseLeadingZero(Report& report, std::string_view name, const Value& value) -> bool {
  if (KindOf(value) != ScalarKind::kLeadingZero) return false;
  report.Add(value.at, "'{}' is {}, which some read as octal: drop the leading zero, or quote it if it is text", name,
             value.text);
  return true;
}

auto ToJsonValue(Report& report, std::string_view name, const Value& value) -> std::optional<nlohmann::json>;

auto ScalarToJson(Report& report, std::string_view name, const Value& value) -> std::optional<nlohmann::json> {
  switch (ClassifyScalar(value.text, value.quoted)) {
    case ScalarKind::kNull:
      return nlohmann::json(nullptr);
    case ScalarKind::kBool:
      return nlohmann::json(value.text.front() == 't' || value.text.front() == 'T');
    case ScalarKind::kLeadingZero:
      RefuseLeadingZero(report, name, value);
      return std::nullopt;
    case ScalarKind::kInteger:
      if (const auto number = ParseInteger(value.text)) return nlohmann::json(*number);
      report.Add(value.at, "{} does not fit into 64 bits: quote it if it is text", Shown(value.text));
      return std::nullopt;
    case ScalarKind::kNumber:
      if (const auto number = ParseNumber(value.text)) return nlohmann::json(*number);
      report.Add(value.at, "{} is beyond what a number can hold: quote it if it is text", value.text);
      return std::nullopt;
    case ScalarKind::kText:
      break;
  }
  return nlohmann::json(value.text);
}

auto ToJsonValue(Report& report, std::string_view name, const Value& value) -> std::optional<nlohmann::json> {
  switch (value.kind) {
    case Value::Kind::kNull:
      return nlohmann::json(nullptr);
    case Value::Kind::kScalar:
      return ScalarToJson(report, name, value);
    case Value::Kind::kSequence: {
      auto list = nlohmann::json::array();
      for (const auto& item : value.items) {
        if (auto json = ToJsonValue(report, name, *item)) list.push_back(std::move(*json));
      }
      return list;
    }
    case Value::Kind::kMapping:
      break;
  }
  auto object = nlohmann::json::object();
  for (const auto& entry : value.entries) {
    if (auto json = ToJsonValue(report, entry.key, *entry.value)) object[entry.key] = std::move(*json);
  }
  return object;
}

auto ReadText(Report& report, std::string_view name, const Value& value, Check check) -> std::optional<std::string> {
  const auto kind = KindOf(value);
  if (kind == ScalarKind::kText && !value.text.empty()) return Checked(report, value, check);
  if (kind == ScalarKind::kText) {
    report.Add(value.at, "'{}' is empty", name);
  } else if (kind && kind != ScalarKind::kNull) {
    report.Add(value.at, "'{}' must be text, not {}: quote it", name, Describe(value));
  } else {
    ReportWrongType(report, name, "text", value);
  }
  return std::nullopt;
}

auto ReadVariable(Report& report, const Entry& entry) -> std::optional<std::string> {
  const auto& value = *entry.value;
  if (const auto problem = CheckEnvName(entry.key); !problem.empty()) {
    report.Add(entry.key_at, "'{}' {}", Shown(entry.key), problem);
    return std::nullopt;
  }
  const auto kind = KindOf(value);
  const bool is_text = kind == ScalarKind::kText || kind == ScalarKind::kInteger || kind == ScalarKind::kNumber ||
                       kind == ScalarKind::kLeadingZero;
  if (!is_text) {
    ReportWrongType(report, entry.key, "text (quote it) or a number", value);
  } else if (value.text.find('\0') != std::string::npos) {
    report.Add(value.at, "the value of '{}' contains a NUL, which no variable can", entry.key);
  } else {
    return value.text;
  }
  return std::nullopt;
}

// nullopt, and reported, when `number` is beyond the bounds or was too large to be read.
template <class T>
auto Within(Report& report, std::string_view name, const Value& value, std::optional<T> number, T least, T most)
    -> std::optional<T> {
  if (number && *number >= least && *number <= most) return number;
  const bool below = number ? *number < least : value.text.starts_with('-');
  report.Add(value.at, "'{}' is {}; the {} is {}", name, value.text, below ? "least" : "most", below ? least : most);
  return std::nullopt;
}

}  // namespace

auto Text(Rule rule) -> Type<std::string> {
  return {[rule](Report& report, std::string_view name, const Value& value) {
            return ReadText(report, name, value, rule.check);
          },
          TextSchema(rule.pattern)};
}

auto TextOrNumber(Rule rule) -> Type<std::string> {
  return {[rule](Report& report, std::string_view name, const Value& value) -> std::optional<std::string> {
            const auto kind = KindOf(value);
            if (kind == ScalarKind::kNumber || kind == ScalarKind::kInteger) return Checked(report, value, rule.check);
            return ReadText(report, name, value, rule.check);
          },
          TextOrNumberSchema(rule.pattern)};
}

auto Boolean() -> Type<bool> {
  return {[](Report& report, std::string_view name, const Value& value) -> std::optional<bool> {
            if (KindOf(value) == ScalarKind::kBool) return value.text.front() == 't' || value.text.front() == 'T';
            ReportWrongType(report, name, "true or false", value);
            return std::nullopt;
          },
          BooleanSchema()};
}

auto Integer(std::int64_t least, std::int64_t most) -> Type<std::int64_t> {
  return {[least, most](Report& report, std::string_view name, const Value& value) -> std::optional<std::int64_t> {
            if (RefuseLeadingZero(report, name, value)) return std::nullopt;
            if (KindOf(value) != ScalarKind::kInteger) {
              ReportWrongType(report, name, "a whole number", value);
              return std::nullopt;
            }
            return Within(report, name, value, ParseInteger(value.text), least, most);
          },
          NumberSchema("integer", static_cast<double>(least), static_cast<double>(most))};
}

auto Number(double least, double most) -> Type<double> {
  return {[least, most](Report& report, std::string_view name, const Value& value) -> std::optional<double> {
            if (RefuseLeadingZero(report, name, value)) return std::nullopt;
            const auto kind = KindOf(value);
            if (kind != ScalarKind::kInteger && kind != ScalarKind::kNumber) {
              ReportWrongType(report, name, "a number", value);
              return std::nullopt;
            }
            return Within(report, name, value, ParseNumber(value.text), least, most);
          },
          NumberSchema("number", least, most)};
}

auto DurationValue() -> Type<Duration> { return DurationBetween(Duration(1), kMostDuration, "above 0, up to 7 days"); }

auto DurationOrZero() -> Type<Duration> { return DurationBetween(Duration::zero(), kMostDuration, "up to 7 days"); }

auto DurationBetween(Duration least, Duration most, std::string_view range) -> Type<Duration> {
  const auto seconds = [](Duration duration) { return std::chrono::duration<double>(duration).count(); };
  return {[least, most, range](Report& report, std::string_view name, const Value& value) -> std::optional<Duration> {
            if (RefuseLeadingZero(report, name, value)) return std::nullopt;
            const auto duration = value.kind == Value::Kind::kScalar ? base::ParseDuration(value.text) : std::nullopt;
            if (duration && *duration >= least && *duration <= most) return duration;
            ReportWrongType(report, name,
                            fmt::format("a duration such as 250ms, 30s or 5m (a bare number: seconds), {}", range),
                            value);
            return std::nullopt;
          },
          EitherSchema({NumberSchema("number", seconds(least), seconds(most)), TextSchema(kDurationPattern)})};
}

auto Size() -> Type<std::uint64_t> {
  return {[](Report& report, std::string_view name, const Value& value) -> std::optional<std::uint64_t> {
            if (RefuseLeadingZero(report, name, value)) return std::nullopt;
            const auto size = value.kind == Value::Kind::kScalar ? ParseSize(value.text) : std::nullopt;
            if (size && *size > 0) return size;
            ReportWrongType(report, name, "a size such as 4096, 64KiB or 8MiB (a bare number: bytes), above 0", value);
            return std::nullopt;
          },
          EitherSchema({NumberSchema("integer", 1, 1e15), TextSchema(kSizePattern)})};
}

auto AnyJson() -> Type<Json> {
  return {[](Report& report, std::string_view name, const Value& value) -> std::optional<Json> {
            auto json = ToJsonValue(report, name, value);
            return json ? std::optional(std::make_shared<const nlohmann::json>(std::move(*json))) : std::nullopt;
          },
          AnySchema()};
}

auto JsonObject() -> Type<Json> {
  return {[](Report& report, std::string_view name, const Value& value) -> std::optional<Json> {
            if (value.kind == Value::Kind::kMapping) return AnyJson().read(report, name, value);
            if (value.kind == Value::Kind::kNull || KindOf(value) == ScalarKind::kNull)
              return std::make_shared<const nlohmann::json>(nlohmann::json::object());
            ReportWrongType(report, name, "a mapping", value);
            return std::nullopt;
          },
          WithKeywords(AnySchema(), {{"type", {"object", "null"}}})};
}

auto Environment() -> Type<std::map<std::string, std::string>> {
  return {[](Report& report, std::string_view name,
             const Value& value) -> std::optional<std::map<std::string, std::string>> {
            if (value.kind != Value::Kind::kMapping) {
              ReportWrongType(report, name, "a mapping of names to text", value);
              return std::nullopt;
            }
            std::map<std::string, std::string> variables;
            for (const auto& entry : value.entries) {
              if (auto variable = ReadVariable(report, entry)) variables[entry.key] = std::move(*variable);
            }
            return variables;
          },
          WithKeywords(AnySchema(), {{"type", "object"},
                                     {"propertyNames", {{"pattern", "^(?!PENSTOCK_)[A-Za-z_][A-Za-z0-9_]*$"}}},
                                     {"additionalProperties", {{"type", {"string", "number"}}}}})};
}

auto RenderSize(std::uint64_t bytes) -> std::string {
  static constexpr std::array<std::string_view, 3> kUnits{"KiB", "MiB", "GiB"};
  if (bytes == 0 || bytes % 1024 != 0) return base::Count(bytes, "byte");
  std::size_t unit = 0;
  bytes /= 1024;
  for (; unit + 1 < kUnits.size() && bytes % 1024 == 0; bytes /= 1024) ++unit;
  return fmt::format("{} {}", bytes, kUnits[unit]);
}

}  // namespace penstock::manifest
