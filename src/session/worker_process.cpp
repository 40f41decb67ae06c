#include "session/worker_process.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>

namespace penstock::session {

WorkerProcess::WorkerProcess(base::EventLoop& loop, std::string node, Handlers handlers)
    : loop_(loop),
      node_(std::move(node)),
      handlers_(std::move(handlers)),
      errors_(loop, [this](std::vector<observe::LogRecord> lines) { handlers_.on_lines(std::move(lines)); }) {
  resume_->post = [this] {
    loop_.Post([this, alive = std::weak_ptr(resume_)] {
      if (alive.expired() || !pipes_.contains(Stream::kStdout)) return;
      if (const auto watched = WatchPipe(Stream::kStdout); !watched) handlers_.on_protocol_error(watched.error());
    });
  };
}

WorkerProcess::~WorkerProcess() {
  {
    const std::lock_guard lock(resume_->mutex);
    resume_->post = nullptr;
  }
  if (control_.valid()) loop_.Unwatch(control_.fd().get());
  for (auto& [stream, pipe] : pipes_) loop_.Unwatch(pipe.fd.get());
  if (pidfd_) loop_.Unwatch(pidfd_.get());
}

auto WorkerProcess::OpenPipe(Stream stream) -> base::Expected<base::UniqueFd> {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return base::SystemError("create a pipe");
  base::UniqueFd ours(ends[0]);
  base::UniqueFd theirs(ends[1]);
  if (::fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0) return base::SystemError("make a pipe non-blocking");
  // Log records are written by us in the worker, where one too many is dropped and counted rather than waited for. What
  // else a worker writes is written by anybody, who expects that writing waits: so those pipes are large and read first
  // of all.
  if (stream == Stream::kLog && ::fcntl(theirs.get(), F_SETFL, O_NONBLOCK) != 0)
    return base::SystemError("make a pipe non-blocking");
  constexpr int kPipeBytes = 1 << 20;  // refused above the user's limit
  ::fcntl(ours.get(), F_SETPIPE_SZ, kPipeBytes);
  const auto longest = stream == Stream::kLog ? kMaxRecordBytes : observe::LineReader::kMaxLineBytes;
  pipes_.try_emplace(
      stream, Pipe{.fd = std::move(ours),
                   .reader = observe::LineReader([this, stream](const auto& line) { OnLine(stream, line); }, longest)});
  PENSTOCK_TRY(WatchPipe(stream));
  return theirs;
}

auto WorkerProcess::WatchPipe(Stream stream) -> base::Status {
  return loop_.Watch(pipes_.at(stream).fd.get(), EPOLLIN, [this, stream](std::uint32_t) { OnReadable(stream); });
}

void WorkerProcess::OnReadable(Stream stream) {
  auto& pipe = pipes_.at(stream);
  if (stream == Stream::kStdout && !handlers_.has_room([resume = resume_] {
        const std::lock_guard lock(resume->mutex);
        if (resume->post) resume->post();
      })) {
    return loop_.Unwatch(pipe.fd.get());
  }
  read_ns_ = observe::Now();
  if (pipe.reader.ReadSome(pipe.fd.get()) != observe::LineReader::Got::kEnd) return;
  if (stream == Stream::kStderr) errors_.Flush();
  loop_.Unwatch(pipe.fd.get());
  pipes_.erase(stream);
}

auto WorkerProcess::Spawn(container::AgentLease& lease, std::uint64_t id, const WorkerCommand& command)
    -> base::Status {
  PENSTOCK_ASSIGN(auto sockets, base::PacketSocket::Pair());
  control_ = std::move(sockets.first);
  PENSTOCK_TRY(
      loop_.Watch(control_.fd().get(), EPOLLIN, [this](std::uint32_t) { ReadControl(base::Deadline::Never()); }));
  PENSTOCK_ASSIGN(const auto out, OpenPipe(Stream::kStdout));
  PENSTOCK_ASSIGN(const auto err, OpenPipe(Stream::kStderr));
  PENSTOCK_ASSIGN(const auto records, OpenPipe(Stream::kLog));
  worker::Spawn request;
  request.id = id;
  request.argv = command.argv;
  request.env = command.env;
  request.cwd = command.cwd;
  request.share = command.share;
  request.targets = {worker::kStdout, worker::kStderr, worker::kControl, worker::kRecords};
  request.fds = {out.get(), err.get(), sockets.second.fd().get(), records.get()};
  return lease.Spawn(std::move(request), [this](base::Expected<container::StartedWorker> started) {
    if (!started) return handlers_.on_spawn_failed(started.error());
    pidfd_ = std::move(started->pidfd);
    // The kernel's own word on the worker's end; how it ended comes from its agent.
    const auto watched = loop_.Watch(pidfd_.get(), EPOLLIN, [this](std::uint32_t) {
      loop_.Unwatch(pidfd_.get());
      handlers_.on_died();
    });
    if (!watched) return handlers_.on_spawn_failed(watched.error());
    handlers_.on_spawned();
  });
}

auto WorkerProcess::Send(const worker::ToWorker& message) -> base::Status {
  if (!control_.valid()) return base::Fail(base::ErrorCode::kPeerGone, "the worker has ended");
  return worker::Send(control_, message);
}

void WorkerProcess::DrainOutput() {
  // As much as the pipes hold; a worker that is still writing (it is about to be ended) gets no more than that.
  constexpr int kReads = 32;
  read_ns_ = observe::Now();
  for (auto& [stream, pipe] : pipes_) {
    auto got = observe::LineReader::Got::kSome;
    for (int i = 0; i < kReads && got == observe::LineReader::Got::kSome; ++i)
      got = pipe.reader.ReadSome(pipe.fd.get());
    if (got != observe::LineReader::Got::kEnd) pipe.reader.End();
    loop_.Unwatch(pipe.fd.get());
  }
  errors_.Flush();
  pipes_.clear();
}

void WorkerProcess::OnLine(Stream stream, const observe::LineReader::Line& line) {
  if (stream == Stream::kLog) {
    std::vector<observe::LogRecord> one;
    one.push_back(observe::RecordOfWorker(line.text, node_, read_ns_));
    return handlers_.on_lines(std::move(one));
  }
  observe::LogRecord record{.time_ns = read_ns_,
                            .node = node_,
                            .stream = stream,
                            .level = stream == Stream::kStderr ? base::LogLevel::kWarning : base::LogLevel::kInfo,
                            .text = std::string(line.text),
                            .continued = line.continued};
  if (stream == Stream::kStderr) return errors_.Add(std::move(record));
  std::vector<observe::LogRecord> one;
  one.push_back(std::move(record));
  handlers_.on_lines(std::move(one));
}

auto WorkerProcess::ReadControl(base::Deadline deadline) -> bool {
  auto packet = control_.Receive(deadline);
  if (!packet && packet.error().code() == base::ErrorCode::kDeadline) return false;
  if (!packet) {
    // End of file: its exit is reported by the agent, which knows how it ended.
    loop_.Unwatch(control_.fd().get());
    control_.Close();
    handlers_.on_hung_up();
    return false;
  }
  auto received = worker::ParseFromWorker(std::move(*packet));
  if (!received) {
    handlers_.on_protocol_error(received.error());
  } else {
    handlers_.on_message(std::move(*received));
  }
  return true;
}

void WorkerProcess::DrainControl() {
  while (control_.valid() && ReadControl(base::Deadline::In(std::chrono::nanoseconds::zero()))) {
  }
}

}  // namespace penstock::session
