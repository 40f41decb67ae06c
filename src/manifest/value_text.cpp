#include "manifest/value_text.h"

#include <nlohmann/json.hpp>

#include "manifest/report.h"
#include "manifest/types.h"

namespace penstock::manifest {
namespace {

auto IsBlank(std::string_view text) -> bool { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

auto Refuse(const std::vector<base::Error>& errors) -> tl::unexpected<base::Error> {
  return tl::unexpected(base::Error(base::ErrorCode::kInvalidArgument, errors.front().message()));
}

}  // namespace

auto ParseValueText(std::string_view text) -> base::Expected<Json> {
  if (IsBlank(text)) return std::make_shared<const nlohmann::json>(nullptr);
  Report report({});
  const auto tree = ParseTree(text, report);
  if (!tree || !report.empty()) return Refuse(report.Take());
  auto value = AnyJson().read(report, "the value", *tree);
  if (!report.empty()) return Refuse(report.Take());
  return *std::move(value);
}

}  // namespace penstock::manifest
