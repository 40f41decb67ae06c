#include "session/settlement.h"

#include <poll.h>

#include <algorithm>
#include <set>

#include "transport/cleanup.h"

namespace penstock::session {
namespace {

using std::chrono::seconds;

// A container's processes die with its first one, some milliseconds after its connections are closed.
constexpr seconds kDyingTimeout{5};
// The helper takes some milliseconds a realm.
constexpr seconds kCleanTimeout{10};
// Until it is said for whom a restart waits.
constexpr seconds kPatience{5};

void AwaitDeath(const base::UniqueFd& pidfd) {
  if (!pidfd) return;
  pollfd waiting{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  ::poll(&waiting, 1, static_cast<int>(std::chrono::milliseconds(kDyingTimeout).count()));
}

}  // namespace

Settlement::Settlement(const plan::Plan& plan, const Wiring& wiring, std::size_t node, std::vector<Awaited> awaited,
                       base::UniqueFd dying)
    : plan_(plan),
      wiring_(wiring),
      node_(node),
      awaited_(std::move(awaited)),
      gone_(awaited_.size()),
      dying_(std::move(dying)) {}

auto Settlement::Run(const std::function<void(const std::string& edges)>& on_patience) -> base::Status {
  AwaitDeath(dying_);
  const auto& node = plan_.nodes.at(node_);
  std::set<std::size_t> read;
  for (const auto edge : node.inputs) read.insert(plan_.edges.at(edge).output);
  PENSTOCK_TRY(Clean({read.begin(), read.end()}));
  if (!AwaitConsumers(on_patience)) return {};
  return Clean(node.outputs);
}

void Settlement::Gone(std::size_t consumer) {
  for (std::size_t i = 0; i < awaited_.size(); ++i) {
    if (awaited_[i].consumer == consumer) gone_[i].store(true);
  }
  wiring_.doorbell(node_).credit().Ring();
}

void Settlement::Stop() {
  stopped_.store(true);
  wiring_.doorbell(node_).credit().Ring();
}

auto Settlement::Settled(const Awaited& awaited) const -> bool {
  const auto& block = wiring_.edge(awaited.edge);
  return block->acked.load(std::memory_order_acquire) >=
         std::max(block->published.load(std::memory_order_acquire), block->taken.load(std::memory_order_acquire));
}

// Waits where the dead producer did: at the bell that its consumers ring when they acknowledge.
auto Settlement::AwaitConsumers(const std::function<void(const std::string& edges)>& on_patience) -> bool {
  std::string edges;
  const auto ready = [&] {
    if (stopped_.load()) return true;
    edges.clear();
    for (std::size_t i = 0; i < awaited_.size(); ++i) {
      if (gone_[i].load() || Settled(awaited_[i])) continue;
      edges += fmt::format("{}'{}'", edges.empty() ? "" : ", ", plan_.edges[awaited_[i].edge].id);
    }
    return edges.empty();
  };
  auto& bell = wiring_.doorbell(node_).credit();
  if (!transport::WaitAt(bell, base::Deadline::In(kPatience), 0, ready)) {
    on_patience(edges);
    transport::WaitAt(bell, base::Deadline::Never(), 0, ready);
  }
  return !stopped_.load();
}

auto Settlement::Clean(const std::vector<std::size_t>& outputs) -> base::Status {
  for (const auto output : outputs) {
    if (stopped_.load()) return {};
    auto cleaned = transport::CleanDeadParticipants(wiring_.realm(output).fd(), base::Deadline::In(kCleanTimeout));
    if (!cleaned) {
      return tl::make_unexpected(std::move(cleaned).error().While(
          fmt::format("clearing what node '{}' left in shared memory", plan_.nodes[node_].id)));
    }
  }
  return {};
}

}  // namespace penstock::session
