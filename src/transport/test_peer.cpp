#include "transport/test_peer.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace penstock::transport::testing {
namespace {

struct Pipe {
  base::UniqueFd read;
  base::UniqueFd write;
};

auto MakePipe() -> Pipe {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  return {base::UniqueFd(ends[0]), base::UniqueFd(ends[1])};
}

// Async-signal-safe. Sources are first moved out of the way of the targets.
void Arrange(PeerFd* first, PeerFd* last) {
  for (auto* fd = first; fd != last; ++fd) fd->from = ::fcntl(fd->from, F_DUPFD, 1000);
  for (auto* fd = first; fd != last; ++fd) {
    ::dup2(fd->from, fd->at);
    ::close(fd->from);
  }
}

}  // namespace

auto PeerShape::Text() const -> std::string {
  std::ostringstream text;
  text << edges << ' ' << realm << ' ' << reply_realm << ' ' << history << ' ' << buffer << ' ' << max_held << ' '
       << max_message_bytes;
  return text.str();
}

auto PeerShape::Parse(const std::string& text) -> PeerShape {
  PeerShape shape;
  std::istringstream words(text);
  words >> shape.edges >> shape.realm >> shape.reply_realm >> shape.history >> shape.buffer >> shape.max_held >>
      shape.max_message_bytes;
  return shape;
}

Peer::Peer(const PeerShape& shape, std::vector<PeerFd> fds, Pids pids) {
  auto to_peer = MakePipe();
  auto from_peer = MakePipe();
  fds.push_back({to_peer.read.get(), STDIN_FILENO});
  fds.push_back({from_peer.write.get(), STDOUT_FILENO});
  const auto program = (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "transport_test_peer").string();
  auto text = shape.Text();
  std::array<char*, 3> arguments{const_cast<char*>("transport_test_peer"), text.data(), nullptr};
  long flags = SIGCHLD;
  if (pids == Pids::kOwnNamespace) flags |= ::geteuid() == 0 ? CLONE_NEWPID : CLONE_NEWPID | CLONE_NEWUSER;
  // Raw, since no wrapper starts a PID namespace; the child only arranges descriptors and executes.
  pid_ = static_cast<pid_t>(::syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr));
  if (pid_ < 0) throw std::runtime_error("clone failed");
  if (pid_ == 0) {
    Arrange(fds.data(), fds.data() + fds.size());
    ::execv(program.c_str(), arguments.data());
    ::_exit(127);
  }
  input_ = std::move(to_peer.write);
  output_ = std::move(from_peer.read);
}

Peer::~Peer() { Kill(); }

void Peer::Tell(const std::string& line) const {
  const auto text = line + "\n";
  if (::write(input_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw std::runtime_error("the peer is gone");
}

auto Peer::Hear() -> std::string {
  for (;;) {
    if (const auto end = buffered_.find('\n'); end != std::string::npos) {
      auto line = buffered_.substr(0, end);
      buffered_.erase(0, end + 1);
      return line;
    }
    std::array<char, 4096> part{};
    const auto got = ::read(output_.get(), part.data(), part.size());
    if (got <= 0) return {};
    buffered_.append(part.data(), static_cast<std::size_t>(got));
  }
}

auto Peer::HearAny(const std::vector<Peer*>& peers) -> std::pair<Peer*, std::string> {
  std::vector<pollfd> waiting;
  for (auto* peer : peers) {
    if (peer->buffered_.find('\n') != std::string::npos) return {peer, peer->Hear()};
    waiting.push_back({.fd = peer->output_.get(), .events = POLLIN, .revents = 0});
  }
  while (::poll(waiting.data(), waiting.size(), -1) < 0) {
  }
  const auto ready = std::ranges::find_if(waiting, [](const pollfd& fd) { return fd.revents != 0; });
  auto* peer = peers[static_cast<std::size_t>(ready - waiting.begin())];
  return {peer, peer->Hear()};
}

auto Peer::Wait() -> int {
  int status = 0;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  return status;
}

void Peer::Kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

auto HasPattern(std::span<const std::byte> bytes, std::uint64_t sequence) -> bool {
  return std::ranges::all_of(
      bytes, [expected = static_cast<std::byte>(sequence % 251)](std::byte byte) { return byte == expected; });
}

auto PlaceOf(const void* address) -> std::string {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    std::istringstream words(line);
    std::uintptr_t from = 0;
    std::uintptr_t to = 0;
    std::uint64_t offset = 0;
    char dash = 0;
    std::string rights;
    std::string device;
    std::string inode;
    words >> std::hex >> from >> dash >> to >> rights >> offset >> device >> inode;
    if (wanted < from || wanted >= to) continue;
    return device + " " + inode + " " + std::to_string(offset + (wanted - from));
  }
  return "nowhere";
}

}  // namespace penstock::transport::testing
