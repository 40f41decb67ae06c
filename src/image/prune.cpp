#include "image/prune.h"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <set>

#include "base/file_lock.h"
#include "image/build.h"
#include "image/build_log.h"
#include "image/reconcile.h"
#include "image/workspace.h"

namespace penstock::image {
namespace {
using base::ErrorCode;
using base::Expected;
using base::Status;

constexpr std::chrono::days kFailuresKept{30};

void RemoveLog(const std::string& identity) {
  std::error_code ignored;
  if (const auto log = BuildLogPath(identity)) std::filesystem::remove(*log, ignored);
}

// Empty: it is gone. Else why it stays.
auto RemoveOne(docker::Engine& engine, Index& index, const Entry& entry, const docker::Call& call)
    -> Expected<std::string> {
  PENSTOCK_ASSIGN(const auto use_file, Workspace::UseFile(entry.identity));
  PENSTOCK_ASSIGN(const auto alone, base::FileLock::TryAcquire(use_file));
  if (!alone) return "in use by a session that starts";
  // By name, and without force: the engine refuses when a container or an image derived from it needs it.
  const auto removed = engine.RemoveImage(ImageName(entry.identity), {}, call);
  if (!removed && removed.error().code() == ErrorCode::kConflict)
    return "the engine says: " + removed.error().message();
  if (!removed && removed.error().code() != ErrorCode::kNotFound) return tl::make_unexpected(removed.error());
  PENSTOCK_TRY(index.Forget(entry));
  RemoveLog(entry.identity);
  return std::string();
}

auto ForgetOldFailures(Index& index, const std::vector<Entry>& entries, Time before) -> Expected<std::size_t> {
  std::size_t forgotten = 0;
  for (const auto& entry : entries) {
    if (entry.state != State::kFailed || entry.last_used >= before) continue;
    PENSTOCK_TRY(index.Forget(entry));
    RemoveLog(entry.identity);
    ++forgotten;
  }
  return forgotten;
}

}  // namespace

auto PickForRemoval(const std::vector<PruneCandidate>& candidates, const PruneLimits& limits, Time now)
    -> std::vector<std::size_t> {
  std::vector<std::size_t> order(candidates.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return candidates[i].last_used; });

  std::size_t count = candidates.size();
  auto size = std::accumulate(candidates.begin(), candidates.end(), std::int64_t{0},
                              [](std::int64_t sum, const auto& candidate) { return sum + candidate.size_bytes; });
  std::vector<std::size_t> removal;
  for (const auto i : order) {
    const auto& candidate = candidates[i];
    if (candidate.keep_always) continue;
    const bool too_many = limits.keep && count > *limits.keep;
    const bool too_old = limits.older_than && now - candidate.last_used > *limits.older_than;
    const bool too_large = limits.size_bytes && size > *limits.size_bytes;
    // The rest is younger.
    if (!too_many && !too_old && !too_large) break;
    removal.push_back(i);
    --count;
    size -= candidate.size_bytes;
  }
  return removal;
}

auto ImagesInUse(docker::Engine& engine, const docker::Call& call) -> Expected<std::vector<std::string>> {
  PENSTOCK_ASSIGN(const auto containers, engine.List({}, call));
  std::set<std::string> images;
  for (const auto& container : containers) images.insert(container.image_id);
  return std::vector<std::string>(images.begin(), images.end());
}

auto Prune(docker::Engine& engine, Index& index, const PruneLimits& limits, Time now, const docker::Call& call)
    -> Expected<Pruned> {
  PENSTOCK_TRY(Reconcile(engine, index, call));
  PENSTOCK_ASSIGN(const auto entries, index.List());
  PENSTOCK_ASSIGN(const auto in_use, ImagesInUse(engine, call));

  std::vector<Entry> images;
  std::vector<PruneCandidate> candidates;
  Pruned result;
  for (const auto& entry : entries) {
    if (entry.state != State::kAvailable) continue;
    std::string why;
    if (entry.pinned) why = "pinned";
    if (entry.borrowed) why = "made for another user";
    if (std::ranges::find(in_use, entry.image) != in_use.end()) why = "in use by a container";
    images.push_back(entry);
    candidates.push_back({entry.last_used, entry.size_bytes, !why.empty()});
    if (!why.empty()) result.kept.push_back({entry, std::move(why)});
  }
  for (const auto i : PickForRemoval(candidates, limits, now)) {
    PENSTOCK_ASSIGN(auto why, RemoveOne(engine, index, images[i], call));
    if (why.empty()) {
      result.freed_bytes += images[i].size_bytes;
      result.removed.push_back(images[i]);
    } else {
      result.kept.push_back({images[i], std::move(why)});
    }
  }
  PENSTOCK_ASSIGN(result.forgotten_failures,
                  ForgetOldFailures(index, entries, now - limits.older_than.value_or(kFailuresKept)));
  return result;
}

}  // namespace penstock::image
