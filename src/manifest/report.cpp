#include "manifest/report.h"

#include <algorithm>
#include <tuple>

namespace penstock::manifest {
namespace {

auto SortKey(const base::Error& error) {
  const auto& at = *error.position();
  return std::tie(at.line, at.column, error.message());
}

}  // namespace

void Report::AddAt(base::SourcePosition at, std::string message) {
  errors_.push_back(base::Error(base::ErrorCode::kInvalidArgument, std::move(message)).At(std::move(at)));
}

auto Report::Take() -> std::vector<base::Error> {
  std::ranges::sort(errors_, {}, SortKey);
  // An anchored value is read once for each of its aliases; its errors are told once.
  const auto repeated = std::ranges::unique(errors_, {}, SortKey);
  errors_.erase(repeated.begin(), repeated.end());
  return std::exchange(errors_, {});
}

}  // namespace penstock::manifest
