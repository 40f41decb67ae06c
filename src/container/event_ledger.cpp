#include "container/event_ledger.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <utility>

#include "base/unique_fd.h"
#include "container/container.h"

namespace penstock::container {
namespace {

// A runtime that lives for months forgets the oldest containers that have ended.
constexpr std::size_t kEndedKept = 256;

auto Attribute(const docker::Event& event, const std::string& name) -> std::optional<int> {
  const auto found = event.attributes.find(name);
  if (found == event.attributes.end()) return std::nullopt;
  const auto& text = found->second;
  int value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) return std::nullopt;
  return value;
}

auto Listens(const std::string& path) -> bool {
  sockaddr_un address{};
  if (path.size() >= sizeof(address.sun_path)) return true;
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  const base::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return true;
  const int result = ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  return result == 0 || (errno != ECONNREFUSED && errno != ENOENT);
}

}  // namespace

auto EventLedger::Subscription::operator=(Subscription&& other) noexcept -> Subscription& {
  std::swap(ledger_, other.ledger_);
  std::swap(listener_, other.listener_);
  return *this;
}

EventLedger::Subscription::~Subscription() {
  if (ledger_ == nullptr) return;
  const std::lock_guard lock(ledger_->listeners_mutex_);
  ledger_->listeners_.erase(listener_);
}

auto EventLedger::Follow(const docker::Engine& engine, const docker::Call& call)
    -> base::Expected<std::unique_ptr<EventLedger>> {
  auto ledger = std::make_unique<EventLedger>(engine.socket_path());
  PENSTOCK_ASSIGN(ledger->stream_, engine.Events(
                                       {.types = {"container"},
                                        .events = {"oom", "kill", "die"},
                                        .labels = {fmt::format("{}={}", kUserLabel, ::getuid())}},
                                       [raw = ledger.get()](const docker::Event& event) { raw->OnEvent(event); },
                                       [raw = ledger.get()](const base::Status& how) { raw->OnEnd(how); }, call));
  return ledger;
}

auto EventLedger::Listen(Listener listener) -> Subscription {
  const std::lock_guard lock(listeners_mutex_);
  listeners_.push_front(std::move(listener));
  return {*this, listeners_.begin()};
}

auto EventLedger::Of(const std::string& container) const -> EngineRecord {
  const std::lock_guard lock(mutex_);
  const auto found = records_.find(container);
  return found == records_.end() ? EngineRecord() : found->second;
}

auto EventLedger::is_lost() const -> bool {
  {
    const std::lock_guard lock(mutex_);
    if (lost_) return true;
  }
  return !engine_socket_.empty() && !Listens(engine_socket_);
}

auto EventLedger::AwaitEnd(const std::string& container, base::Deadline deadline) const -> EngineRecord {
  std::unique_lock lock(mutex_);
  const auto has_ended = [&] {
    const auto found = records_.find(container);
    return found != records_.end() && found->second.exit_code;
  };
  WaitUntil(lock, deadline, [&] { return lost_ || has_ended(); });
  const auto found = records_.find(container);
  return found == records_.end() ? EngineRecord() : found->second;
}

void EventLedger::WaitUntil(std::unique_lock<std::mutex>& lock, base::Deadline deadline,
                            const std::function<bool()>& done) const {
  if (deadline.never()) {
    changed_.wait(lock, done);
  } else {
    changed_.wait_until(lock, *deadline.time(), done);
  }
}

void EventLedger::OnEvent(const docker::Event& event) {
  {
    const std::lock_guard lock(mutex_);
    auto& record = records_[event.id];
    if (event.action == "oom") {
      record.out_of_memory = true;
    } else if (event.action == "kill") {
      record.signal_asked = Attribute(event, "signal");
    } else if (event.action == "die" && !record.exit_code) {
      record.exit_code = Attribute(event, "exitCode").value_or(0);
      ended_.push_back(event.id);
      if (ended_.size() > kEndedKept) {
        records_.erase(ended_.front());
        ended_.pop_front();
      }
    }
  }
  changed_.notify_all();
  if (event.action != "oom") return;
  const std::lock_guard lock(listeners_mutex_);
  for (const auto& listener : listeners_) listener.on_out_of_memory(event.id);
}

void EventLedger::OnEnd(const base::Status& how) {
  {
    const std::lock_guard lock(mutex_);
    lost_ = true;
  }
  changed_.notify_all();
  const std::lock_guard lock(listeners_mutex_);
  for (const auto& listener : listeners_) listener.on_lost(how);
}

}  // namespace penstock::container
