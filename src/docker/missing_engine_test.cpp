// Engines that cannot be reached, and connections to one that come and go.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

#include "docker/engine.h"
#include "docker/testing/fake_engine.h"

namespace penstock::docker {
namespace {
using base::ErrorCode;
using testing::HasSubstr;

auto ConnectTo(const std::string& path) -> base::Expected<std::unique_ptr<Engine>> {
  return Engine::Connect({.host = path}, Soon());
}

auto Silent(const std::string& /*request*/, const FakeConnection& connection) -> Then {
  connection.WaitForClose();
  return Then::kClose;
}

TEST(MissingEngine, NoSocketIsOneSentenceWithTheRemedy) {
  const auto engine = ConnectTo("/nonexistent/docker.sock");
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(engine.error().message(), HasSubstr("no Docker engine at /nonexistent/docker.sock"));
  EXPECT_THAT(engine.error().message(), HasSubstr("systemctl start docker"));
}

TEST(MissingEngine, SocketWithoutListenerSaysThatItIsNotRunning) {
  const FakeEngine fake(Silent);
  const auto path = fake.path() + ".old";
  const base::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const auto engine = ConnectTo(path);
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(engine.error().message(), HasSubstr("is not running"));
}

TEST(MissingEngine, PermissionDeniedSaysWhichGroupToJoin) {
  const FakeEngine fake(Silent);
  ASSERT_EQ(::chmod(fake.path().c_str(), 0), 0);
  constexpr uid_t kNobody = 65534;
  const bool root = ::geteuid() == 0;
  if (root) {
    ASSERT_EQ(::seteuid(kNobody), 0);
  }
  const auto engine = ConnectTo(fake.path());
  if (root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code(), ErrorCode::kPermission);
  EXPECT_THAT(engine.error().message(), HasSubstr("usermod -aG docker"));
}

TEST(MissingEngine, AFileThatIsNoSocketIsToldSo) {
  for (const auto* path : {"/dev/null", "/proc/self/exe", "/proc"}) {
    const auto engine = ConnectTo(path);
    ASSERT_FALSE(engine);
    EXPECT_EQ(engine.error().code(), ErrorCode::kUnavailable);
    EXPECT_THAT(engine.error().message(), HasSubstr(path));
    EXPECT_THAT(engine.error().message(), HasSubstr("DOCKER_HOST")) << path;
  }
}

// The client has a connection already, but a request with a body that is read is not sent on it.
TEST(MissingEngine, DescriptorsThatAreUsedUpAreTold) {
  const FakeEngine fake([](const std::string&, const FakeConnection& connection) {
    connection.Answer(200, "{\"status\": \"sha256:abc\"}\n");
    return Then::kKeepOpen;
  });
  const auto engine = ConnectTo(fake.path()).value();
  const auto import = [&] {
    return engine->ImportImage([](char*, std::size_t) { return std::optional<std::size_t>(0); }, "r", "t", {}, Soon());
  };
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const base::UniqueFd lowest_free(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const rlimit none{.rlim_cur = static_cast<rlim_t>(lowest_free.get()), .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto refused = import();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kExhausted) << refused.error().ToString();
  EXPECT_THAT(refused.error().message(), HasSubstr("cannot import image 'r:t': "));
  EXPECT_THAT(refused.error().message(), HasSubstr("EMFILE"));
  EXPECT_TRUE(import());
}

TEST(Connections, ThatTheEngineClosedAreReplaced) {
  const FakeEngine fake([](const std::string&, const FakeConnection& connection) {
    connection.Answer(200, "[]");  // announces nothing, and closes
    return Then::kClose;
  });
  const auto engine = ConnectTo(fake.path()).value();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(engine->List({}, Soon()));
}

TEST(Connections, AreNotInherited) {
  const FakeEngine fake(Silent);
  const auto engine = ConnectTo(fake.path()).value();
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename());
    sockaddr_un peer{};
    socklen_t size = sizeof(peer);
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || fake.path() != peer.sun_path) continue;
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  }
}

}  // namespace
}  // namespace penstock::docker
