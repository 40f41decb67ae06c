// The memory behind the outputs of a session, granted to its workers: what messages are expected to need when an output
// has been opened, more when a worker asks.
//
// On a thread of its own ("penstock-memory"), since the kernel clears what it gives, a third of a second for a
// gigabyte. All members are called on the session's loop, and so are the handlers.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/unique_fd.h"
#include "plan/plan.h"
#include "session/wiring.h"
#include "transport/segment_memory.h"
#include "worker/protocol.h"

namespace penstock::session {

class MemoryGrants final {
 public:
  struct Handlers {
    /// To be sent to the worker of `node`.
    std::function<void(std::size_t node, const worker::ToWorker& answer)> on_answer;
    /// All outputs of the node are prepared.
    std::function<void(std::size_t node)> on_prepared;
    /// kOverQuota: there is no memory for what is expected. kPeerCorrupt: the worker sent what no worker of ours sends.
    std::function<void(std::size_t node, const base::Error&)> on_failed;
  };

  /// `plan` and `wiring` outlive this.
  MemoryGrants(base::EventLoop& loop, const plan::Plan& plan, const Wiring& wiring, Handlers handlers);
  MemoryGrants(const MemoryGrants&) = delete;
  auto operator=(const MemoryGrants&) -> MemoryGrants& = delete;
  /// Finishes what the kernel is doing and forgets the rest.
  ~MemoryGrants();

  void Open(std::size_t node, const worker::OutputsOpen& opened, std::vector<base::UniqueFd> fds);
  void Grow(std::size_t node, const worker::Grow& request);
  /// The worker of the node has ended: its replacement opens outputs of its own, and gets no answer to a question of
  /// its predecessor.
  void Forget(std::size_t node);

 private:
  using Work = std::function<void()>;
  auto OpenOutput(std::size_t output, const worker::SegmentHandle& segment, base::UniqueFd fd)
      -> base::Expected<transport::Grant>;
  auto GrowOutput(std::size_t output, const worker::Grow& request) -> base::Expected<transport::Grant>;
  void Enqueue(Work work);
  /// Posts `then` to the loop, where it is called unless the worker that it is about has ended meanwhile.
  void Tell(std::size_t node, std::uint64_t incarnation, std::function<void()> then);
  void Serve(const std::stop_token& stop);

  base::EventLoop& loop_;
  const plan::Plan& plan_;
  const Wiring& wiring_;
  Handlers handlers_;

  std::set<std::size_t> opened_;                       // nodes
  std::map<std::size_t, std::uint64_t> incarnations_;  // of nodes; the loop's
  std::set<std::size_t> asking_;  // outputs with a request under way; bounds what a hostile worker can queue here

  std::map<std::size_t, transport::SegmentMemory> segments_;  // by output; the thread's

  std::mutex mutex_;
  std::condition_variable_any filled_;
  std::deque<Work> queue_;  // under mutex_
  std::jthread thread_;     // last: it uses everything above
};

}  // namespace penstock::session
