// One running instance of a pipeline: places its nodes, starts their workers, opens their ports in order, follows them
// to the end of their streams, and on the first failure ends everything and says why.
//
// Run occupies the caller's thread as the session's event loop; blocking work (engine, images) runs on threads of its
// own that post their results to it. Stop and Kill may be called from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/file_lock.h"
#include "container/event_ledger.h"
#include "docker/call.h"
#include "docker/engine.h"
#include "observe/log_writer.h"
#include "observe/quarantine.h"
#include "plan/plan.h"
#include "session/environment.h"
#include "session/observer.h"
#include "session/report.h"

namespace penstock::session {

class EngineAccount;

struct SessionOptions {
  plan::Plan plan;
  /// Needed when the plan has container nodes; must outlive the session, as must `engine_account`.
  docker::Engine* engine = nullptr;
  /// What the engine says about containers; null: their ends are told without its account. Must outlive the session.
  container::EventLedger* events = nullptr;
  /// What the engine's requests took; null: not counted.
  const EngineAccount* engine_account = nullptr;
  /// Held since this plan was admitted (session/promises.h); let go once other runtimes see what it promises. May be
  /// null.
  std::unique_ptr<base::FileLock> admission{};
  /// Have workers measure the CPU time per message that is not the node's own.
  bool measure_cpu = false;
  /// How much of the session's log is kept.
  observe::LogLimits log{};
  /// What all messages in quarantine, those of other sessions too, may take of the disk.
  std::uint64_t quarantine_bytes = observe::kQuarantineBytes;
  EnvironmentOptions environments{};
};

class Session final {
 public:
  static auto Create(SessionOptions options, Observer& observer) -> base::Expected<std::unique_ptr<Session>>;
  Session(const Session&) = delete;
  auto operator=(const Session&) -> Session& = delete;
  ~Session();

  auto id() const noexcept -> const std::string&;
  /// Runs the pipeline to its end. Once.
  auto Run() -> Report;
  /// Ends the sources' streams; what is in flight is handled to the end. Before the start: gives up.
  void Stop();
  /// Ends everything now.
  void Kill();
  /// Adds what the runtime itself has to say to the session's log. Any thread.
  void Note(base::LogLevel level, std::string_view text);

 private:
  class Impl;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace penstock::session
