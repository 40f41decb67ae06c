#include "worker/agent/domain.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "base/unique_fd.h"

namespace penstock::worker::agent {
namespace {

constexpr int kFirstUsable = 2;
constexpr int kFirstWithScopes = 6;

// As the kernel has it from version 6 on; the build machine's headers may be older.
struct Attributes {
  std::uint64_t handled_access_fs = 0;
  std::uint64_t handled_access_net = 0;
  std::uint64_t scoped = 0;
};
constexpr std::uint64_t kScopeAbstractSockets = 1U << 0U;
constexpr std::uint64_t kScopeSignals = 1U << 1U;

auto CreateRuleset(const Attributes& attributes, std::size_t size) -> base::UniqueFd {
  return base::UniqueFd(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0)));
}

// Before version 6 a domain must restrict files in some way. These two rights are handled and then given back for all
// that there is: moving between directories, which would be denied otherwise, and one that takes a capability anyway.
auto RulesetThatAllowsAllFiles() -> base::UniqueFd {
  constexpr std::uint64_t kRights = LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_MAKE_BLOCK;
  auto ruleset = CreateRuleset({.handled_access_fs = kRights}, sizeof(Attributes::handled_access_fs));
  if (!ruleset) return ruleset;
  const base::UniqueFd root(::open("/", O_PATH | O_CLOEXEC));
  landlock_path_beneath_attr rule{};
  rule.allowed_access = kRights;
  rule.parent_fd = root.get();
  if (::syscall(SYS_landlock_add_rule, ruleset.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) return {};
  return ruleset;
}

auto RulesetOf(int version) -> base::UniqueFd {
  if (version < kFirstWithScopes) return RulesetThatAllowsAllFiles();
  return CreateRuleset({.scoped = kScopeAbstractSockets | kScopeSignals}, sizeof(Attributes));
}

}  // namespace

auto DomainVersion() -> int {
  const auto version =
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
  return version >= kFirstUsable ? version : 0;
}

auto EnterDomain(int version) -> bool {
  const auto ruleset = RulesetOf(version);
  return ruleset && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) == 0;
}

}  // namespace penstock::worker::agent
