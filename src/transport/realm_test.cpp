#include "transport/realm.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "transport/test_pipeline.h"

namespace penstock::transport {
namespace {
using testing::Must;

class RealmTest : public testing::Watched {};

TEST_F(RealmTest, ParentOfTheRealmIsTheRealm) {
  const auto realm = Must(Realm::Create(1U << 20U));
  struct stat root{};
  struct stat above{};
  ASSERT_EQ(::fstat(realm.fd().get(), &root), 0);
  ASSERT_EQ(::fstatat(realm.fd().get(), "../../../..", &above, 0), 0);
  EXPECT_EQ(root.st_dev, above.st_dev);
  EXPECT_EQ(root.st_ino, above.st_ino);
  EXPECT_EQ(root.st_mode & 07777U, 0777U);
}

TEST_F(RealmTest, LinksAreNotFollowed) {
  const auto realm = Must(Realm::Create(1U << 20U));
  ASSERT_EQ(::symlinkat("/etc/hostname", realm.fd().get(), "link"), 0);
  EXPECT_EQ(::openat(realm.fd().get(), "link", O_RDONLY | O_CLOEXEC), -1);
  EXPECT_EQ(errno, ELOOP);
}

TEST_F(RealmTest, QuotaBoundsWhatPeersCanWrite) {
  constexpr std::size_t kQuota = 1U << 20U;
  const auto realm = Must(Realm::Create(kQuota));
  const base::UniqueFd file(::openat(realm.fd().get(), "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  EXPECT_EQ(::posix_fallocate(file.get(), 0, kQuota / 2), 0);
  EXPECT_EQ(::posix_fallocate(file.get(), 0, kQuota * 2), ENOSPC);
  EXPECT_FALSE(Realm::Create(0));
}

TEST_F(RealmTest, ProgramsInARealmCannotRun) {
  const auto realm = Must(Realm::Create(1U << 20U));
  {
    const base::UniqueFd file(::openat(realm.fd().get(), "program", O_WRONLY | O_CREAT | O_CLOEXEC, 0777));
    ASSERT_EQ(::write(file.get(), "#!/bin/true\n", 12), 12);
  }
  const auto path = "/proc/self/fd/" + std::to_string(realm.fd().get()) + "/program";
  EXPECT_EQ(::access(path.c_str(), X_OK), -1);
}

TEST_F(RealmTest, UserWithoutPrivilegesMakesOneToo) {
  if (::geteuid() != 0) GTEST_SKIP() << "this process is an unprivileged user: all other tests show it";
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr unsigned kNobody = 65534;
    if (::setresgid(kNobody, kNobody, kNobody) != 0 || ::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(2);
    // Changing the user made /proc/self root's; a process that a user starts is not like that.
    ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    const auto realm = Realm::Create(1U << 20U);
    if (!realm) ::_exit(realm.error().code() == base::ErrorCode::kUnavailable ? 3 : 4);
    const int file = ::openat(realm->fd().get(), "services/mine", O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    ::_exit(file >= 0 ? 0 : 5);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 3)
    GTEST_SKIP() << "user namespaces are refused, by the host or since a sanitizer runs a thread; the error said so";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace penstock::transport
