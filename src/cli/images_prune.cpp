#include <fmt/format.h>

#include "base/count.h"
#include "cli/engine.h"
#include "cli/image_store.h"
#include "cli/image_text.h"
#include "cli/images.h"
#include "cli/json_output.h"
#include "cli/verbs.h"

namespace penstock::cli {
namespace {

auto ToJson(const image::Pruned& pruned) -> nlohmann::json {
  auto removed = nlohmann::json::array();
  for (const auto& entry : pruned.removed) {
    removed.push_back({{"identity", entry.identity}, {"size_bytes", entry.size_bytes}});
  }
  auto kept = nlohmann::json::array();
  for (const auto& item : pruned.kept) kept.push_back({{"identity", item.entry.identity}, {"why", item.why}});
  return {{"removed", std::move(removed)},
          {"kept", std::move(kept)},
          {"freed_bytes", pruned.freed_bytes},
          {"forgotten_failures", pruned.forgotten_failures}};
}

void Print(const image::Pruned& pruned) {
  for (const auto& entry : pruned.removed) {
    fmt::print("removed {}  {:>8}  Python {}  {}\n", ShortId(entry), SizeText(entry.size_bytes),
               entry.contents.spec.python_version, PackagesText(entry.contents));
  }
  for (const auto& item : pruned.kept) fmt::print("kept    {}  {}\n", ShortId(item.entry), item.why);
  const auto count = pruned.removed.size();
  fmt::print("{} removed, {} freed\n", base::Count(count, "environment"), SizeText(pruned.freed_bytes));
}

}  // namespace

auto PruneImages(const image::PruneLimits& limits, bool json) -> int {
  auto store = ImageStore::Open();
  if (!store) return Complain(store.error());
  const auto pruned = image::Prune(store->engine(), store->index(), limits, image::Now(), ImageStore::Soon());
  if (!pruned) return Complain(pruned.error());
  if (json) {
    PrintJson(ToJson(*pruned));
  } else {
    Print(*pruned);
  }
  return kDone;
}

}  // namespace penstock::cli
