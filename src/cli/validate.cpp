#include <fmt/format.h>

#include "base/count.h"
#include "cli/load.h"
#include "cli/verbs.h"

namespace penstock::cli {

auto Validate(const std::vector<std::string>& manifests) -> int {
  int result = kDone;
  for (const auto& manifest : manifests) {
    // Planning checks limits against this host as well.
    const auto plan = LoadPlan({.manifest = manifest});
    if (!plan) {
      result = kUsage;
      continue;
    }
    fmt::print("{}: valid ({}, {})\n", manifest, base::Count(plan->nodes.size(), "node"),
               base::Count(plan->edges.size(), "connection"));
    for (const auto& warning : plan->warnings) fmt::print("{}: warning: {}\n", manifest, warning);
  }
  return result;
}

}  // namespace penstock::cli
