#include "container/pool.h"

#include <chrono>
#include <optional>
#include <set>

#include "base/file_lock.h"
#include "base/log.h"
#include "container/entry.h"
#include "container/removal.h"

namespace penstock::container {
namespace {

constexpr std::chrono::seconds kCleanupTimeout{10};

// Nobody but runtimes that use the container hold its entry: one that can be claimed is nobody's.
auto RemoveIfLast(const docker::Engine& engine, const std::filesystem::path& path) -> bool {
  const auto claimed = LockedDirectory::Claim(path);
  if (!claimed) return false;
  const auto removed = RemoveClaimed(engine, *claimed, base::Deadline::In(kCleanupTimeout));
  if (!removed)
    base::Log(base::LogLevel::kWarning, "a container that is of no more use could not be removed: {}",
              removed.error().ToString());
  return removed.has_value();
}

/// The way from a request to a container.
class Search final {
 public:
  Search(const docker::Engine& engine, const PreparedRequest& prepared, const docker::Call& call)
      : engine_(engine), prepared_(prepared), call_(call) {}

  // nullopt: none that is running takes another session.
  auto JoinAny() -> base::Expected<std::optional<Container::Leased>> {
    PENSTOCK_ASSIGN(const auto entries, FindEntries(prepared_.identity));
    for (const auto& path : entries) {
      if (silent_.contains(path)) continue;
      auto entry = LockedDirectory::Join(path);
      if (!entry) continue;
      auto joined = Container::Join(engine_, std::move(*entry), prepared_.request, call_);
      if (joined) return std::move(*joined);
      const auto code = joined.error().code();
      // An agent that ends while its container is being joined leaves an entry that only this process may still hold.
      if (code == base::ErrorCode::kPeerGone || code == base::ErrorCode::kNotFound) RemoveIfLast(engine_, path);
      if (code == base::ErrorCode::kDeadline && !call_.deadline.passed()) PassOver(path);
    }
    return std::nullopt;
  }

  auto Make() -> base::Expected<Container::Leased> {
    const bool shared = prepared_.request.spec.sharing == manifest::Sharing::kShared;
    PENSTOCK_ASSIGN(const auto parent, EntriesDirectory());
    PENSTOCK_ASSIGN(auto entry, LockedDirectory::Create(parent, NewEntryName(prepared_.identity, shared)));
    return Container::Create(engine_, std::move(entry), prepared_, call_);
  }

 private:
  void PassOver(const std::filesystem::path& path) {
    silent_.insert(path);
    base::Log(base::LogLevel::kWarning, "container {} has not answered for {} s, as if it was paused: {}",
              EngineName(path), kAnswerTimeout.count(),
              RemoveIfLast(engine_, path) ? "nobody used it and it was removed" : "another one is used instead");
  }

  const docker::Engine& engine_;
  const PreparedRequest& prepared_;
  const docker::Call& call_;
  std::set<std::filesystem::path> silent_;  // not waited for again
};

}  // namespace

auto Acquire(const docker::Engine& engine, const PreparedRequest& prepared, const std::function<void()>& on_wait,
             const docker::Call& call) -> base::Expected<Container::Leased> {
  Search search(engine, prepared, call);
  if (prepared.request.spec.sharing == manifest::Sharing::kExclusive) return search.Make();
  PENSTOCK_ASSIGN(auto joined, search.JoinAny());
  if (joined) return std::move(*joined);

  PENSTOCK_ASSIGN(const auto lock_file, CreationLock(prepared.identity));
  PENSTOCK_ASSIGN(auto lock, base::FileLock::TryAcquire(lock_file));
  if (!lock) {
    if (on_wait) on_wait();
    PENSTOCK_ASSIGN(lock, base::FileLock::Acquire(lock_file, call.deadline, call.stop));
  }
  // Somebody may have made it since the first look.
  PENSTOCK_ASSIGN(joined, search.JoinAny());
  if (joined) return std::move(*joined);
  return search.Make();
}

}  // namespace penstock::container
