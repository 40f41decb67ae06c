// Which API version is spoken with which engine, and which engines are refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>

#include "docker/decode.h"
#include "docker/engine.h"
#include "docker/testing/fake_engine.h"

namespace penstock::docker {
namespace {
using base::ErrorCode;
using testing::HasSubstr;

auto ConnectTo(const FakeEngine& fake) -> base::Expected<std::unique_ptr<Engine>> {
  return Engine::Connect({.host = fake.path()}, Soon());
}

auto Lists(const std::string& /*request*/, const FakeConnection& connection) -> Then {
  connection.Answer(200, "[]");
  return Then::kKeepOpen;
}

/// An engine whose two answers of the negotiation are these.
auto Negotiating(std::string ping_headers, std::string version) -> std::unique_ptr<FakeEngine> {
  return std::make_unique<FakeEngine>(
      [ping_headers = std::move(ping_headers), version = std::move(version)](const std::string& request,
                                                                             const FakeConnection& connection) {
        if (request == "GET /_ping") {
          connection.Answer(200, "OK", ping_headers);
        } else {
          connection.Answer(200, version);
        }
        return Then::kKeepOpen;
      },
      FakeOptions{.negotiates = false});
}

struct Spoken {
  std::string newest;
  std::string oldest;
  std::string spoken;  // "": refused
  std::string remedy{};
};
class Versions : public testing::TestWithParam<Spoken> {};

TEST_P(Versions, AreSpokenInEveryPathOrRefusedWithARemedy) {
  const auto& expected = GetParam();
  FakeEngine fake(Lists, {.api = expected.newest, .api_min = expected.oldest});
  const auto engine = ConnectTo(fake);
  if (expected.spoken.empty()) {
    ASSERT_FALSE(engine);
    EXPECT_EQ(engine.error().code(), ErrorCode::kUnsupported) << engine.error().ToString();
    EXPECT_THAT(engine.error().message(), HasSubstr(fake.path()));
    EXPECT_THAT(engine.error().message(), HasSubstr(expected.remedy));
    EXPECT_EQ(fake.requests().size(), 2U) << "a version was spoken that was not agreed";
    return;
  }
  ASSERT_TRUE(engine) << engine.error().ToString();
  EXPECT_EQ(ToString((*engine)->api()), expected.spoken);
  EXPECT_TRUE((*engine)->List({}, Soon()));
  EXPECT_EQ(fake.requests().back(), fmt::format("GET /v{}/containers/json?all=1", expected.spoken));
}

constexpr auto kOlder = "install Docker Engine 20.10 or newer";
constexpr auto kNewer = "upgrade Penstock";
INSTANTIATE_TEST_SUITE_P(Engine, Versions,
                         testing::Values(Spoken{"1.24", "1.12", "", kOlder}, Spoken{"1.39", "1.12", "", kOlder},
                                         Spoken{"1.40", "1.12", "", kOlder},  // Docker Engine 19.03
                                         Spoken{"1.41", "1.12", "1.41"},      // 20.10
                                         Spoken{"1.42", "1.12", "1.42"},      // 23.0
                                         Spoken{"1.43", "1.12", "1.43"},      // 24.0
                                         Spoken{"1.44", "1.24", "1.44"},      // 25.0
                                         Spoken{"1.45", "1.24", "1.45"},      // 26.0
                                         Spoken{"1.46", "1.24", "1.46"},      // 27.0
                                         Spoken{"1.47", "1.24", "1.47"},      // 27.3
                                         Spoken{"1.48", "1.24", "1.48"},      // 28.0
                                         Spoken{"1.49", "1.24", "1.49"},      // 28.1
                                         Spoken{"1.50", "1.24", "1.50"},      // 28.2
                                         Spoken{"1.51", "1.24", "1.50"},      // 28.3
                                         Spoken{"1.52", "1.44", "1.50"},      // 29.0
                                         Spoken{"1.99", "1.50", "1.50"}, Spoken{"1.99", "1.51", "", kNewer},
                                         Spoken{"2.3", "2.0", "", kNewer}, Spoken{"2.0", "1.41", "1.50"},
                                         Spoken{"0.9", "0.1", "", kOlder},
                                         // Of an engine that does not say what its oldest is.
                                         Spoken{"1.43", "", "1.43"}),
                         [](const auto& each) {
                           auto name = fmt::format("From{}To{}", each.param.oldest, each.param.newest);
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST(Version, GarbageIsRefusedAndQuoted) {
  for (const auto* header : {"latest", "1", "1.", "1.4x", "v1.43", "-1.43", "1.99999999999", "1.43, 1.44"}) {
    const auto fake = Negotiating(fmt::format("Api-Version: {}\r\n", header), R"({"ApiVersion": "1.43"})");
    const auto engine = ConnectTo(*fake);
    ASSERT_FALSE(engine) << header;
    EXPECT_EQ(engine.error().code(), ErrorCode::kPeerCorrupt);
    EXPECT_THAT(engine.error().message(), HasSubstr(fmt::format("'{}'", header)));
    EXPECT_THAT(engine.error().message(), HasSubstr("is DOCKER_HOST the socket of a Docker engine?"));
  }
  for (const auto* body : {R"({"ApiVersion": "latest"})", R"({"ApiVersion": "1.43", "MinAPIVersion": "none"})"}) {
    const auto engine = ConnectTo(*Negotiating("Api-Version: 1.43\r\n", body));
    ASSERT_FALSE(engine) << body;
    EXPECT_EQ(engine.error().code(), ErrorCode::kPeerCorrupt);
    EXPECT_THAT(engine.error().message(), HasSubstr("are not like 1.41"));
  }
}

TEST(Version, AnEngineThatContradictsItselfIsRefused) {
  const FakeEngine fake(Lists, {.api = "1.43", .api_min = "1.45"});
  const auto engine = ConnectTo(fake);
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code(), ErrorCode::kPeerCorrupt);
  EXPECT_THAT(engine.error().message(), HasSubstr("speaks API 1.45 to 1.43"));
}

TEST(Version, SomethingElseThanAnEngineIsRecognised) {
  const FakeEngine fake(Lists, {.api = ""});
  const auto engine = ConnectTo(fake);
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code(), ErrorCode::kPeerCorrupt);
  EXPECT_THAT(engine.error().message(), HasSubstr("does not say its API version"));
  EXPECT_THAT(engine.error().message(), HasSubstr(fake.path()));
}

TEST(Version, AnEngineOnAnotherKernelIsRefused) {
  utsname here{};
  ASSERT_EQ(::uname(&here), 0);
  const FakeEngine local(Lists, {.kernel = here.release});
  EXPECT_TRUE(ConnectTo(local));
  const FakeEngine desktop(Lists, {.kernel = "6.10.14-linuxkit"});
  const auto refused = ConnectTo(desktop);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(refused.error().message(), HasSubstr("runs on another kernel (6.10.14-linuxkit, here it is"));
}

TEST(Version, AnEngineOfOtherContainersIsRefused) {
  const auto fake = Negotiating("Api-Version: 1.43\r\n", R"({"ApiVersion": "1.43", "Os": "windows"})");
  const auto engine = ConnectTo(*fake);
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(engine.error().message(), HasSubstr("switch it to Linux containers"));
}

// The engine was replaced by another one under a runtime that had agreed with its predecessor.
TEST(Version, AnEngineThatWasReplacedSaysWhichSideToUpgrade) {
  struct Replaced {
    std::string words;
    std::string remedy;
  };
  for (const auto& [words, remedy] :
       {Replaced{
            "client version 1.43 is too old. Minimum supported API version is 1.44, please upgrade your client to a"
            " newer version",
            kNewer},
        Replaced{"client version 1.43 is too new. Maximum supported API version is 1.41", kOlder}}) {
    const FakeEngine fake(
        [&](const std::string&, const FakeConnection& connection) {
          connection.Answer(400, fmt::format(R"({{"message": "{}"}})", words));
          return Then::kKeepOpen;
        },
        {.api = "1.43"});
    const auto listed = ConnectTo(fake).value()->List({}, Soon());
    ASSERT_FALSE(listed);
    EXPECT_EQ(listed.error().code(), ErrorCode::kUnsupported);
    EXPECT_THAT(listed.error().message(), HasSubstr(words));
    EXPECT_THAT(listed.error().message(), testing::EndsWith(remedy));
  }
}

}  // namespace
}  // namespace penstock::docker
