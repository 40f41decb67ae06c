#include "observe/log_writer.h"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>

#include "base/count.h"

namespace penstock::observe {
namespace {

// One write. A block is not divided among files, so it must be small against one.
constexpr std::size_t kBlockBytes = std::size_t{256} << 10U;
constexpr std::size_t kBlocksPerFile = 4;

constexpr auto kRotated = "rotated";

// Lines as they are written together.
struct Block {
  std::string text;
  std::vector<std::size_t> ends;
  std::vector<LogRecord> records;

  void Add(LogRecord record, const std::string& session) {
    AppendJson(record, session, text);
    ends.push_back(text.size());
    records.push_back(std::move(record));
  }
};

}  // namespace

auto LogAccount::dropped_lines() const -> std::uint64_t {
  return std::accumulate(dropped.begin(), dropped.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& source) { return sum + source.second; });
}

class LogWriter::Writing final {
 public:
  Writing(std::string session, const LogLimits& limits)
      : session_(std::move(session)), limits_(limits), queue_(limits.queue_bytes) {
    auto folder = Begin();
    if (folder) {
      folder_ = std::move(*folder);
      files_.emplace(folder_->path(), limits_.files);
      account_.folder = folder_->path();
    } else {
      account_.problem = folder.error().message();
      base::Log(base::LogLevel::kWarning, "this session has no log: {}", account_.problem);
    }
  }

  auto queue() -> LogQueue& { return queue_; }
  auto folder() const -> const std::filesystem::path& { return account_.folder; }

  void Run() {
    if (folder_) PruneSessions(folder_->path().parent_path(), limits_.sessions);
    for (auto records = queue_.Take(); !records.empty(); records = queue_.Take()) Write(std::move(records));
    TellLoss();
    const std::lock_guard lock(mutex_);
    folder_.reset();  // followers may go
    done_ = true;
    changed_.notify_all();
  }

  auto AwaitAccount(base::Deadline deadline) -> LogAccount {
    std::unique_lock lock(mutex_);
    const auto done = [this] { return done_; };
    if (deadline.never()) {
      changed_.wait(lock, done);
    } else if (!changed_.wait_until(lock, *deadline.time(), done)) {
      account_.problem = "the disk did not answer";
      // What the thread still has, or will have, is not known to be kept.
      for (const auto& [source, lines] : queue_.accepted()) {
        const auto written = kept_[source];
        if (written < lines) account_.dropped[source] = lines - written;
      }
    }
    auto account = account_;
    for (const auto& [source, lines] : queue_.dropped()) account.dropped[source] += lines;
    return account;
  }

 private:
  auto Begin() const -> base::Expected<SessionFolder> {
    PENSTOCK_ASSIGN(const auto sessions, SessionsDirectory());
    return SessionFolder::Create(sessions, session_);
  }

  void Write(std::vector<LogRecord> records) {
    const auto full = std::min<std::uint64_t>(kBlockBytes, limits_.files.bytes / kBlocksPerFile);
    Block block;
    for (auto& record : records) {
      block.Add(std::move(record), session_);
      if (block.text.size() >= full) Append(std::exchange(block, {}));
    }
    if (!block.ends.empty()) Append(std::move(block));
  }

  void Append(Block block) {
    if (!TellLoss()) return Drop(block.records, 0);
    const auto removed = account_.removed;
    const auto written = Put(block);
    if (written < block.records.size()) Drop(block.records, written);
    if (account_.removed > removed) TellRemoval();
  }

  void TellRemoval() {
    Block block;
    block.Add({.time_ns = Now(),
               .stream = Stream::kRuntime,
               .event = kRotated,
               .text = fmt::format("{} from the beginning of this log {} removed: it is kept in {} of {} kB",
                                   base::Count(account_.removed, "line"), account_.removed == 1 ? "was" : "were",
                                   base::Count(limits_.files.count, "file"), limits_.files.bytes / 1024)},
              session_);
    Put(block);
  }

  // Before anything else is written. False when there is still no room.
  auto TellLoss() -> bool {
    if (loss_.empty()) return true;
    Block block;
    for (auto& record : loss_.Tell(account_problem())) block.Add(std::move(record), session_);
    const auto written = Put(block);
    for (auto i = written; i < block.records.size(); ++i) loss_.Add(block.records[i]);
    return written == block.records.size();
  }

  // Returns how many records of the block are in the file.
  auto Put(const Block& block) -> std::size_t {
    if (!files_) return 0;
    const auto written = files_->Append(block.text, block.ends);
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < written.lines; ++i) {
      const auto& record = block.records[i];
      if (record.dropped > 0 || record.event == kRotated) continue;
      ++account_.kept;
      ++kept_[{record.node, record.stream}];
    }
    account_.removed += written.removed_lines;
    if (written.error != 0) Complain(written.error);
    return written.lines;
  }

  // Called with the lock.
  void Complain(int error) {
    const bool known = !account_.problem.empty();
    account_.problem = ::strerrordesc_np(error);
    if (known) return;
    base::Log(
        base::LogLevel::kWarning,
        "the log in '{}' cannot be written: {}; lines are dropped and counted until it can, so make room there or "
        "point XDG_STATE_HOME elsewhere",
        account_.folder.string(), account_.problem);
  }

  auto account_problem() -> std::string {
    const std::lock_guard lock(mutex_);
    return account_.problem;
  }

  void Drop(const std::vector<LogRecord>& records, std::size_t from) {
    const std::lock_guard lock(mutex_);
    for (auto i = from; i < records.size(); ++i) {
      if (records[i].dropped == 0) ++account_.dropped[{records[i].node, records[i].stream}];
      loss_.Add(records[i]);
    }
  }

  const std::string session_;
  const LogLimits limits_;
  LogQueue queue_;
  std::optional<SessionFolder> folder_;
  std::optional<LogFiles> files_;  // of the thread
  LogLoss loss_;                   // of the thread
  std::mutex mutex_;
  std::condition_variable changed_;
  LogAccount account_;
  LogCounts kept_;
  bool done_ = false;
};

LogWriter::LogWriter(std::string session, const LogLimits& limits)
    : writing_(std::make_shared<Writing>(std::move(session), limits)) {
  std::thread([writing = writing_] {
    ::pthread_setname_np(::pthread_self(), "penstock-log");
    writing->Run();
  }).detach();
}

LogWriter::~LogWriter() { writing_->queue().End(); }

auto LogWriter::folder() const -> const std::filesystem::path& { return writing_->folder(); }
void LogWriter::Push(std::vector<LogRecord> records) { writing_->queue().Push(std::move(records)); }

void LogWriter::PushOne(LogRecord record) {
  std::vector<LogRecord> one;
  one.push_back(std::move(record));
  Push(std::move(one));
}

auto LogWriter::Close(base::Deadline deadline) -> LogAccount {
  writing_->queue().End();
  return writing_->AwaitAccount(deadline);
}

}  // namespace penstock::observe
