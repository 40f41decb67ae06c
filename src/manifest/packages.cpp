#include "manifest/packages.h"

#include <array>
#include <map>

#include "manifest/names.h"
#include "manifest/types.h"

namespace penstock::manifest {
namespace {

constexpr std::string_view kRequirementPattern = R"(^\s*[A-Za-z0-9])";

/// A requirement line, or {package, no_deps}.
auto Package() -> Type<PythonPackage> {
  static const std::array<Field<PythonPackage>, 2> kFields{
      Required("package", Text({CheckRequirement, kRequirementPattern}), &PythonPackage::requirement),
      Optional("no_deps", Boolean(), &PythonPackage::no_deps),
  };
  const auto line = Text({CheckRequirement, kRequirementPattern});
  const auto object = Object<PythonPackage>("a package", kFields);
  return {[line, object](Report& report, std::string_view name, const Value& value) -> std::optional<PythonPackage> {
            if (value.kind == Value::Kind::kMapping) {
              auto package = object.read(report, name, value);
              return package->requirement.empty() ? std::nullopt : std::move(package);
            }
            auto text = line.read(report, name, value);
            return text ? std::optional(PythonPackage{std::move(*text), false}) : std::nullopt;
          },
          EitherSchema({line.schema, object.schema})};
}

/// Names given twice; which of two is meant only markers can say.
void CheckRepetitions(Report& report, const Value& list) {
  std::map<std::string, Position> seen;
  for (const auto& item : list.items) {
    const auto* inner = item->Find("package");
    const auto& line = inner != nullptr ? *inner->value : *item;
    if (line.kind != Value::Kind::kScalar || line.text.find(';') != std::string::npos) continue;
    if (!CheckRequirement(line.text).empty()) continue;
    const auto package = RequirementName(line.text);
    const auto [first, is_new] = seen.emplace(package, line.at);
    if (!is_new) {
      report.Add(line.at, "the package '{}' is listed twice; first at {}:{}", package, first->second.line,
                 first->second.column);
    }
  }
}

}  // namespace

auto Packages() -> Type<std::vector<PythonPackage>> {
  auto list = ListOf(Package());
  auto schema = list.schema;
  return {[list = std::move(list)](Report& report, std::string_view name, const Value& value) {
            CheckRepetitions(report, value);
            return list.read(report, name, value);
          },
          std::move(schema)};
}

}  // namespace penstock::manifest
