#include "session/settlement.h"

#include <poll.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <utility>

#include "base/count.h"
#include "transport/cleanup.h"
#include "transport/output_port.h"

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

// One at a time: two that meet in one realm count each other's work as failures.
auto CleanOnce(const base::UniqueFd& realm) -> base::Expected<transport::CleanupReport> {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  return transport::CleanDeadParticipants(realm, base::Deadline::In(kCleanTimeout));
}

}  // namespace

Settlement::Settlement(const plan::Plan& plan, const Wiring& wiring, std::size_t node, std::vector<Awaited> awaited,
                       base::UniqueFd dying)
    : plan_(plan),
      wiring_(wiring),
      node_(node),
      awaited_(std::move(awaited)),
      gone_(awaited_.size()),
      given_up_(awaited_.size()),
      dying_(std::move(dying)) {}

auto Settlement::Run(const std::function<void(const std::string& edges)>& on_patience) -> base::Status {
  AwaitDeath(dying_);
  SayGone();
  const auto& node = plan_.nodes.at(node_);
  std::set<std::size_t> read;
  for (const auto edge : node.inputs) read.insert(plan_.edges.at(edge).output);
  PENSTOCK_TRY(Clean({read.begin(), read.end()}));
  WriteOff();
  RingConsumers();
  if (!AwaitConsumers(on_patience)) return {};
  return Clean(node.outputs);
}

void Settlement::Gone(std::size_t consumer) {
  for (std::size_t i = 0; i < awaited_.size(); ++i) {
    if (awaited_[i].consumer == consumer) gone_[i].store(true);
  }
  wiring_.doorbell(node_).credit().Ring();
}

auto Settlement::IsAwaitedAt(std::size_t edge) const -> bool {
  for (std::size_t i = 0; i < awaited_.size(); ++i) {
    if (awaited_[i].edge == edge) return !gone_[i].load() && !Settled(awaited_[i]);
  }
  return false;
}

void Settlement::Stop() {
  stopped_.store(true);
  wiring_.doorbell(node_).credit().Ring();
}

auto Settlement::Settled(const Awaited& awaited) const -> bool {
  const auto& block = wiring_.edge(awaited.edge);
  const auto acked = block->acked.load(std::memory_order_acquire);
  const auto sent =
      std::max(block->published.load(std::memory_order_acquire), block->taken.load(std::memory_order_acquire));
  // More than the edge is deep was never sent: the dead node, or the consumer, has written nonsense.
  if (acked >= sent || sent - acked > block.contract().depth) return true;
  if (block->awaits.load(std::memory_order_seq_cst) == transport::Awaits::kNothing) return false;
  return impatient_ || block->taken.load(std::memory_order_acquire) >= sent || IsAwaitedBy(awaited.consumer);
}

auto Settlement::IsAwaitedBy(std::size_t consumer) const -> bool {
  return std::ranges::any_of(awaited_, [&](const Awaited& awaited) {
    return awaited.consumer == consumer && wiring_.edge(awaited.edge)->awaits.load() == transport::Awaits::kThisInput;
  });
}

// So that a consumer that begins to wait for input rings the bell that is waited at here.
void Settlement::SayGone() const {
  for (const auto output : plan_.nodes[node_].outputs) {
    for (const auto edge : plan_.outputs[output].edges)
      wiring_.edge(edge)->producer_state.store(transport::EndState::kDetached, std::memory_order_seq_cst);
  }
}

auto Settlement::Unsettled() const -> std::string {
  std::string edges;
  for (std::size_t i = 0; i < awaited_.size(); ++i) {
    const auto& awaited = awaited_[i];
    if (!given_up_[i] && !Settled(awaited))
      edges += fmt::format("{}'{}'", edges.empty() ? "" : ", ", plan_.edges[awaited.edge].id);
  }
  return edges;
}

auto Settlement::AnyGone() const -> bool {
  for (std::size_t i = 0; i < awaited_.size(); ++i) {
    if (gone_[i].load() && !given_up_[i]) return true;
  }
  return false;
}

void Settlement::WriteOff() {
  std::set<std::size_t> still_awaited;
  for (std::size_t i = 0; i < awaited_.size(); ++i) {
    given_up_[i] = gone_[i].load();
    if (!given_up_[i]) still_awaited.insert(awaited_[i].edge);
  }
  for (const auto output : plan_.nodes[node_].outputs) {
    const auto& edges = plan_.outputs[output].edges;
    std::vector<const transport::ControlLayout*> blocks;
    for (const auto edge : edges) blocks.push_back(wiring_.edge(edge).operator->());
    const auto next = transport::NextSequence(blocks);
    for (const auto edge : edges) {
      if (still_awaited.contains(edge) || MayDrop(plan_.edges[edge].policy)) continue;
      auto& block = *wiring_.edge(edge).operator->();
      block.first_of_epoch.store(next, std::memory_order_release);
      block.refreshed.fetch_add(1, std::memory_order_release);
      wiring_.doorbell(wiring_.consumer_of(edge)).arrivals().Ring();
    }
  }
}

// The dead producer may have ended between what it published and the bells of those who sleep until it comes.
void Settlement::RingConsumers() {
  for (const auto& awaited : awaited_) wiring_.doorbell(awaited.consumer).arrivals().Ring();
}

// Waits where the dead producer did: at the bell that its consumers ring when they acknowledge. Looks again now and
// then, as a hostile consumer could keep it from being woken.
auto Settlement::AwaitConsumers(const std::function<void(const std::string& edges)>& on_patience) -> bool {
  const auto ready = [&] { return stopped_.load() || AnyGone() || Unsettled().empty(); };
  auto& bell = wiring_.doorbell(node_).credit();
  for (bool told = false; !stopped_.load() && !Unsettled().empty();) {
    if (transport::WaitAt(bell, base::Deadline::In(kPatience), 0, ready)) {
      if (AnyGone()) WriteOff();
    } else if (!std::exchange(told, true)) {
      impatient_ = true;
      if (const auto edges = Unsettled(); !edges.empty()) on_patience(edges);
    }
  }
  return !stopped_.load();
}

auto Settlement::Clean(const std::vector<std::size_t>& outputs) -> base::Status {
  for (const auto output : outputs) {
    if (stopped_.load()) return {};
    const auto& realm = wiring_.realm(output).fd();
    auto cleaned = CleanOnce(realm);
    if (cleaned && cleaned->failed > 0) cleaned = CleanOnce(realm);
    if (cleaned && cleaned->failed > 0) {
      cleaned = base::Fail(base::ErrorCode::kPeerCorrupt, "what {} left is damaged",
                           base::Count(cleaned->failed, "dead participant"));
    }
    if (!cleaned) {
      return tl::make_unexpected(std::move(cleaned).error().While(
          fmt::format("clearing what node '{}' left in shared memory", plan_.nodes[node_].id)));
    }
  }
  return {};
}

}  // namespace penstock::session
