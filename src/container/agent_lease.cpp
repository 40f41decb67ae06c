#include "container/agent_lease.h"

#include <sys/epoll.h>

#include "base/count.h"
#include "base/log.h"

namespace penstock::container {

AgentLease::AgentLease(base::PacketSocket socket, worker::Granted granted)
    : socket_(std::move(socket)), granted_(std::move(granted)) {}

AgentLease::~AgentLease() { Close(); }

auto AgentLease::Acquire(base::PacketSocket socket, worker::Lease ask, base::Deadline deadline)
    -> base::Expected<AgentLease> {
  PENSTOCK_TRY(worker::Send(socket, worker::ToAgent(std::move(ask))));
  PENSTOCK_ASSIGN(auto packet, socket.Receive(deadline));
  PENSTOCK_ASSIGN(auto received, worker::ParseFromAgent(std::move(packet)));
  if (const auto* full = std::get_if<worker::Full>(&received.message))
    return base::Fail(base::ErrorCode::kExhausted, "the agent serves {} already",
                      base::Count(full->sessions, "session"));
  const auto* granted = std::get_if<worker::Granted>(&received.message);
  if (granted == nullptr)
    return base::Fail(base::ErrorCode::kPeerCorrupt, "the agent answered a lease with something else");
  return AgentLease(std::move(socket), *granted);
}

auto AgentLease::Serve(base::EventLoop& loop, Handlers handlers) -> base::Status {
  handlers_ = std::move(handlers);
  PENSTOCK_TRY(loop.Watch(socket_.fd().get(), EPOLLIN, [this](std::uint32_t) { OnReadable(); }));
  loop_ = &loop;
  return {};
}

auto AgentLease::Spawn(worker::Spawn request, std::function<void(base::Expected<StartedWorker>)> on_started)
    -> base::Status {
  const auto id = request.id;
  PENSTOCK_TRY(worker::Send(socket_, worker::ToAgent(std::move(request))));
  starting_.insert_or_assign(id, std::move(on_started));
  return {};
}

auto AgentLease::Kill(std::uint64_t id, int signal) -> base::Status {
  return worker::Send(socket_, worker::ToAgent(worker::Kill{.id = id, .signal = signal}));
}

void AgentLease::Close() {
  if (loop_ != nullptr && socket_.valid()) loop_->Unwatch(socket_.fd().get());
  loop_ = nullptr;
  socket_.Close();
}

void AgentLease::OnReadable() {
  auto packet = socket_.Receive(base::Deadline::Never());
  auto received = packet ? worker::ParseFromAgent(std::move(*packet)) : tl::make_unexpected(packet.error());
  if (!received) {
    // Handlers may destroy this lease: nothing of it is touched after the call.
    const auto lost = handlers_.on_lost;
    const auto error = received.error();
    Close();
    lost(error);
    return;
  }
  if (auto* exited = std::get_if<worker::Exited>(&received->message)) {
    starting_.erase(exited->id);
    const auto handler = handlers_.on_exited;
    handler(*exited);
    return;
  }
  const auto finish = [this](std::uint64_t id, base::Expected<StartedWorker> result) {
    auto node = starting_.extract(id);
    if (node.empty()) {
      base::Log(base::LogLevel::kWarning, "the agent answered for worker {}, which nobody asked for", id);
      return;
    }
    node.mapped()(std::move(result));
  };
  if (auto* spawned = std::get_if<worker::Spawned>(&received->message)) {
    base::UniqueFd pidfd = received->fds.empty() ? base::UniqueFd() : std::move(received->fds.front());
    finish(spawned->id, StartedWorker{.id = spawned->id, .pidfd = std::move(pidfd)});
  } else if (auto* failed = std::get_if<worker::SpawnFailed>(&received->message)) {
    finish(failed->id, base::Fail(base::ErrorCode::kUnavailable, "{}", failed->error));
  }
}

}  // namespace penstock::container
