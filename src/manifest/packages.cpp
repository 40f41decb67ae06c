#include "manifest/packages.h"

#include <array>
#include <map>

#include "manifest/names.h"
#include "manifest/types.h"

namespace penstock::manifest {
namespace {

/// A requirement line, or {package, no_deps}.
auto Package() -> Type<PythonPackage> {
  static const std::array<Field<PythonPackage>, 2> kFields{
      Required("package", Text(CheckRequirement), &PythonPackage::requirement),
      Optional("no_deps", Boolean(), &PythonPackage::no_deps),
  };
  return {[](Report& report, std::string_view name, const Value& value) -> std::optional<PythonPackage> {
    if (value.kind == Value::Kind::kMapping) {
      PythonPackage package;
      ReadFields<PythonPackage>(report, "a package", value, kFields, package);
      return package.requirement.empty() ? std::nullopt : std::optional(std::move(package));
    }
    auto line = Text(CheckRequirement).read(report, name, value);
    return line ? std::optional(PythonPackage{std::move(*line), false}) : std::nullopt;
  }};
}

}  // namespace

auto Packages() -> Type<std::vector<PythonPackage>> {
  return {[](Report& report, std::string_view name, const Value& value) {
    std::map<std::string, Position> seen;
    if (value.kind == Value::Kind::kSequence) {
      for (const auto& item : value.items) {
        const auto* inner = item->Find("package");
        const auto& line = inner != nullptr ? *inner->value : *item;
        if (line.kind != Value::Kind::kScalar || line.text.find(';') != std::string::npos) continue;
        const auto package = RequirementName(line.text);
        if (package.empty()) continue;
        const auto [first, is_new] = seen.emplace(package, line.at);
        if (!is_new) {
          report.Add(line.at, "the package '{}' is listed twice; first at {}:{}", package, first->second.line,
                     first->second.column);
        }
      }
    }
    return ListOf(Package()).read(report, name, value);
  }};
}

}  // namespace penstock::manifest
