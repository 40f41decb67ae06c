#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/count.h"
#include "cli/json_output.h"
#include "cli/load.h"
#include "cli/verbs.h"

namespace penstock::cli {
namespace {

using nlohmann::json;

auto ToJson(const base::Error& error) -> json {
  json described{{"file", nullptr}, {"line", nullptr}, {"column", nullptr}, {"message", error.message()}};
  if (const auto& position = error.position()) {
    described["file"] = position->file;
    described["line"] = position->line;
    described["column"] = position->column;
  }
  return described;
}

auto ToJson(const std::string& manifest, const Planned& plan) -> json {
  json described{{"manifest", manifest}, {"valid", plan.has_value()}, {"nodes", nullptr}, {"connections", nullptr}};
  described["warnings"] = plan ? json(plan->warnings) : json::array();
  described["errors"] = json::array();
  if (plan) {
    described["nodes"] = plan->nodes.size();
    described["connections"] = plan->edges.size();
  } else {
    for (const auto& error : plan.error().errors) described["errors"].push_back(ToJson(error));
  }
  return described;
}

void Print(const std::string& manifest, const Planned& plan, bool quiet) {
  if (!plan) {
    Show(plan.error());
    return;
  }
  if (!quiet) {
    fmt::print("{}: valid ({}, {})\n", manifest, base::Count(plan->nodes.size(), "node"),
               base::Count(plan->edges.size(), "connection"));
  }
  for (const auto& warning : plan->warnings) fmt::print("{}: warning: {}\n", manifest, warning);
}

}  // namespace

auto Validate(const ValidateOptions& options) -> int {
  int code = kDone;
  auto list = json::array();
  for (const auto& manifest : options.manifests) {
    const auto plan = LoadPlan({.manifest = manifest});  // which checks limits against this host as well
    if (!plan) code = std::max(code, plan.error().code);
    if (options.json) {
      list.push_back(ToJson(manifest, plan));
    } else {
      Print(manifest, plan, options.quiet);
    }
  }
  if (options.json) PrintJson({{"version", 1}, {"manifests", std::move(list)}});
  return code;
}

}  // namespace penstock::cli
