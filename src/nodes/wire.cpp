#include "nodes/wire.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <csignal>
#include <system_error>
#include <utility>

namespace penstock::nodes {

auto Wire::Start(base::PacketSocket control, PortSet& ports, std::function<void()> on_runtime_gone)
    -> base::Expected<std::unique_ptr<Wire>> {
  PENSTOCK_ASSIGN(auto loop, base::EventLoop::Create());
  base::UniqueFd stopped(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stopped) return base::SystemError("create an eventfd");
  std::unique_ptr<Wire> wire(
      new Wire(std::move(control), ports, std::move(on_runtime_gone), std::move(loop), std::move(stopped)));
  PENSTOCK_TRY(wire->loop_->Watch(wire->control_.fd().get(), EPOLLIN,
                                  [self = wire.get()](std::uint32_t) { self->OnReadable(); }));
  ports.memory().SpeakThrough([self = wire.get()](const worker::Grow& request) { return self->Say(request); });
  // Signals are the node's: Python's handlers must run on its main thread.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  base::Status started;
  try {
    wire->thread_ = std::thread([self = wire.get()] { self->Run(); });
  } catch (const std::system_error& error) {
    started =
        base::Fail(base::ErrorCode::kExhausted,
                   "no thread can be started for the ports ({}): raise docker.resource_limits.pids of the node, or "
                   "let its code start fewer threads",
                   error.what());
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!started) {
    wire->FailPorts(started.error());
    return tl::unexpected(std::move(started).error());
  }
  return wire;
}

Wire::Wire(base::PacketSocket control, PortSet& ports, std::function<void()> on_runtime_gone,
           std::unique_ptr<base::EventLoop> loop, base::UniqueFd stopped)
    : control_(std::move(control)),
      ports_(ports),
      on_runtime_gone_(std::move(on_runtime_gone)),
      loop_(std::move(loop)),
      stopped_(std::move(stopped)) {}

Wire::~Wire() {
  if (!thread_.joinable()) return;
  loop_->Stop();
  thread_.join();
}

auto Wire::Say(const worker::FromWorker& message) -> base::Status { return worker::Send(control_, message); }

void Wire::SayLast(const worker::FromWorker& message) {
  ending_.store(true);
  SayOnce(message);
}

void Wire::SayOnce(const worker::FromWorker& message) {
  if (last_words_.exchange(true)) return;
  static_cast<void>(Say(message));  // fails when the runtime has gone; then nobody wants to know
}

void Wire::HangUp() const noexcept { ::shutdown(control_.fd().get(), SHUT_RDWR); }

auto Wire::AwaitStart() -> base::Status {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return started_ || failure_; });
  if (failure_) return tl::unexpected(*failure_);
  return {};
}

void Wire::Run() {
  ::pthread_setname_np(::pthread_self(), "penstock-wire");
  if (auto opened = ports_.OpenOutputs(); !opened) {
    FailPorts(std::move(opened).error());
  } else {
    static_cast<void>(Say(ports_.DescribeOutputs()));  // a runtime that has gone shows as end of file
  }
  loop_->Run();
}

void Wire::OnReadable() {
  auto packet = control_.Receive(base::Deadline::Never());
  if (!packet) return OnGone();
  const auto received = worker::ParseToWorker(std::move(*packet));
  if (!received) {
    FailPorts(received.error());
    return OnGone();
  }
  Handle(received->message);
}

void Wire::Handle(const worker::ToWorker& message) {
  if (std::holds_alternative<worker::OpenInputs>(message)) {
    Step(ports_.OpenInputs(), worker::InputsOpen{});
  } else if (std::holds_alternative<worker::Connect>(message)) {
    Step(ports_.Connect(), worker::Connected{});
  } else if (std::holds_alternative<worker::Start>(message)) {
    const std::lock_guard lock(mutex_);
    started_ = true;
    changed_.notify_all();
  } else if (std::holds_alternative<worker::Stop>(message)) {
    stop_requested_.store(true, std::memory_order_release);
    SayStopped();
    ports_.bell().arrivals().Ring();
  } else if (const auto* peer = std::get_if<worker::Peer>(&message)) {
    peer->state == worker::Peer::State::kAttached ? ports_.PeerAttached(peer->edge) : ports_.PeerGone(peer->edge);
  } else if (const auto* grown = std::get_if<worker::Grown>(&message)) {
    ports_.memory().OnGrown(*grown);
  } else if (const auto* refused = std::get_if<worker::Refused>(&message)) {
    ports_.memory().OnRefused(*refused);
  } else {
    FailPorts(base::Error(base::ErrorCode::kPeerCorrupt, "the runtime configured this worker twice"));
  }
}

void Wire::Step(base::Status done, const worker::FromWorker& answer) {
  if (!done) return FailPorts(std::move(done).error());
  static_cast<void>(Say(answer));  // a runtime that has gone shows as end of file
}

// Told at once: the node's thread may be busy importing for a long time.
void Wire::FailPorts(base::Error error) {
  SayOnce(worker::Failed{.phase = "ports",
                         .error = std::string(base::ToString(error.code())),
                         .message = error.ToString(),
                         .traceback = {},
                         .edge = std::nullopt,
                         .sequence = std::nullopt});
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = std::move(error);
  changed_.notify_all();
}

void Wire::OnGone() {
  loop_->Unwatch(control_.fd().get());
  if (ending_.load()) return;  // the runtime needs nothing more from us, and the node's thread is about to exit
  runtime_gone_.store(true, std::memory_order_release);
  SayStopped();
  ports_.Interrupt();
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = base::Error(base::ErrorCode::kCancelled, "the runtime has gone");
    changed_.notify_all();
  }
  on_runtime_gone_();
}

void Wire::SayStopped() const noexcept { ::eventfd_write(stopped_.get(), 1); }

}  // namespace penstock::nodes
