#include "container/host_agent.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "base/paths.h"

namespace penstock::container {
namespace {

class FileActions final {
 public:
  FileActions() { ::posix_spawn_file_actions_init(&actions_); }
  FileActions(const FileActions&) = delete;
  auto operator=(const FileActions&) -> FileActions& = delete;
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  auto get() -> posix_spawn_file_actions_t* { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

class Attributes final {
 public:
  Attributes() { ::posix_spawnattr_init(&attributes_); }
  Attributes(const Attributes&) = delete;
  auto operator=(const Attributes&) -> Attributes& = delete;
  ~Attributes() { ::posix_spawnattr_destroy(&attributes_); }
  auto get() -> posix_spawnattr_t* { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

constexpr int kLeaseNumber = 3;

}  // namespace

HostAgent::~HostAgent() {
  lease_.Close();
  ::waitpid(pid_, nullptr, 0);
}

auto HostAgent::Start(const std::string& session, base::Deadline deadline)
    -> base::Expected<std::unique_ptr<HostAgent>> {
  PENSTOCK_ASSIGN(const auto home, base::InstallDirectory());
  const auto program = (home / "worker" / "penstock-agent").string();
  PENSTOCK_ASSIGN(auto sockets, base::PacketSocket::Pair());
  auto& [ours, theirs] = sockets;

  FileActions actions;
  ::posix_spawn_file_actions_addopen(actions.get(), 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(actions.get(), theirs.fd().get(), kLeaseNumber);
  Attributes attributes;
  // A group of its own: Ctrl-C in the terminal is for the runtime, which ends the pipeline in order.
  ::posix_spawnattr_setflags(attributes.get(), POSIX_SPAWN_SETPGROUP);
  ::posix_spawnattr_setpgroup(attributes.get(), 0);
  std::array<char*, 4> argv{const_cast<char*>(program.c_str()), const_cast<char*>("--lease"), const_cast<char*>("3"),
                            nullptr};
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, program.c_str(), actions.get(), attributes.get(), argv.data(), environ);
  if (failed != 0) {
    const base::Status status = base::SystemError(fmt::format("start the agent '{}'", program), failed);
    return tl::make_unexpected(status.error());
  }
  theirs.Close();
  auto lease = AgentLease::Acquire(std::move(ours), {.session = session}, deadline);
  if (!lease) {
    ::waitpid(pid, nullptr, 0);
    return tl::make_unexpected(lease.error());
  }
  return std::unique_ptr<HostAgent>(new HostAgent(std::move(*lease), pid));
}

}  // namespace penstock::container
