// What comes between the death of a worker and the ports of its replacement: its place in shared memory is cleared.
//
// A dead consumer keeps a place and chunks until it is removed; a dead producer's unread messages live on only in its
// consumers, which must have handled them before a successor publishes, since its history does not have them. Consumers
// that do not have them either, as they were gone at the same time, are told so, and go on: others may wait for them.
//
// One that joins its inputs keeps messages until later ones come, for which it may need the successor. When it has
// taken everything and waits for input, or waits for the dead node itself, it is not waited for: what was sent is in
// its memory. Otherwise it is given time, and not waited for when that has passed: what it needs may come from the dead
// node by way of others.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "plan/plan.h"
#include "session/wiring.h"

namespace penstock::session {

class Settlement final {
 public:
  /// A consumer of the dead node that has what the node had sent, and has yet to handle it.
  struct Awaited {
    std::size_t edge = 0;
    std::size_t consumer = 0;
  };
  /// `plan` and `wiring` outlive this. `dying`: a pidfd to wait for first, when the worker may still be about to end;
  /// may be invalid.
  Settlement(const plan::Plan& plan, const Wiring& wiring, std::size_t node, std::vector<Awaited> awaited,
             base::UniqueFd dying);
  Settlement(const Settlement&) = delete;
  auto operator=(const Settlement&) -> Settlement& = delete;
  ~Settlement() = default;

  /// Blocking, on a thread of its own; ends early when told to stop. `on_patience` is called once when consumers take
  /// long, with their edges.
  auto Run(const std::function<void(const std::string& edges)>& on_patience) -> base::Status;
  /// `consumer` has ended and will handle nothing more of it. Any thread.
  void Gone(std::size_t consumer);
  void Stop();
  /// Whether something that the dead node had sent on this edge is still to be handled before it is replaced. Any
  /// thread.
  auto IsAwaitedAt(std::size_t edge) const -> bool;

 private:
  void RingConsumers();
  auto AwaitConsumers(const std::function<void(const std::string& edges)>& on_patience) -> bool;
  void SayGone() const;
  auto Settled(const Awaited& awaited) const -> bool;
  auto IsAwaitedBy(std::size_t consumer) const -> bool;
  /// Edges that are waited for; "" when none is left.
  auto Unsettled() const -> std::string;
  auto AnyGone() const -> bool;
  /// Gives up what the dead node had sent on block edges whose consumer is not waited for (any more).
  void WriteOff();
  auto Clean(const std::vector<std::size_t>& outputs) -> base::Status;

  const plan::Plan& plan_;
  const Wiring& wiring_;
  std::size_t node_;
  const std::vector<Awaited> awaited_;
  std::vector<std::atomic<bool>> gone_;  // by awaited
  std::vector<bool> given_up_;           // by awaited: gone, as Run has noticed
  std::atomic<bool> impatient_{false};   // Run has waited for long
  std::atomic<bool> stopped_{false};
  base::UniqueFd dying_;
};

}  // namespace penstock::session
