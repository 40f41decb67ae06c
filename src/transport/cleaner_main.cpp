// penstock-cleaner: removes dead participants from the realm at descriptor 3 and reports "cleaned failed" on standard
// output. Started by CleanDeadParticipants only; what it reads may be hostile, so it gives up all access but the
// realm's.
#include <fmt/format.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>

#include "transport/iceoryx2/bridge.h"
#include "transport/realm.h"

namespace {

constexpr int kRealm = 3;

// What version 1 of Landlock can deny; newer kernels know more rights, which the tmpfs mount's own flags cover.
constexpr std::uint64_t kFileRights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1U) - 1;

// Kernels without Landlock leave the confinement to the realm itself: a mount that follows no links and has no way out.
void ConfineToRealm() {
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  landlock_ruleset_attr rules{};
  rules.handled_access_fs = kFileRights;
  const auto ruleset = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0));
  if (ruleset < 0) return;
  landlock_path_beneath_attr realm{};
  realm.allowed_access = kFileRights;
  realm.parent_fd = kRealm;
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &realm, 0) == 0) {
    ::syscall(SYS_landlock_restrict_self, ruleset, 0);
  }
  ::close(ruleset);
}

}  // namespace

auto main() -> int {
  ConfineToRealm();
  const auto report = penstock::transport::iceoryx2::CleanRealm(penstock::transport::RealmPath(kRealm));
  const auto text =
      report ? fmt::format("{} {}", report->cleaned, report->failed) : fmt::format("{}", report.error().ToString());
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
  // Handlers that run at exit (leak checkers, for one) want files of /proc, which this process can no longer open.
  ::_exit(report ? 0 : 1);
}
