// What of the kernel Penstock uses.
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <optional>

#include "base/file.h"
#include "base/unique_fd.h"
#include "cli/doctor.h"
#include "container/host_memory.h"
#include "transport/realm.h"
#include "worker/agent/domain.h"

namespace penstock::cli {
namespace {

constexpr std::uint64_t kSmallRealm = std::uint64_t{1} << 20U;
constexpr std::size_t kLargestSetting = 4096;

struct KernelVersion {
  int major = 0;
  int minor = 0;
  auto operator<=>(const KernelVersion&) const = default;
};
constexpr KernelVersion kOldestKernel{.major = 5, .minor = 15};

auto ParseKernelVersion(std::string_view release) -> KernelVersion {
  KernelVersion version;
  const auto* end = release.data() + release.size();
  const auto major = std::from_chars(release.data(), end, version.major);
  if (major.ptr < end && *major.ptr == '.') std::from_chars(major.ptr + 1, end, version.minor);
  return version;
}

auto Setting(const char* path) -> std::optional<std::string> {
  auto text = base::ReadFile(path, kLargestSetting);
  if (!text) return std::nullopt;
  text->erase(text->find_last_not_of(" \n") + 1);
  return std::move(*text);
}

auto HasPidfds() -> bool {
  return base::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0))).get() >= 0;
}

auto HasSeals() -> bool {
  const base::UniqueFd memory(::memfd_create("penstock-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  return memory && ::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
}

// A mount context that nobody uses. EPERM: the call is there, and user namespaces make up for the right.
auto HasMountContexts() -> bool {
  const base::UniqueFd context(static_cast<int>(::syscall(SYS_fsopen, "tmpfs", 1)));
  return context.get() >= 0 || errno == EPERM;
}

}  // namespace

auto LookAtKernel() -> Finding {
  utsname here{};
  ::uname(&here);
  Finding finding{.name = "kernel",
                  .health = Health::kGood,
                  .found = fmt::format("Linux {} on {}", here.release, here.machine),
                  .meaning = "Linux 5.15 or newer on x86-64 is what Penstock is tested on",
                  .remedy = {}};
  if (ParseKernelVersion(here.release) < kOldestKernel) {
    finding.health = Health::kProblem;
    finding.remedy = "install a kernel of 5.15 or newer (Debian 12, Ubuntu 22.04)";
  } else if (std::string_view(here.machine) != "x86_64") {
    finding.health = Health::kWarning;
    finding.remedy = "expect surprises on another architecture, and report them";
  }
  return finding;
}

auto LookAtKernelFeatures() -> Finding {
  const std::pair<const char*, bool> features[] = {
      {"pidfds", HasPidfds()}, {"sealed memory files", HasSeals()}, {"mount contexts", HasMountContexts()}};
  std::vector<std::string> there;
  std::vector<std::string> missing;
  for (const auto& [name, has] : features) (has ? there : missing).emplace_back(name);
  Finding finding{.name = "kernel features",
                  .health = Health::kGood,
                  .found = fmt::format("{}", fmt::join(there, ", ")),
                  .meaning = "workers are watched, and control blocks and shared memory made, by these",
                  .remedy = {}};
  if (missing.empty()) return finding;
  finding.health = Health::kProblem;
  finding.found += fmt::format("; no {}", fmt::join(missing, ", "));
  finding.remedy = "in a container or sandbox, allow these system calls (seccomp); else use a newer kernel";
  return finding;
}

auto LookAtSharedMemory() -> Finding {
  const auto realm = transport::Realm::Create(kSmallRealm);
  Finding finding{.name = "shared memory",
                  .health = Health::kGood,
                  .found = "a private tmpfs without a name can be made",
                  .meaning = "every output has its messages in one; nothing is in /dev/shm",
                  .remedy = {}};
  if (realm) return finding;
  finding.health = Health::kProblem;
  finding.found = "a private tmpfs cannot be made";
  finding.meaning = "no pipeline can run";
  finding.remedy = realm.error().ToString();
  return finding;
}

auto LookAtUserNamespaces() -> Finding {
  std::vector<std::string> limits;
  if (const auto most = Setting("/proc/sys/user/max_user_namespaces"))
    limits.push_back("user.max_user_namespaces = " + *most);
  if (const auto clone = Setting("/proc/sys/kernel/unprivileged_userns_clone"))
    limits.push_back("kernel.unprivileged_userns_clone = " + *clone);
  if (const auto apparmor = Setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"))
    limits.push_back("kernel.apparmor_restrict_unprivileged_userns = " + *apparmor);
  Finding finding{.name = "user namespaces",
                  .health = Health::kGood,
                  .found = limits.empty() ? "no setting restricts them" : fmt::format("{}", fmt::join(limits, ", ")),
                  .meaning = "without root, shared memory is made in one",
                  .remedy = {}};
  if (::geteuid() == 0) {
    finding.meaning = "not needed: root makes shared memory without one";
  } else if (!transport::Realm::Create(kSmallRealm)) {
    finding.health = Health::kProblem;
    finding.remedy = "see 'shared memory'";
  }
  return finding;
}

auto LookAtLandlock() -> Finding {
  const int version = worker::agent::DomainVersion();
  if (version > 0) {
    return {.name = "landlock",
            .health = Health::kGood,
            .found = fmt::format("version {}", version),
            .meaning = "sessions that share a container cannot look into each other's workers",
            .remedy = {}};
  }
  return {.name = "landlock",
          .health = Health::kNote,
          .found = "none that can be used",
          .meaning = "sessions of yours that share a container can look into each other's workers",
          .remedy =
              "nothing if you trust your own pipelines; else 'docker.sharing: exclusive', or a kernel of 5.19 or "
              "newer with 'landlock' in its lsm= list"};
}

auto LookAtControlGroups() -> Finding {
  struct statfs system{};
  const std::filesystem::path root = "/sys/fs/cgroup";
  Finding finding{.name = "control groups",
                  .health = Health::kGood,
                  .found = {},
                  .meaning = "limits hold, and what a container uses and which limit ended it is told from there",
                  .remedy = {}};
  std::error_code ignored;
  if (::statfs(root.c_str(), &system) == 0 && system.f_type == CGROUP2_SUPER_MAGIC) {
    finding.found = "version 2";
  } else if (std::filesystem::is_directory(root / "memory", ignored)) {
    finding.found = "version 1";
  } else {
    finding.health = Health::kWarning;
    finding.found = "none at /sys/fs/cgroup";
    finding.meaning = "an end by a limit cannot be told from another kill, and 'ps' shows no figures";
    finding.remedy = "mount them; in a container, bring /sys/fs/cgroup of the host in, read-only";
  }
  return finding;
}

}  // namespace penstock::cli
