#include "transport/realm.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace penstock::transport {
namespace {
using base::ErrorCode;
using base::Fail;
using base::UniqueFd;

// How far the making of a realm got; crosses from the child as a number.
enum class Stage : int { kDone = 0, kUnshare, kUserMap, kOpen, kConfigure, kMount, kSend };

struct Outcome {
  Stage stage = Stage::kDone;
  int error = 0;
};

// What a mount needs, prepared before a fork: after it only system calls are allowed.
struct Settings {
  std::array<char, 32> size{};
  std::array<char, 48> uid_map{};
  std::array<char, 48> gid_map{};
};

// A port needs about thirty files; peers must not fill the kernel's memory with inodes.
constexpr const char* kInodes = "65536";

// No links are ever followed inside a realm: a hostile peer cannot lead an open of ours out of it.
constexpr unsigned kAttributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW;

auto SetString(int context, const char* key, const char* value) -> bool {
  return syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, value, 0) == 0;
}

// Async-signal-safe.
auto MountDetached(const Settings& settings, int& mount) -> Outcome {
  const auto context = static_cast<int>(syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC));
  if (context < 0) return {Stage::kOpen, errno};
  Outcome outcome;
  if (!SetString(context, "mode", "0777") || !SetString(context, "size", settings.size.data()) ||
      !SetString(context, "nr_inodes", kInodes) ||
      syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    outcome = {Stage::kConfigure, errno};
  } else {
    mount = static_cast<int>(syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, kAttributes));
    if (mount < 0) outcome = {Stage::kMount, errno};
  }
  ::close(context);
  return outcome;
}

// Async-signal-safe.
auto WriteFile(const char* path, const char* text) -> bool {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const auto length = std::strlen(text);
  const bool done = ::write(fd, text, length) == static_cast<ssize_t>(length);
  const int saved = errno;
  ::close(fd);
  errno = saved;
  return done;
}

// Async-signal-safe. Inside, our own user is root, which is all a tmpfs asks for.
auto MountInNamespace(const Settings& settings, int& mount) -> Outcome {
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return {Stage::kUnshare, errno};
  if (!WriteFile("/proc/self/setgroups", "deny") || !WriteFile("/proc/self/uid_map", settings.uid_map.data()) ||
      !WriteFile("/proc/self/gid_map", settings.gid_map.data())) {
    return {Stage::kUserMap, errno};
  }
  return MountDetached(settings, mount);
}

union DescriptorMessage {
  cmsghdr alignment;
  std::array<char, CMSG_SPACE(sizeof(int))> bytes;
};

// Async-signal-safe.
void Report(int socket, Outcome outcome, int mount) {
  iovec part{&outcome, sizeof(outcome)};
  DescriptorMessage control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (mount >= 0) {
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &mount, sizeof(int));
  }
  while (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

auto ReceiveReport(int socket, UniqueFd& mount) -> Outcome {
  Outcome outcome;
  iovec part{&outcome, sizeof(outcome)};
  DescriptorMessage control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  ssize_t got = 0;
  while ((got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  if (got != static_cast<ssize_t>(sizeof(outcome))) return {Stage::kSend, got < 0 ? errno : ECHILD};
  const auto* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof(int));
    mount.reset(fd);
  }
  return outcome;
}

auto MountInChild(const Settings& settings, UniqueFd& mount) -> base::Expected<Outcome> {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return base::SystemError("make a socket pair for a realm");
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return base::SystemError("fork to make a realm");
  if (child == 0) {
    int fd = -1;
    const auto outcome = MountInNamespace(settings, fd);
    Report(theirs.get(), outcome, fd);
    ::_exit(0);
  }
  theirs.reset();
  const auto outcome = ReceiveReport(ours.get(), mount);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return outcome;
}

auto Explain(const Outcome& outcome) -> tl::unexpected<base::Error> {
  const char* reason = strerrordesc_np(outcome.error);
  switch (outcome.stage) {
    case Stage::kOpen:
      if (outcome.error == ENOSYS) break;
      [[fallthrough]];
    case Stage::kUnshare:
    case Stage::kUserMap:
      return Fail(ErrorCode::kUnavailable,
                  "this host refuses the private user namespace in which shared memory is made ({}): allow it with "
                  "'sysctl kernel.unprivileged_userns_clone=1' or "
                  "'sysctl user.max_user_namespaces=15000', on Ubuntu 24.04 and later install Penstock's AppArmor "
                  "profile or set "
                  "'sysctl kernel.apparmor_restrict_unprivileged_userns=0', in a container add --security-opt "
                  "seccomp=unconfined or run as root with CAP_SYS_ADMIN",
                  reason);
    case Stage::kConfigure:
    case Stage::kMount:
      if (outcome.error == EINVAL) break;  // an older kernel does not know nosymfollow
      return Fail(ErrorCode::kUnavailable, "the kernel refuses a tmpfs for shared memory: {}", reason);
    case Stage::kSend:
      return Fail(ErrorCode::kInternal, "the helper process that makes shared memory died before it answered ({})",
                  reason);
    case Stage::kDone:
      break;
  }
  return Fail(ErrorCode::kUnsupported,
              "this kernel cannot make detached mounts ({}): Penstock needs Linux 5.15 or newer", reason);
}

// The library makes its directories with the umask of whoever comes first and opens them up a moment later; another
// user's worker that arrives in between would fail.
auto MakeDirectory(const UniqueFd& realm, const char* name) -> base::Status {
  constexpr mode_t kEveryone = 0777;
  if (::mkdirat(realm.get(), name, kEveryone) != 0 || ::fchmodat(realm.get(), name, kEveryone, 0) != 0) {
    return base::SystemError(fmt::format("make '{}' in a new realm", name));
  }
  return {};
}

}  // namespace

auto Realm::Create(std::uint64_t quota_bytes) -> base::Expected<Realm> {
  if (quota_bytes == 0)
    return Fail(ErrorCode::kInvalidArgument, "a realm needs a quota above 0: tmpfs takes 0 for unlimited");
  Settings settings;
  static_cast<void>(fmt::format_to_n(settings.size.data(), settings.size.size() - 1, "{}", quota_bytes));
  static_cast<void>(fmt::format_to_n(settings.uid_map.data(), settings.uid_map.size() - 1, "0 {} 1", ::geteuid()));
  static_cast<void>(fmt::format_to_n(settings.gid_map.data(), settings.gid_map.size() - 1, "0 {} 1", ::getegid()));

  int direct = -1;
  auto outcome = MountDetached(settings, direct);
  UniqueFd mount(direct);
  if (outcome.stage == Stage::kOpen && outcome.error == EPERM) {
    PENSTOCK_ASSIGN(outcome, MountInChild(settings, mount));
  }
  if (outcome.stage != Stage::kDone) return Explain(outcome);
  if (!mount) return Fail(ErrorCode::kInternal, "the helper process that makes shared memory sent no descriptor");
  PENSTOCK_TRY(MakeDirectory(mount, "nodes"));
  PENSTOCK_TRY(MakeDirectory(mount, "services"));
  return Realm(std::move(mount));
}

auto RealmPath(int number) -> std::string { return fmt::format("/proc/self/fd/{}", number); }

}  // namespace penstock::transport
