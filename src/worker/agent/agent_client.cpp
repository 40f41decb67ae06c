#include "worker/agent/agent_client.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace penstock::worker::agent {

AgentProcess::AgentProcess(const std::vector<std::string>& arguments, int lease_fd, std::uint64_t descriptor_limit) {
  const char* program = std::getenv("PENSTOCK_AGENT");
  if (program == nullptr) std::abort();  // set by ctest
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    if (lease_fd >= 0) ::dup2(lease_fd, 3);
    const rlimit limit{.rlim_cur = descriptor_limit, .rlim_max = descriptor_limit};
    if (descriptor_limit != 0) ::setrlimit(RLIMIT_NOFILE, &limit);
    std::vector<char*> argv{const_cast<char*>(program)};
    for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::execv(program, argv.data());
    ::_exit(127);
  }
  pidfd_ = OpenPidfd(pid_);
}

AgentProcess::~AgentProcess() {
  if (reaped_) return;
  Kill(SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void AgentProcess::Kill(int signal) const { ::syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0); }

auto AgentProcess::Wait() -> int {
  EXPECT_TRUE(Ended(pidfd_)) << "the agent does not end";
  if (testing::Test::HasFailure()) Kill(SIGKILL);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  reaped_ = true;
  return status;
}

auto Client::OnHost(std::unique_ptr<AgentProcess>& agent, std::uint64_t descriptor_limit) -> Client {
  auto [here, there] = base::PacketSocket::Pair().value();
  agent = std::make_unique<AgentProcess>(std::vector<std::string>{"--lease", "3"}, there.fd().get(), descriptor_limit);
  Client client(std::move(here));
  client.TakeLease();
  return client;
}

void Client::Ask(const Lease& lease) { EXPECT_TRUE(Send(socket_, ToAgent(lease))); }
void Client::AskStanding() { EXPECT_TRUE(Send(socket_, ToAgent(worker::Ask{}))); }

auto Client::TakeLease(const Lease& lease) -> Granted {
  Ask(lease);
  return Next<Granted>();
}

void Client::SpawnShell(std::uint64_t id, const std::string& script, int out) {
  SpawnRaw({.id = id,
            .argv = {"/bin/sh", "-c", script},
            .env = {{"PATH", "/usr/bin:/bin"}},
            .cwd = "/",
            .targets = {1},
            .fds = {out}});
}

void Client::SpawnRaw(const Spawn& spawn) { ASSERT_TRUE(Send(socket_, ToAgent(spawn))); }

auto NewPipe() -> Pipe {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
  return {.read = base::UniqueFd(ends[0]), .write = base::UniqueFd(ends[1])};
}

namespace {
auto WaitReadable(const base::UniqueFd& fd) -> bool {
  pollfd waiting{.fd = fd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&waiting, 1, base::Deadline::In(kWatchdog).poll_timeout_ms()) == 1;
}
}  // namespace

auto ReadAll(const base::UniqueFd& fd) -> std::string {
  std::string text;
  std::array<char, 4096> chunk{};
  while (WaitReadable(fd)) {
    const auto got = ::read(fd.get(), chunk.data(), chunk.size());
    if (got <= 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  ADD_FAILURE() << "somebody still holds the pipe; so far: " << text;
  return text;
}

auto ReadLine(const base::UniqueFd& fd) -> std::string {
  std::string text;
  char c = 0;
  while (WaitReadable(fd) && ::read(fd.get(), &c, 1) == 1) {
    if (c == '\n') return text;
    text += c;
  }
  ADD_FAILURE() << "no line; so far: " << text;
  return text;
}

auto Ended(const base::UniqueFd& pidfd) -> bool { return !pidfd || WaitReadable(pidfd); }

auto OpenPidfd(pid_t pid) -> base::UniqueFd {
  return base::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

}  // namespace penstock::worker::agent
