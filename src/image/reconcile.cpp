#include "image/reconcile.h"

#include <algorithm>
#include <set>

#include "base/file_lock.h"
#include "image/build.h"
#include "image/builder.h"
#include "image/owner.h"
#include "image/workspace.h"

namespace penstock::image {
namespace {
using base::ErrorCode;
using base::Expected;
using base::Status;

auto Label(const docker::StringMap& labels, const char* name) -> std::string {
  const auto found = labels.find(name);
  return found == labels.end() ? std::string() : found->second;
}

// Images that somebody derived from an environment inherit its labels; ours are known by their name as well. Empty: not
// one of ours.
auto IdentityOf(const docker::ImageSummary& image) -> std::string {
  auto identity = Label(image.labels, kEnvironmentLabel);
  const bool named = !identity.empty() && std::ranges::find(image.tags, ImageName(identity)) != image.tags.end();
  return named ? identity : std::string();
}

// nullopt: its contents cannot be read, so that it is of another Penstock.
auto EntryOf(docker::Engine& engine, const docker::ImageSummary& image, const docker::Call& call)
    -> Expected<std::optional<Entry>> {
  auto contents = ParseContents(Label(image.labels, kContentsLabel));
  if (!contents) return std::nullopt;
  PENSTOCK_ASSIGN(const auto owner, Owner());
  Entry entry;
  entry.identity = IdentityOf(image);
  entry.image = image.id;
  entry.contents = std::move(*contents);
  entry.size_bytes = image.size_bytes;
  if (const auto base = engine.InspectImage(entry.contents.base_reference, call);
      base && base->layers == entry.contents.base.layers) {
    entry.size_bytes -= base->size_bytes;
  }
  entry.created = Time(std::chrono::seconds(image.created));
  entry.last_used = entry.created;
  entry.borrowed = Label(image.labels, kOwnerLabel) != owner;
  return entry;
}

auto MarkDeadBuild(Index& index, const Entry& entry) -> Status {
  PENSTOCK_ASSIGN(const auto lock_file, Workspace::LockFile(entry.identity));
  PENSTOCK_ASSIGN(const auto lock, base::FileLock::TryAcquire(lock_file));
  if (!lock) return {};  // alive
  return index.RecordFailure(entry.identity, {"the process that built it was killed", {}}, entry.last_used);
}

}  // namespace

auto FindAvailable(docker::Engine& engine, Index& index, const std::string& identity, const docker::Call& call)
    -> Expected<std::optional<Entry>> {
  PENSTOCK_ASSIGN(auto entry, index.Find(identity));
  if (entry && entry->state == State::kAvailable) {
    const auto image = engine.InspectImage(entry->image, call);
    if (image) return entry;
    if (image.error().code() != ErrorCode::kNotFound) return tl::make_unexpected(image.error());
    PENSTOCK_TRY(index.Forget(*entry));
  }
  PENSTOCK_ASSIGN(const auto images, engine.ListImages({fmt::format("{}={}", kEnvironmentLabel, identity)}, call));
  for (const auto& image : images) {
    if (IdentityOf(image) != identity) continue;
    PENSTOCK_ASSIGN(const auto adopted, EntryOf(engine, image, call));
    if (!adopted) continue;
    PENSTOCK_TRY(index.Record(*adopted));
    return index.Find(identity);
  }
  return std::nullopt;
}

auto Reconcile(docker::Engine& engine, Index& index, const docker::Call& call) -> Status {
  // In this order: an image that a build finishes in between is listed and not yet known, never known and not listed.
  PENSTOCK_ASSIGN(const auto known, index.List());
  PENSTOCK_ASSIGN(const auto images, engine.ListImages({kEnvironmentLabel}, call));
  std::set<std::string> there;
  for (const auto& image : images) there.insert(image.id);
  std::set<std::string> indexed;
  for (const auto& entry : known) {
    if (entry.state == State::kBuilding) PENSTOCK_TRY(MarkDeadBuild(index, entry));
    if (entry.state != State::kAvailable) continue;
    indexed.insert(entry.image);
    if (!there.contains(entry.image)) PENSTOCK_TRY(index.Forget(entry));
  }
  for (const auto& image : images) {
    if (IdentityOf(image).empty() || indexed.contains(image.id)) continue;
    PENSTOCK_ASSIGN(const auto adopted, EntryOf(engine, image, call));
    if (!adopted || adopted->borrowed) continue;  // what others made is theirs until it is used from here
    // A build under way records it itself.
    PENSTOCK_ASSIGN(const auto lock_file, Workspace::LockFile(adopted->identity));
    PENSTOCK_ASSIGN(const auto lock, base::FileLock::TryAcquire(lock_file));
    if (lock) PENSTOCK_TRY(index.Record(*adopted));
  }
  return {};
}

}  // namespace penstock::image
