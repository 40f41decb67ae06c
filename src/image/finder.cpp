#include "image/finder.h"

#include "base/log.h"
#include "image/build_log.h"
#include "image/reconcile.h"
#include "image/workspace.h"

namespace penstock::image {
using base::ErrorCode;
using base::Expected;
using base::Fail;
using base::FileLock;
namespace {

class Finder final {
 public:
  Finder(docker::Engine& engine, Maker& maker, const BuildOptions& options, const ProgressSink& progress,
         const docker::Call& call)
      : engine_(engine),
        maker_(maker),
        identity_(maker.identity()),
        options_(options),
        progress_(progress),
        call_(call) {}

  auto Run() -> Expected<FoundImage> {
    PENSTOCK_ASSIGN(auto index, Index::OpenDefault(engine_.socket_path()));
    // From here on nobody removes the image, if it is there.
    PENSTOCK_ASSIGN(const auto use_file, Workspace::UseFile(identity_));
    PENSTOCK_ASSIGN(auto hold, FileLock::Acquire(use_file, call_.deadline, call_.stop, base::LockMode::kShared));
    FoundImage found{{}, Origin::kCached, std::make_shared<const FileLock>(std::move(hold))};
    const auto began = Now();
    PENSTOCK_ASSIGN(auto image, Use(index));
    std::optional<FileLock> lock;
    if (!image) {
      PENSTOCK_ASSIGN(const auto lock_file, Workspace::LockFile(identity_));
      PENSTOCK_ASSIGN(lock, FileLock::TryAcquire(lock_file));
      if (!lock) {
        PENSTOCK_ASSIGN(lock, WaitForOther(lock_file));
        found.origin = Origin::kAwaited;
      }
      // With the lock it is certain; without it, it may have been made since.
      PENSTOCK_ASSIGN(image, Use(index));
    }
    if (!image) {
      found.origin = Origin::kBuilt;
      PENSTOCK_ASSIGN(image, Make(index, began));
    }
    found.image_id = std::move(*image);
    return found;
  }

 private:
  // nullopt: it is not there. One that is counts as used.
  auto Use(Index& index) -> Expected<std::optional<std::string>> {
    PENSTOCK_ASSIGN(const auto entry, FindAvailable(engine_, index, identity_, call_));
    if (!entry) return std::nullopt;
    PENSTOCK_TRY(index.Touch(identity_, Now()));
    return entry->image;
  }

  // With the lock, for a call that began at `began`.
  auto Make(Index& index, Time began) -> Expected<std::string> {
    PENSTOCK_ASSIGN(const auto before, index.Find(identity_));
    PENSTOCK_ASSIGN(const auto fingerprint, maker_.Prepare(call_));
    // One that failed while this call waited for it counts, also for those who want another try.
    if (before && before->state == State::kFailed && before->fingerprint == fingerprint &&
        (!options_.retry_failed || before->last_used >= began)) {
      return TellFailure(*before);
    }
    return Build(index, fingerprint);
  }

  auto WaitForOther(const std::filesystem::path& lock_file) -> Expected<FileLock> {
    std::optional<Expected<BuildFollower>> follower;
    ProgressSink waiting;
    if (progress_) {
      waiting = [this](const Progress& theirs) {
        progress_(
            {theirs.image,
             fmt::format("waiting for another process that makes it{}{}", theirs.step.empty() ? "" : ": ", theirs.step),
             theirs.line});
      };
      waiting({SubjectOf(identity_), {}, {}});
      follower.emplace(BuildFollower::Start(identity_, SubjectOf(identity_), waiting));
      if (!*follower) base::Log(base::LogLevel::kWarning, "{}", follower->error().ToString());  // less to see, no more
    }
    return FileLock::Acquire(lock_file, call_.deadline, call_.stop);
  }

  auto TellFailure(const Entry& entry) const -> tl::unexpected<base::Error> {
    return Fail(ErrorCode::kUnavailable,
                "{} could not be built {}, and nothing has changed since; use --retry to try again. What happened "
                "then: {}",
                maker_.noun(), Ago(entry.last_used, Now()), entry.failure);
  }

  auto Build(Index& index, const std::string& fingerprint) -> Expected<std::string> {
    PENSTOCK_ASSIGN(auto log, BuildLog::Create(identity_));
    PENSTOCK_ASSIGN(const auto log_path, BuildLogPath(identity_));
    PENSTOCK_TRY(index.BeginBuild(identity_, maker_.contents(), Now()));
    auto built = maker_.Make(std::move(log), call_);
    if (built) {
      const auto now = Now();
      PENSTOCK_TRY(index.Record({.identity = identity_,
                                 .state = State::kAvailable,
                                 .image = built->image_id,
                                 .contents = built->contents,
                                 .size_bytes = built->size_bytes,
                                 .created = now,
                                 .last_used = now,
                                 .uses = 1}));
      return std::move(built->image_id);
    }
    auto error = std::move(built.error());
    if (call_.stop.stop_requested()) {
      if (const auto abandoned = index.AbandonBuild(identity_); !abandoned)
        base::Log(base::LogLevel::kWarning, "{}", abandoned.error().ToString());
      return tl::make_unexpected(std::move(error));
    }
    if (maker_.step_failed()) {
      error = base::Error(error.code(), fmt::format("{}The whole output: {}", error.message(), log_path.string()));
    }
    // Without a fingerprint it is a reason to look, not one to give up the next time.
    const auto recorded = index.RecordFailure(
        identity_, {error.ToString(), maker_.step_failed() && !maker_.may_pass() ? fingerprint : std::string()}, Now());
    if (!recorded) base::Log(base::LogLevel::kWarning, "{}", recorded.error().ToString());
    return tl::make_unexpected(std::move(error));
  }

  docker::Engine& engine_;
  Maker& maker_;
  const std::string& identity_;
  const BuildOptions& options_;
  const ProgressSink& progress_;
  const docker::Call& call_;
};

}  // namespace

auto FindOrMake(docker::Engine& engine, Maker& maker, const BuildOptions& options, const ProgressSink& progress,
                const docker::Call& call) -> Expected<FoundImage> {
  return Finder(engine, maker, options, progress, call).Run();
}

}  // namespace penstock::image
