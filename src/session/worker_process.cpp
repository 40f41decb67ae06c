#include "session/worker_process.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>

namespace penstock::session {
namespace {

// As base::ToString and the SDK's logging handler spell them.
auto LevelOf(const std::string& name) -> base::LogLevel {
  for (const auto level : {base::LogLevel::kDebug, base::LogLevel::kWarning, base::LogLevel::kError}) {
    if (name == base::ToString(level)) return level;
  }
  return base::LogLevel::kInfo;
}

}  // namespace

WorkerProcess::WorkerProcess(base::EventLoop& loop, Handlers handlers) : loop_(loop), handlers_(std::move(handlers)) {}

WorkerProcess::~WorkerProcess() {
  if (control_.valid()) loop_.Unwatch(control_.fd().get());
  for (auto& [stream, pipe] : pipes_) loop_.Unwatch(pipe.fd.get());
  if (pidfd_) loop_.Unwatch(pidfd_.get());
}

auto WorkerProcess::OpenPipe(Stream stream) -> base::Expected<base::UniqueFd> {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return base::SystemError("create a pipe");
  base::UniqueFd ours(ends[0]);
  base::UniqueFd theirs(ends[1]);
  // Only our end: the worker's writes must block rather than fail.
  if (::fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0) return base::SystemError("make a pipe non-blocking");
  constexpr int kPipeBytes = 1 << 20;  // what a burst may hold before the worker waits; refused above the user's limit
  ::fcntl(ours.get(), F_SETPIPE_SZ, kPipeBytes);
  const int fd = ours.get();
  pipes_.try_emplace(
      stream, Pipe{.fd = std::move(ours),
                   .reader = observe::LineReader([this, stream](const auto& line) { OnLine(stream, line.text); })});
  PENSTOCK_TRY(loop_.Watch(fd, EPOLLIN, [this, stream](std::uint32_t) {
    auto& pipe = pipes_.at(stream);
    if (pipe.reader.ReadSome(pipe.fd.get()) != observe::LineReader::Got::kEnd) return;
    loop_.Unwatch(pipe.fd.get());
    pipes_.erase(stream);
  }));
  return theirs;
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
    if (!watched) handlers_.on_spawn_failed(watched.error());
  });
}

auto WorkerProcess::Send(const worker::ToWorker& message) -> base::Status {
  if (!control_.valid()) return base::Fail(base::ErrorCode::kPeerGone, "the worker has ended");
  return worker::Send(control_, message);
}

void WorkerProcess::DrainOutput() {
  // As much as the pipes hold; a worker that is still writing (it is about to be ended) gets no more than that.
  constexpr int kReads = 32;
  for (auto& [stream, pipe] : pipes_) {
    auto got = observe::LineReader::Got::kSome;
    for (int i = 0; i < kReads && got == observe::LineReader::Got::kSome; ++i)
      got = pipe.reader.ReadSome(pipe.fd.get());
    if (got != observe::LineReader::Got::kEnd) pipe.reader.End();
    loop_.Unwatch(pipe.fd.get());
  }
  pipes_.clear();
}

void WorkerProcess::OnLine(Stream stream, std::string_view text) {
  if (stream != Stream::kLog) return handlers_.on_line(stream, base::LogLevel::kInfo, text);
  const auto record = nlohmann::json::parse(text, nullptr, false);
  if (!record.is_object()) return handlers_.on_line(stream, base::LogLevel::kInfo, text);
  const auto level = record.value("level", nlohmann::json());
  const auto message = record.value("message", nlohmann::json());
  handlers_.on_line(stream, LevelOf(level.is_string() ? level.get<std::string>() : ""),
                    message.is_string() ? message.get<std::string>() : std::string(text));
}

auto WorkerProcess::ReadControl(base::Deadline deadline) -> bool {
  auto packet = control_.Receive(deadline);
  if (!packet && packet.error().code() == base::ErrorCode::kDeadline) return false;
  if (!packet) {
    // End of file: its exit is reported by the agent, which knows how it ended.
    loop_.Unwatch(control_.fd().get());
    control_.Close();
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
