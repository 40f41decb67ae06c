#include "cli/images.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/count.h"
#include "cli/engine.h"
#include "cli/harmless.h"
#include "cli/image_store.h"
#include "cli/image_text.h"
#include "cli/json_output.h"
#include "cli/verbs.h"
#include "image/build.h"
#include "image/dockerfile.h"
#include "image/reconcile.h"

namespace penstock::cli {
namespace {

auto Notes(const image::Entry& entry, bool in_use) -> std::string {
  std::string notes;
  const auto add = [&](bool is, const char* text) {
    if (is) notes += fmt::format("{}{}", notes.empty() ? "" : ", ", text);
  };
  add(in_use, "in use");
  add(entry.pinned, "pinned");
  add(!entry.contents.lock_digest.empty(), "locked");
  add(entry.borrowed, "another user's");
  return notes;
}

// An image that is there, but in which a look has found that no node can run, is of no more use than none.
auto StateText(const image::Entry& entry, const ImageStore& store) -> std::string {
  return store.Refusal(entry).empty() ? std::string(image::ToString(entry.state)) : "refused";
}

auto ToJson(const image::Entry& entry, const ImageStore& store) -> nlohmann::json {
  auto value = cli::ToJson(entry, store.InUse(entry));
  value["state"] = StateText(entry, store);
  if (const auto refusal = store.Refusal(entry); !refusal.empty()) value["failure"] = refusal;
  return value;
}

void PrintTable(const std::vector<image::Entry>& entries, const ImageStore& store) {
  if (entries.empty()) {
    fmt::print("no environments; `penstock build MANIFEST` makes those of a pipeline\n");
    return;
  }
  const auto now = image::Now();
  fmt::print("{:<12}  {:<6}  {:>8}  {:<9}  {:<22}  {:<16}  {}\n", "ID", "PYTHON", "SIZE", "STATE", "LAST USED", "NOTES",
             "PACKAGES");
  for (const auto& entry : entries) {
    fmt::print("{:<12}  {:<6}  {:>8}  {:<9}  {:<22}  {:<16}  {}\n", ShortId(entry), entry.contents.spec.python_version,
               entry.state == image::State::kAvailable ? SizeText(entry.size_bytes) : "", StateText(entry, store),
               image::Ago(entry.last_used, now), Notes(entry, store.InUse(entry)), PackagesText(entry.contents));
  }
}

auto PackagesJson(const std::vector<image::ResolvedPackage>& packages) -> nlohmann::json {
  auto list = nlohmann::json::array();
  for (const auto& package : packages) {
    list.push_back({{"name", package.name}, {"version", package.version}, {"sha256", package.sha256}});
  }
  return list;
}

void PrintEntry(const image::Entry& entry, const ImageStore& store) {
  fmt::print("environment  {}\nstate        {}\nimage        {}{}\nlast used    {}, {} in all\nnotes        {}\n",
             entry.identity, StateText(entry, store), entry.image.empty() ? "none" : image::ImageName(entry.identity),
             entry.image.empty() ? "" : fmt::format(" ({})", entry.image), image::Ago(entry.last_used, image::Now()),
             base::Count(entry.uses, "time"), Notes(entry, store.InUse(entry)));
  if (!entry.failure.empty()) fmt::print("\n{}\n", HarmlessAt(STDOUT_FILENO, entry.failure));
  if (const auto refusal = store.Refusal(entry); !refusal.empty()) {
    fmt::print("\nno node can run in it:\n{}\n", HarmlessAt(STDOUT_FILENO, refusal));
  }
  if (entry.state != image::State::kAvailable) return;
  if (entry.contents.is_dockerfile()) {
    fmt::print("\nbuilt from {}\n", entry.contents.base_reference);
    return;
  }
  const auto print = [](const char* title, const std::vector<image::ResolvedPackage>& packages) {
    fmt::print("\n{}\n", title);
    for (const auto& package : packages) fmt::print("  {} {}\n", package.name, package.version);
  };
  print("System packages", entry.contents.resolved.apt);
  print("Python packages", entry.contents.resolved.pip);
  fmt::print("\nAs a Dockerfile\n\n{}", image::EquivalentDockerfile(entry.contents));
}

}  // namespace

auto ListImages(bool json) -> int {
  auto store = ImageStore::Open();
  if (!store) return Complain(store.error());
  if (!json) {
    PrintTable(store->entries(), *store);
    return kDone;
  }
  auto list = nlohmann::json::array();
  for (const auto& entry : store->entries()) list.push_back(ToJson(entry, *store));
  PrintJson(list);
  return kDone;
}

auto ShowImage(const std::string& id, bool json) -> int {
  auto store = ImageStore::Open();
  if (!store) return Complain(store.error());
  const auto entry = store->FindById(id);
  if (!entry) {
    Complain(entry.error());
    return kUsage;
  }
  if (!json) {
    PrintEntry(*entry, *store);
    return kDone;
  }
  auto value = ToJson(*entry, *store);
  value["apt"] = PackagesJson(entry->contents.resolved.apt);
  value["pip"] = PackagesJson(entry->contents.resolved.pip);
  if (!entry->contents.is_dockerfile()) value["dockerfile"] = image::EquivalentDockerfile(entry->contents);
  PrintJson(value);
  return kDone;
}

auto PinImage(const std::string& id, bool pinned, bool json) -> int {
  auto store = ImageStore::Open();
  if (!store) return Complain(store.error());
  auto entry = store->FindById(id);
  if (!entry) {
    Complain(entry.error());
    return kUsage;
  }
  if (const auto set = store->index().SetPinned(entry->identity, pinned); !set) return Complain(set.error());
  entry->pinned = pinned;
  if (json) {
    PrintJson(ToJson(*entry, *store));
  } else {
    fmt::print("{} {}\n", ShortId(*entry), pinned ? "is pinned: no prune removes it" : "is no longer pinned");
  }
  return kDone;
}

}  // namespace penstock::cli
