#include <fmt/format.h>

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
    fmt::print("{}: valid ({} nodes, {} connections)\n", manifest, plan->nodes.size(), plan->edges.size());
    for (const auto& warning : plan->warnings) fmt::print("{}: warning: {}\n", manifest, warning);
  }
  return result;
}

}  // namespace penstock::cli
