#include "container/pool.h"

#include <chrono>
#include <optional>

#include "base/file_lock.h"
#include "base/log.h"
#include "container/entry.h"

namespace penstock::container {
namespace {

constexpr std::chrono::seconds kCleanupTimeout{10};

// An agent that ends while its container is being joined leaves an entry that only this process may still hold.
void RemoveIfLast(const docker::Engine& engine, const std::filesystem::path& path) {
  const auto claimed = LockedDirectory::Claim(path);
  if (!claimed) return;
  const auto removed = engine.Remove(EngineName(path), base::Deadline::In(kCleanupTimeout));
  if (removed) {
    claimed->Remove();
  } else {
    base::Log(base::LogLevel::kWarning, "a container that has ended could not be removed: {}",
              removed.error().ToString());
  }
}

// nullopt: none that is running takes another session.
auto JoinAny(const docker::Engine& engine, const std::string& identity, const ContainerRequest& request,
             const docker::Call& call) -> base::Expected<std::optional<Container::Leased>> {
  PENSTOCK_ASSIGN(const auto entries, FindEntries(identity));
  for (const auto& path : entries) {
    auto entry = LockedDirectory::Join(path);
    if (!entry) continue;
    auto joined = Container::Join(engine, std::move(*entry), request, call);
    if (joined) return std::move(*joined);
    const auto code = joined.error().code();
    if (code == base::ErrorCode::kPeerGone || code == base::ErrorCode::kNotFound) RemoveIfLast(engine, path);
  }
  return std::nullopt;
}

auto Make(const docker::Engine& engine, const std::string& identity, const ContainerRequest& request,
          const docker::Call& call) -> base::Expected<Container::Leased> {
  const bool shared = request.spec.sharing == manifest::Sharing::kShared;
  PENSTOCK_ASSIGN(const auto parent, EntriesDirectory());
  PENSTOCK_ASSIGN(auto entry, LockedDirectory::Create(parent, NewEntryName(identity, shared)));
  const auto path = entry.path();
  PENSTOCK_ASSIGN(auto leased, Container::Create(engine, std::move(entry), request, call));
  PENSTOCK_TRY(WriteRecord(path, {.identity = shared ? identity : std::string(), .container = leased.container.id()}));
  return leased;
}

}  // namespace

auto Acquire(const docker::Engine& engine, const ContainerRequest& request, const std::function<void()>& on_wait,
             const docker::Call& call) -> base::Expected<Container::Leased> {
  PENSTOCK_ASSIGN(const auto identity, Identity(request));
  if (request.spec.sharing == manifest::Sharing::kExclusive) return Make(engine, identity, request, call);
  PENSTOCK_ASSIGN(auto joined, JoinAny(engine, identity, request, call));
  if (joined) return std::move(*joined);

  PENSTOCK_ASSIGN(const auto lock_file, CreationLock(identity));
  PENSTOCK_ASSIGN(auto lock, base::FileLock::TryAcquire(lock_file));
  if (!lock) {
    if (on_wait) on_wait();
    PENSTOCK_ASSIGN(lock, base::FileLock::Acquire(lock_file, call.deadline, call.stop));
  }
  // Somebody may have made it since the first look.
  PENSTOCK_ASSIGN(joined, JoinAny(engine, identity, request, call));
  if (joined) return std::move(*joined);
  return Make(engine, identity, request, call);
}

}  // namespace penstock::container
