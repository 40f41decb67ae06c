// Brings a node to the point where its worker can be started: its environment exists, its container runs, an agent's
// lease is held.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include "base/error.h"
#include "container/agent_lease.h"
#include "container/container.h"
#include "docker/engine.h"
#include "image/progress.h"
#include "plan/plan.h"
#include "session/environment.h"
#include "session/observer.h"
#include "session/worker_process.h"

namespace penstock::session {

struct Placed {
  std::optional<container::Container> container;
  bool warm = false;                             // the container ran before
  std::unique_ptr<container::AgentLease> lease;  // null: the session's lease of the host's agent
  WorkerCommand command;
  double environment_ready = 0;  // seconds since the placer was made
};

/// Blocking; any thread, several at once.
class Placer final {
 public:
  struct Options {
    docker::Engine* engine = nullptr;  // null: no container nodes
    std::string session;
    std::stop_token stop;
    EnvironmentOptions environments{};
  };

  Placer(Options options, Observer& observer);
  auto Place(const plan::Plan& plan, const plan::Node& node) const -> base::Expected<Placed>;

 private:
  auto PlaceInContainer(const plan::Plan& plan, const plan::Node& node) const -> base::Expected<Placed>;
  auto PlaceOnHost(const plan::Plan& plan, const plan::Node& node) const -> base::Expected<Placed>;
  auto PlaceNative(const plan::Plan& plan, const plan::Node& node) const -> base::Expected<Placed>;
  auto EnsureEnvironment(const plan::Node& node) const -> base::Expected<NodeEnvironment>;
  auto ProgressOf(const plan::Node& node) const -> image::ProgressSink;
  auto Lease(const plan::Plan& plan, const plan::Node& node, const std::string& image) const
      -> base::Expected<container::Container::Leased>;
  auto ImageIsGone(const std::string& image) const -> bool;
  /// Which of this session's containers with `content` is the node's: nodes that are written alike have them in the
  /// order of the plan, so that later sessions find each its own, and a node that is placed again gets the same.
  auto OrdinalOf(const plan::Plan& plan, const plan::Node& node, const std::string& content) const -> std::uint32_t;
  auto SecondsSinceStart() const -> double;

  Options options_;
  Observer& observer_;
  mutable std::mutex mutex_;
  // By content and ordinal, the node; guarded by mutex_.
  mutable std::map<std::pair<std::string, std::uint32_t>, std::string> ordinals_;
  base::Deadline::Clock::time_point began_ = base::Deadline::Clock::now();
};

}  // namespace penstock::session
