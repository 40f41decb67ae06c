// Processes that serve several sessions: spawns with the same key, once the node's class has asked for it.
//
// The first spawn of a key starts a process as any other, with one descriptor more: the link. Later ones wait until the
// process has said over the link whether it is shared. If it is, their descriptors are handed to it; if not, they start
// processes of their own. A process that is shared stays, with what it has loaded, until the agent ends, somebody is
// stuck in it or has left messages in it, or it has no session while another process is started (which may need the
// memory).
//
// A session's realms sit at descriptor numbers that are its own while its runtime lives; then the next one may get
// them. So a session that comes while another is being ended waits until that one has closed its descriptors, or is
// stuck.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "base/log.h"
#include "worker/agent/agent.h"

namespace penstock::worker::agent {
namespace {
using base::ErrorCode;
using base::Fail;

// How long a session that was asked to go may take before no further session is sent to its process.
constexpr std::chrono::seconds kGrace{10};
constexpr std::size_t kMostOwnKeys = 4096;  // remembered; beyond that they are found out again

auto ExitedBy(std::uint64_t id, std::optional<int> code, std::optional<int> signal) -> Exited {
  Exited exited;
  exited.id = id;
  exited.code = code;
  exited.signal = signal;
  return exited;
}

void EndTree(const base::PacketSocket& lifeline) { ::shutdown(lifeline.fd().get(), SHUT_WR); }

}  // namespace

auto Agent::ShareOrHost(LeaseId id, Received<ToAgent>& request, std::unique_ptr<Hosting>& hosting)
    -> base::Expected<bool> {
  auto& spawn = std::get<Spawn>(request.message);
  if (spawn.share.empty() || own_.contains(spawn.share)) {
    EndIdleHosts();
    return false;
  }
  if (spawn.targets != std::vector{kStdout, kStderr, kControl, kRecords})
    return Fail(ErrorCode::kInvalidArgument, "a request that may share a process has the targets 1, 2, 3 and 4");
  if (const auto host = hosts_.find(spawn.share); host != hosts_.end()) {
    leases_.at(id).workers[spawn.id] = {.keeper = host->second, .number = std::nullopt};
    auto& shared = *workers_.at(host->second).hosting;
    std::set<std::uint64_t> behind;
    for (const auto& [number, guest] : shared.guests) {
      if (guest.ending) behind.insert(number);
    }
    shared.waiting.push_back({.lease = id, .request = std::move(request), .behind = std::move(behind)});
    AdmitWaiting(host->second);
    return true;
  }
  EndIdleHosts();
  PENSTOCK_ASSIGN(auto pair, base::PacketSocket::Pair());
  hosting = std::make_unique<Hosting>();
  hosting->key = spawn.share;
  hosting->link = std::move(pair.first);
  spawn.targets.push_back(kAgentLink);
  spawn.env[kAgentLinkVariable] = std::to_string(kAgentLink);
  request.fds.push_back(pair.second.Release());
  return false;
}

auto Agent::WatchLink(KeeperId id) -> base::Status {
  const auto& hosting = workers_.at(id).hosting;
  if (!hosting) return {};
  return loop_->Watch(hosting->link.fd().get(), EPOLLIN, [this, id](std::uint32_t) { OnLink(id); });
}

void Agent::OnLink(KeeperId id) {
  auto& worker = workers_.at(id);
  auto packet = worker.hosting->link.Receive(base::Deadline::Never());
  if (!packet && packet.error().code() == ErrorCode::kPeerGone) {
    // It has ended, as its keeper will say, or can be told nothing any more.
    if (worker.hosting->shared) EndTree(worker.lifeline);
    return Disown(worker);
  }
  if (!packet) return Violated(id, packet.error().ToString());
  const auto message = ParseFromHosted(*packet);
  if (!message) return Violated(id, message.error().ToString());
  HandleHosted(id, *message);
}

void Agent::HandleHosted(KeeperId id, const FromHosted& message) {
  auto& worker = workers_.at(id);
  const auto* decided = std::get_if<Decided>(&message);
  if ((decided != nullptr) == worker.hosting->shared)
    return Violated(id, decided != nullptr ? "it decided twice" : "a session left before it was shared");
  if (decided == nullptr) return GuestLeft(id, std::get<Left>(message));
  if (decided->shared) {
    worker.hosting->shared = true;
    return AdmitWaiting(id);
  }
  if (own_.size() >= kMostOwnKeys) own_.clear();
  own_.insert(worker.hosting->key);
  Disown(worker);
}

void Agent::Violated(KeeperId id, const std::string& how) {
  auto& worker = workers_.at(id);
  base::Log(base::LogLevel::kError, "penstock-agent: ended a shared process: {}", how);
  EndTree(worker.lifeline);
  Disown(worker);
}

void Agent::AdmitWaiting(KeeperId id) {
  auto& worker = workers_.at(id);
  auto& hosting = *worker.hosting;
  if (!hosting.shared || !worker.pidfd) return;
  for (auto& waiting : std::exchange(hosting.waiting, {})) {
    const bool must_wait = std::any_of(waiting.behind.begin(), waiting.behind.end(),
                                       [&](const auto number) { return hosting.guests.contains(number); });
    if (must_wait) {
      hosting.waiting.push_back(std::move(waiting));
    } else {
      Admit(id, std::move(waiting));
    }
  }
}

void Agent::Admit(KeeperId id, Waiting waiting) {
  auto& worker = workers_.at(id);
  const auto& spawn = std::get<Spawn>(waiting.request.message);
  auto pidfd = worker.pidfd.Duplicate();
  if (!pidfd) {
    leases_.at(waiting.lease).workers.erase(spawn.id);
    return Tell(waiting.lease, SpawnFailed{.id = spawn.id, .error = pidfd.error().message(), .saved_errno = EMFILE});
  }
  const auto number = worker.hosting->next_number++;
  worker.hosting->guests[number] = {.lease = waiting.lease, .id = spawn.id};
  leases_.at(waiting.lease).workers[spawn.id] = {.keeper = id, .number = number};
  TellHosted(id, Join{.number = number}, std::move(waiting.request.fds));
  Tell(waiting.lease, Spawned{.id = spawn.id, .pid = worker.pid}, std::move(*pidfd));
}

// --- the end of sessions
// ------------------------------------------------------------------------------------------------

void Agent::EndPlace(LeaseId lease, std::uint64_t worker_id, const Place& place) {
  const auto found = workers_.find(place.keeper);
  if (found == workers_.end()) return;
  auto& worker = found->second;
  if (!place.number) {
    std::erase_if(worker.hosting->waiting, [&](const Waiting& waiting) {
      return waiting.lease == lease && std::get<Spawn>(waiting.request.message).id == worker_id;
    });
    return TellExited(lease, ExitedBy(worker_id, std::nullopt, SIGKILL));
  }
  if (worker.hosting && worker.hosting->shared) return EndGuest(place.keeper, *place.number);
  // The keeper sees the end of its lifeline, ends its tree, and is dropped when it has.
  EndTree(worker.lifeline);
  Disown(worker);
}

void Agent::EndGuest(KeeperId id, std::uint64_t number) {
  auto& worker = workers_.at(id);
  const auto guest = worker.hosting->guests.find(number);
  if (guest == worker.hosting->guests.end() || guest->second.ending) return;
  guest->second.ending = true;
  TellHosted(id, End{.number = number}, {});
  EndIfOnlyStuck(worker);
  loop_->After(kGrace, [this, id, number] {
    const auto found = workers_.find(id);
    if (found == workers_.end() || !found->second.hosting || !found->second.hosting->guests.contains(number)) return;
    Retire(id);
  });
}

void Agent::GuestLeft(KeeperId id, const Left& left) {
  auto& worker = workers_.at(id);
  auto& guests = worker.hosting->guests;
  const auto guest = guests.find(left.number);
  if (guest == guests.end() || guest->second.left)
    return Violated(id, fmt::format("session {} left, which it does not have", left.number));
  if (left.keeps) {
    guest->second.left = left.code;
    guest->second.ending = true;
    const bool alone = std::ranges::all_of(guests, [](const auto& each) { return each.second.ending; });
    if (!alone) {
      auto exited = ExitedBy(guest->second.id, left.code, std::nullopt);
      exited.keeps = true;
      TellExited(guest->second.lease, exited);
      guests.erase(guest);
    }
    return Retire(id);
  }
  TellExited(guest->second.lease, ExitedBy(guest->second.id, left.code, std::nullopt));
  guests.erase(guest);
  AdmitWaiting(id);
  EndIfOnlyStuck(worker);
}

void Agent::Retire(KeeperId id) {
  auto& worker = workers_.at(id);
  worker.hosting->retired = true;
  if (const auto host = hosts_.find(worker.hosting->key); host != hosts_.end() && host->second == id)
    hosts_.erase(host);
  EndIfOnlyStuck(worker);
  StartAnew(std::exchange(worker.hosting->waiting, {}));
}

void Agent::EndIfOnlyStuck(WorkerState& worker) {
  const auto& guests = worker.hosting->guests;
  if (!worker.hosting->retired) return;
  if (std::all_of(guests.begin(), guests.end(), [](const auto& each) { return each.second.ending; }))
    EndTree(worker.lifeline);
}

void Agent::EndIdleHosts() {
  for (const auto& [key, keeper] : std::exchange(hosts_, {})) {
    auto& worker = workers_.at(keeper);
    if (worker.hosting->shared && worker.hosting->guests.empty() && worker.hosting->waiting.empty()) {
      EndTree(worker.lifeline);
    } else {
      hosts_.emplace(key, keeper);
    }
  }
}

void Agent::Disown(WorkerState& worker) {
  if (!worker.hosting) return;
  if (worker.hosting->link.valid()) {
    loop_->Unwatch(worker.hosting->link.fd().get());
    worker.hosting->link.Close();
  }
  if (const auto host = hosts_.find(worker.hosting->key); host != hosts_.end() && &workers_.at(host->second) == &worker)
    hosts_.erase(host);
  auto again = std::exchange(worker.hosting->waiting, {});
  // Those that it serves are told when it has ended.
  if (!worker.hosting->shared) worker.hosting.reset();
  StartAnew(std::move(again));
}

void Agent::StartAnew(std::deque<Waiting> again) {
  for (auto& waiting : again) {
    const auto lease = leases_.find(waiting.lease);
    if (lease == leases_.end()) continue;
    lease->second.workers.erase(std::get<Spawn>(waiting.request.message).id);
    StartWorker(waiting.lease, std::move(waiting.request));
  }
}

// --- what it is told
// ----------------------------------------------------------------------------------------------------

void Agent::TellHosted(KeeperId id, ToHosted message, std::vector<base::UniqueFd> fds) {
  auto& hosting = *workers_.at(id).hosting;
  if (!hosting.link.valid()) return;
  hosting.outgoing.push_back({.message = message, .fds = std::move(fds)});
  FlushLink(id);
}

// A process that does not read must not hold up the leases of others.
void Agent::FlushLink(KeeperId id) {
  auto& hosting = *workers_.at(id).hosting;
  while (!hosting.outgoing.empty() && MayWrite(hosting.link)) {
    const auto& next = hosting.outgoing.front();
    std::vector<int> fds;
    for (const auto& fd : next.fds) fds.push_back(fd.get());
    // A failure here is a process that has gone: its end of file comes next.
    static_cast<void>(Send(hosting.link, next.message, fds));
    hosting.outgoing.pop_front();
  }
  const std::uint32_t events = hosting.outgoing.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT;
  if (events == hosting.watched_events) return;
  hosting.watched_events = events;
  loop_->Unwatch(hosting.link.fd().get());
  static_cast<void>(loop_->Watch(hosting.link.fd().get(), events, [this, id](std::uint32_t ready) {
    if ((ready & EPOLLOUT) != 0) FlushLink(id);
    if ((ready & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) OnLink(id);
  }));
}

}  // namespace penstock::worker::agent
