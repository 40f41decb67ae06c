#include "cli/image_store.h"

#include <algorithm>
#include <chrono>

#include "cli/engine.h"
#include "image/build.h"
#include "image/image_check.h"
#include "image/prune.h"
#include "image/reconcile.h"

namespace penstock::cli {

auto ImageStore::Soon() -> docker::Call {
  constexpr std::chrono::minutes kDeadline{5};  // an engine that removes gigabytes may take its time
  return docker::Call(base::Deadline::In(kDeadline));
}

auto ImageStore::Open() -> base::Expected<ImageStore> {
  PENSTOCK_ASSIGN(auto engine, ConnectEngine());
  PENSTOCK_ASSIGN(auto index, image::Index::OpenDefault(engine->socket_path()));
  ImageStore store(std::move(engine), std::move(index));
  PENSTOCK_TRY(image::Reconcile(*store.engine_, store.index_, Soon()));
  PENSTOCK_ASSIGN(store.entries_, store.index_.List());
  PENSTOCK_ASSIGN(store.in_use_, image::ImagesInUse(*store.engine_, Soon()));
  for (const auto& entry : store.entries_) {
    PENSTOCK_ASSIGN(auto refusal, image::RefusalOf(store.index_, entry));
    if (!refusal.empty()) store.refusals_.emplace(entry.identity, std::move(refusal));
  }
  return store;
}

auto ImageStore::Refusal(const image::Entry& entry) const -> std::string {
  const auto found = refusals_.find(entry.identity);
  return found == refusals_.end() ? std::string() : found->second;
}

auto ImageStore::InUse(const image::Entry& entry) const -> bool {
  return std::ranges::find(in_use_, entry.image) != in_use_.end();
}

auto ImageStore::FindById(std::string id) const -> base::Expected<image::Entry> {
  const auto strip = [&](std::string_view prefix) {
    if (id.starts_with(prefix)) id.erase(0, prefix.size());
  };
  strip(std::string(image::kEnvironmentRepository) + ":");
  strip("sha256:");
  std::vector<image::Entry> found;
  for (const auto& entry : entries_) {
    const bool is = !id.empty() && (entry.identity.starts_with(id) || entry.image.starts_with("sha256:" + id));
    if (is) found.push_back(entry);
  }
  if (found.empty()) {
    return base::Fail(base::ErrorCode::kNotFound, "there is no environment '{}'; `penstock images` lists them", id);
  }
  if (found.size() > 1) {
    return base::Fail(base::ErrorCode::kConflict, "'{}' is the beginning of {} environments; give more of it", id,
                      found.size());
  }
  return std::move(found.front());
}

}  // namespace penstock::cli
