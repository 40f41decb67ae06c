// What environments there are, were, or failed to be: one SQLite file for all runtimes of a user
// ($XDG_STATE_HOME/penstock/images.sqlite).
//
// The engine has the images; the index has what the engine does not know: when one was last used, what it holds, what
// is pinned, what is being built, and how a build failed. When they disagree the engine is right (reconcile.h).
//
// "Building" is a claim. Its proof is the builder's file lock (Workspace::LockFile): whoever gets that lock knows that
// no builder lives, so that a process killed in the middle of a build blocks nobody.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "image/contents.h"
#include "image/sqlite.h"

namespace penstock::image {

using Time = std::chrono::sys_time<std::chrono::milliseconds>;
/// The clock of the callers that are no tests.
auto Now() -> Time;
/// "5 min ago"
auto Ago(Time then, Time now) -> std::string;

enum class State { kBuilding, kAvailable, kFailed };
auto ToString(State state) -> std::string_view;

struct Entry {
  std::string identity{};
  State state = State::kAvailable;
  std::string image{};  // "sha256:…" when available
  Contents contents{};
  std::int64_t size_bytes = 0;  // what it adds to its base
  Time created{};
  Time last_used{};
  std::int64_t uses = 0;
  bool pinned = false;
  bool borrowed = false;      // made for another state directory (another user): used, never removed from here
  std::string failure{};      // when failed
  std::string fingerprint{};  // of what else decided the failure; empty: it says nothing about the next try
};

struct Failure {
  std::string sentence;
  std::string fingerprint;
};

/// What a probe has found in an image (image_facts.h).
struct FoundFacts {
  std::string facts;  // JSON
  Time found{};
};

/// One connection, of one thread. Every change is one transaction: after a kill it has happened or not. Errors are
/// Database's; kNotFound where said.
class Index final {
 public:
  /// For the images of the engine at `engine` (its socket's path).
  static auto Open(const std::filesystem::path& file, std::string engine) -> base::Expected<Index>;
  /// The user's own.
  static auto OpenDefault(std::string engine) -> base::Expected<Index>;

  auto Find(std::string_view identity) -> base::Expected<std::optional<Entry>>;
  /// All, the one used last first.
  auto List() -> base::Expected<std::vector<Entry>>;

  /// The caller holds the builder's lock. A failure or an image that was there is forgotten, a pin is kept.
  auto BeginBuild(const std::string& identity, const Contents& contents, Time now) -> base::Status;
  /// An image is there: built just now, or found in the engine. Keeps pin and uses of an entry that exists.
  auto Record(const Entry& entry) -> base::Status;
  /// A build has failed. Nothing when the entry is no longer being built.
  auto RecordFailure(const std::string& identity, const Failure& failure, Time now) -> base::Status;
  /// A build was stopped by whoever asked for it, which says nothing about the environment: as if it had not begun. One
  /// that is pinned stays, as failed without a fingerprint. Nothing when the entry is no longer being built.
  auto AbandonBuild(const std::string& identity) -> base::Status;
  auto Touch(const std::string& identity, Time now) -> base::Status;
  /// Removes the entry unless it changed since it was read as `seen`.
  auto Forget(const Entry& seen) -> base::Status;
  /// Errors: kNotFound.
  auto SetPinned(const std::string& identity, bool pinned) -> base::Status;

  /// What `prober` has found in `image` (its id).
  auto FindFacts(const std::string& image, const std::string& prober) -> base::Expected<std::optional<FoundFacts>>;
  /// Replaces what an earlier probe has found.
  auto RecordFacts(const std::string& image, const std::string& prober, const FoundFacts& found) -> base::Status;

 private:
  Index(Database database, std::string engine) : database_(std::move(database)), engine_(std::move(engine)) {}
  Database database_;
  std::string engine_;
};

}  // namespace penstock::image
