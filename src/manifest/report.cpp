#include "manifest/report.h"

namespace penstock::manifest {

void Report::AddAt(base::SourcePosition at, std::string message) {
  Key key{.line = at.line, .column = at.column, .message = std::move(message)};
  errors_.try_emplace(std::move(key), std::move(at));
}

auto Report::Take() -> std::vector<base::Error> {
  std::vector<base::Error> sorted;
  sorted.reserve(errors_.size());
  for (auto& [key, at] : errors_) {
    sorted.push_back(base::Error(base::ErrorCode::kInvalidArgument, key.message).At(std::move(at)));
  }
  errors_.clear();
  return sorted;
}

}  // namespace penstock::manifest
