// How the client takes engines that are missing, sick, wedged or hostile.
#include "docker/testing/fake_engine.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <thread>

#include "docker/decode.h"
#include "docker/engine.h"

namespace penstock::docker {
namespace {
using base::Deadline;
using base::ErrorCode;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using testing::EndsWith;
using testing::HasSubstr;

auto Soon() -> Call { return {Deadline::In(120s)}; }  // passes only when something hangs

auto ConnectTo(const std::string& path) -> base::Expected<std::unique_ptr<Engine>> {
  return Engine::Connect({.host = path}, Soon());
}
auto MustConnect(const FakeEngine& fake) -> std::unique_ptr<Engine> { return ConnectTo(fake.path()).value(); }

auto Silent(const std::string& /*request*/, const FakeConnection& connection) -> Then {
  connection.WaitForClose();
  return Then::kClose;
}
auto Raw(std::string bytes) -> FakeHandler {
  return [bytes = std::move(bytes)](const std::string&, const FakeConnection& connection) {
    connection.Send(bytes);
    return Then::kClose;
  };
}
auto Descriptors() -> std::vector<int> {
  std::vector<int> fds;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename());
    if (::fcntl(fd, F_GETFD) >= 0) fds.push_back(fd);  // not the one of this listing, closed by now
  }
  return fds;
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

TEST(Version, IsTheNewestThatBothKnow) {
  const auto api_with = [](const std::string& theirs, const std::string& oldest) {
    FakeEngine fake(Raw(""), theirs, oldest);
    return ToString(MustConnect(fake)->api());
  };
  EXPECT_EQ(api_with("1.41", "1.12"), "1.41");
  EXPECT_EQ(api_with("1.43", "1.24"), "1.43");
  EXPECT_EQ(api_with("1.52", "1.44"), "1.44");
}

TEST(Version, IsInEveryRequest) {
  FakeEngine fake(
      [](const std::string&, const FakeConnection& connection) {
        connection.Answer(200, "[]");
        return Then::kKeepOpen;
      },
      "1.42");
  ASSERT_TRUE(MustConnect(fake)->List({}, Soon()));
  EXPECT_EQ(fake.requests().back(), "GET /v1.42/containers/json?all=1");
}

TEST(Version, AnEngineOnAnotherKernelIsRefused) {
  utsname here{};
  ASSERT_EQ(::uname(&here), 0);
  const FakeEngine local(Raw(""), "1.41", "1.12", here.release);
  EXPECT_TRUE(ConnectTo(local.path()));
  const FakeEngine desktop(Raw(""), "1.41", "1.12", "6.10.14-linuxkit");
  const auto refused = ConnectTo(desktop.path());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(refused.error().message(), HasSubstr("runs on another kernel (6.10.14-linuxkit, here it is"));
}

TEST(Version, TooOldAndTooNewEnginesAreRefused) {
  const FakeEngine old(Raw(""), "1.40", "1.12");
  const auto too_old = ConnectTo(old.path());
  ASSERT_FALSE(too_old);
  EXPECT_EQ(too_old.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(too_old.error().message(), HasSubstr("install Docker Engine 20.10 or newer"));
  const FakeEngine young(Raw(""), "2.3", "1.50");
  const auto too_new = ConnectTo(young.path());
  ASSERT_FALSE(too_new);
  EXPECT_EQ(too_new.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(too_new.error().message(), HasSubstr("upgrade Penstock"));
}

TEST(Version, SomethingElseThanAnEngineIsRecognised) {
  const FakeEngine fake(Raw(""), "");
  const auto engine = ConnectTo(fake.path());
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code(), ErrorCode::kPeerCorrupt);
}

struct BadAnswer {
  std::string name;
  std::string bytes;
  ErrorCode code;
};
class BadAnswers : public testing::TestWithParam<BadAnswer> {};

TEST_P(BadAnswers, BecomeTypedErrors) {
  FakeEngine fake(Raw(GetParam().bytes));
  const auto engine = MustConnect(fake);
  const auto answer = engine->Inspect("c1", Soon());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), GetParam().code) << answer.error().ToString();
  EXPECT_THAT(answer.error().message(), HasSubstr("inspect container 'c1'"));
}

auto ManyHeaders() -> std::string {
  std::string headers;
  for (int i = 0; i < 5000; ++i) headers += fmt::format("X-{}: {}\r\n", i, std::string(80, 'x'));
  return headers;
}
constexpr auto kHead = "HTTP/1.1 200 OK\r\n";
INSTANTIATE_TEST_SUITE_P(
    FakeEngine, BadAnswers,
    testing::Values(
        BadAnswer{"NoAnswer", "", ErrorCode::kPeerGone},
        BadAnswer{"HalfAHead", "HTTP/1.1 200 OK\r\nConte", ErrorCode::kPeerGone},
        BadAnswer{"HalfABody", std::string(kHead) + "Content-Length: 100\r\n\r\n{\"Id\":", ErrorCode::kPeerGone},
        BadAnswer{"HalfAChunk", std::string(kHead) + "Transfer-Encoding: chunked\r\n\r\n10\r\n{\"Id\"",
                  ErrorCode::kPeerGone},
        BadAnswer{"BadChunk", std::string(kHead) + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
                  ErrorCode::kPeerCorrupt},
        BadAnswer{"NoHttp", "SSH-2.0-OpenSSH_9.2\r\n\r\n", ErrorCode::kPeerCorrupt},
        BadAnswer{"NoJson", std::string(kHead) + "Content-Length: 5\r\n\r\nhello", ErrorCode::kPeerCorrupt},
        BadAnswer{"WrongJson", std::string(kHead) + "Content-Length: 2\r\n\r\n[]", ErrorCode::kPeerCorrupt},
        BadAnswer{"EndlessHead", std::string(kHead) + ManyHeaders(), ErrorCode::kPeerCorrupt},
        BadAnswer{"NotFound", "HTTP/1.1 404 X\r\nContent-Length: 15\r\n\r\n{\"message\":\"m\"}", ErrorCode::kNotFound},
        BadAnswer{"Conflict", "HTTP/1.1 409 X\r\nContent-Length: 0\r\n\r\n", ErrorCode::kConflict},
        BadAnswer{"Broken", "HTTP/1.1 500 X\r\nContent-Length: 3\r\n\r\nboo", ErrorCode::kUnavailable},
        BadAnswer{"Redirect", "HTTP/1.1 301 X\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", ErrorCode::kPeerCorrupt}),
    [](const auto& bad) { return bad.param.name; });

TEST(SickEngine, SlowAndSplitAnswersAreStillUnderstood) {
  FakeEngine fake([](const std::string&, const FakeConnection& connection) {
    connection.SendByteByByte(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        "9\r\n[{\"Id\": \"\r\n4\r\nabc\"\r\n2\r\n}]\r\n0\r\n\r\n");
    return Then::kKeepOpen;
  });
  const auto containers = MustConnect(fake)->List({}, Soon());
  ASSERT_TRUE(containers) << containers.error().ToString();
  EXPECT_EQ(containers->at(0).id, "abc");
}

TEST(SickEngine, ConnectionsThatItClosedAreReplaced) {
  FakeEngine fake([](const std::string&, const FakeConnection& connection) {
    connection.Answer(200, "[]");  // announces nothing, and closes
    return Then::kClose;
  });
  const auto engine = MustConnect(fake);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(engine->List({}, Soon()));
}

TEST(WedgedEngine, CallEndsAtItsDeadline) {
  FakeEngine fake(Silent);
  const auto engine = MustConnect(fake);
  const auto started = std::chrono::steady_clock::now();
  const auto answer = engine->Inspect("c1", Deadline::In(100ms));
  EXPECT_GE(std::chrono::steady_clock::now() - started, 100ms);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::kDeadline);
  EXPECT_THAT(answer.error().message(), HasSubstr("did not answer within 0.1 s"));
  EXPECT_THAT(answer.error().message(), HasSubstr("restart"));
}

TEST(WedgedEngine, StalledBodyEndsAtTheDeadlineToo) {
  FakeEngine fake([](const std::string&, const FakeConnection& connection) {
    connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[");
    connection.WaitForClose();
    return Then::kClose;
  });
  const auto answer = MustConnect(fake)->List({}, Deadline::In(50ms));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::kDeadline);
  EXPECT_THAT(answer.error().message(), HasSubstr("not finished after"));
}

TEST(WedgedEngine, DoesNotHoldUpOtherCalls) {
  FakeEngine fake([](const std::string& request, const FakeConnection& connection) {
    if (request.find("/wait") != std::string::npos) return Silent(request, connection);
    connection.Answer(200, "[]");
    return Then::kKeepOpen;
  });
  const auto engine = MustConnect(fake);
  std::stop_source stop;
  auto waiting = std::async(std::launch::async, [&] {
    return engine->Wait("c1", WaitFor::kNotRunning, {Deadline::Never(), stop.get_token()});
  });
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(engine->List({}, Soon()));
  stop.request_stop();
  EXPECT_EQ(waiting.get().error().code(), ErrorCode::kCancelled);
}

TEST(Cancelling, EndsACallThatWouldWaitForEver) {
  std::promise<void> asked;
  FakeEngine fake([&](const std::string& request, const FakeConnection& connection) {
    asked.set_value();
    return Silent(request, connection);
  });
  const auto engine = MustConnect(fake);
  std::stop_source stop;
  const std::jthread canceller([&] {
    asked.get_future().wait();
    stop.request_stop();
  });
  const auto answer = engine->Wait("c1", WaitFor::kNotRunning, {Deadline::Never(), stop.get_token()});
  EXPECT_EQ(answer.error().code(), ErrorCode::kCancelled);
}

TEST(Cancelling, BeforeTheCallAsksNothing) {
  FakeEngine fake(Silent);
  const auto engine = MustConnect(fake);
  std::stop_source stop;
  stop.request_stop();
  const auto before = fake.requests().size();
  EXPECT_EQ(engine->Ping({Deadline::Never(), stop.get_token()}).error().code(), ErrorCode::kCancelled);
  EXPECT_EQ(fake.requests().size(), before);
}

TEST(Descriptors, HundredsOfFailingCallsLeakNone) {
  int turn = 0;
  FakeEngine fake([&turn](const std::string& request, const FakeConnection& connection) {
    if (request.find("silent") != std::string::npos) return Silent(request, connection);
    if (turn++ % 2 == 0) return Then::kClose;
    connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{");
    return Then::kClose;
  });
  const auto engine = MustConnect(fake);
  const auto fail_some = [&](int count) {
    for (int i = 0; i < count; ++i) {
      EXPECT_FALSE(engine->Inspect("broken", Soon()));
      EXPECT_FALSE(engine->Inspect("silent", Deadline::In(1ms)));
      EXPECT_FALSE(engine->Attach("silent", [](OutputStream, std::string_view) {}, nullptr, Deadline::In(1ms)));
      EXPECT_FALSE(ConnectTo("/nonexistent/docker.sock"));
    }
  };
  // The fake's own ends are closed when its threads notice; a ping on the same engine does not wait for them, so only
  // our ends are counted: sockets that are connected to its path belong to it.
  const auto ours = [&] {
    std::size_t count = 0;
    for (const int fd : Descriptors()) {
      sockaddr_un name{};
      socklen_t size = sizeof(name);
      const bool is_fakes =
          ::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) == 0 && fake.path() == name.sun_path;
      count += is_fakes ? 0 : 1;
    }
    return count;
  };
  fail_some(3);
  const auto before = ours();
  fail_some(150);
  EXPECT_LE(ours(), before);
}

TEST(Descriptors, ConnectionsAreNotInherited) {
  FakeEngine fake(Silent);
  const auto engine = MustConnect(fake);
  for (const int fd : Descriptors()) {
    sockaddr_un peer{};
    socklen_t size = sizeof(peer);
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || fake.path() != peer.sun_path) continue;
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  }
}

TEST(Building, FailureInsideHttp200IsAnError) {
  FakeEngine fake([](const std::string&, const FakeConnection& connection) {
    connection.SendByteByByte(
        "HTTP/1.1 200 OK\r\n\r\n{\"stream\":\"Step 1/2 : FROM x\\n\"}\r\n"
        "{\"errorDetail\":{\"code\":9,\"message\":\"returned a non-zero code: 9\"},\"error\":\"returned\"}\r\n");
    return Then::kClose;
  });
  std::vector<std::string> seen;
  const auto built = MustConnect(fake)->Build(
      {.context = "tar", .tags = {"a:b"}}, [&](const Progress& line) { seen.push_back(line.text); }, Soon());
  ASSERT_FALSE(built);
  EXPECT_THAT(built.error().message(), HasSubstr("cannot build image 'a:b': returned a non-zero code: 9"));
  EXPECT_THAT(seen, testing::ElementsAre("Step 1/2 : FROM x\n"));
}

TEST(Building, AnswerWithoutAnImageIsAnError) {
  FakeEngine fake(Raw("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(MustConnect(fake)->Build({.context = "tar"}, nullptr, Soon()).error().code(), ErrorCode::kPeerCorrupt);
}

TEST(Importing, FailingReaderEndsTheRequest) {
  FakeEngine fake(Silent);
  const auto imported =
      MustConnect(fake)->ImportImage([](char*, std::size_t) { return std::nullopt; }, "a", "b", {}, Soon());
  ASSERT_FALSE(imported);
  EXPECT_THAT(imported.error().message(), HasSubstr("reading what was to be sent failed"));
}

// ---- streams ----

constexpr auto kEvent =
    "{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"c1\",\"Attributes\":{\"exitCode\":\"3\"}},"
    "\"timeNano\":5}\n";

auto EventsThen(std::string bytes, FakeHandler after) -> FakeHandler {
  return [bytes = std::move(bytes), after = std::move(after)](const std::string& request,
                                                              const FakeConnection& connection) {
    connection.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    connection.SendByteByByte(fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes));
    return after(request, connection);
  };
}

auto HangUp(const std::string& /*request*/, const FakeConnection& /*connection*/) -> Then { return Then::kClose; }

TEST(EventStream, TellsThatTheEngineWentAway) {
  FakeEngine fake(EventsThen(kEvent, HangUp));
  const auto engine = MustConnect(fake);
  std::vector<Event> events;
  std::optional<base::Status> ended;
  const auto stream = engine->Events(
      {}, [&](const Event& event) { events.push_back(event); }, [&](const base::Status& result) { ended = result; },
      Soon());
  ASSERT_TRUE(stream) << stream.error().ToString();
  const auto result = stream->Wait(Deadline::In(120s));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kPeerGone);
  ASSERT_TRUE(ended && !*ended);
  EXPECT_EQ(ended->error().code(), ErrorCode::kPeerGone);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].attributes.at("exitCode"), "3");
}

TEST(EventStream, NonsenseEndsIt) {
  FakeEngine fake(EventsThen("this is no event\n", Silent));
  const auto engine = MustConnect(fake);
  const auto stream = engine->Events({}, [](const Event&) {}, nullptr, Soon());
  ASSERT_TRUE(stream);
  EXPECT_EQ(stream->Wait(Deadline::In(120s)).error().code(), ErrorCode::kPeerCorrupt);
}

TEST(EventStream, RefusalIsTheCallsError) {
  FakeEngine fake(Raw("HTTP/1.1 400 X\r\nContent-Length: 25\r\n\r\n{\"message\":\"Bad filter\"} "));
  const auto stream = MustConnect(fake)->Events({}, [](const Event&) {}, nullptr, Soon());
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(stream.error().message(), HasSubstr("Bad filter"));
}

TEST(EventStream, OutlivesTheDeadlineOfItsCall) {
  FakeEngine fake(EventsThen(kEvent, Silent));
  const auto engine = MustConnect(fake);
  const auto stream = engine->Events({}, [](const Event&) {}, nullptr, Deadline::In(2s));
  ASSERT_TRUE(stream);
  EXPECT_EQ(stream->Wait(Deadline::In(2500ms)).error().message(),
            "cannot follow the Docker engine's events: the stream did not end in time");
}

TEST(EventStream, CallbackMayStopItButNotMakeBlockingCalls) {
  FakeEngine fake(EventsThen(std::string(kEvent) + kEvent, Silent));
  const auto engine = MustConnect(fake);
  std::promise<Stream> made;
  auto handed = made.get_future().share();
  std::promise<ErrorCode> refused;
  int count = 0;
  bool ended = false;
  auto stream = engine->Events(
      {},
      [&, handed](const Event&) {
        ++count;
        refused.set_value(engine->Ping(Soon()).error().code());
        const_cast<Stream&>(handed.get()).Stop();  // NOLINT: the only user
      },
      [&](const base::Status&) { ended = true; }, Soon());
  ASSERT_TRUE(stream);
  made.set_value(std::move(*stream));
  EXPECT_EQ(refused.get_future().get(), ErrorCode::kInternal);
  EXPECT_TRUE(engine->Ping(Soon()));  // the thread is past the callback
  EXPECT_EQ(count, 1);
  EXPECT_FALSE(ended);
}

TEST(EventStream, OwnerMayGoWhileEventsArrive) {
  FakeEngine fake([](const std::string&, const FakeConnection& connection) {
    connection.Send("HTTP/1.1 200 OK\r\n\r\n");
    std::string many;
    for (int i = 0; i < 2000; ++i) many += kEvent;
    connection.Send(many);
    connection.WaitForClose();
    return Then::kClose;
  });
  const auto engine = MustConnect(fake);
  for (int i = 0; i < 50; ++i) {
    auto count = std::make_unique<int>(0);
    auto stream = engine->Events({}, [&](const Event&) { ++*count; }, nullptr, Soon());
    ASSERT_TRUE(stream);
    stream->Stop();
    count.reset();  // a callback after Stop would write to freed memory
  }
}

TEST(EventStream, EndsWithItsEngine) {
  FakeEngine fake(EventsThen(kEvent, Silent));
  auto engine = MustConnect(fake);
  std::optional<ErrorCode> ended;
  auto stream =
      engine->Events({}, [](const Event&) {}, [&](const base::Status& s) { ended = s.error().code(); }, Soon());
  ASSERT_TRUE(stream);
  engine.reset();
  EXPECT_EQ(ended, ErrorCode::kCancelled);
  EXPECT_EQ(stream->Wait(Deadline::In(1s)).error().code(), ErrorCode::kCancelled);
  stream->Stop();
}

TEST(OutputStream, CutInTheMiddleOfAFrameIsAnError) {
  using std::string_literals::operator""s;
  FakeEngine fake(Raw("HTTP/1.1 200 OK\r\n\r\n\x01\0\0\0\0\0\0\x09half"s));
  const auto engine = MustConnect(fake);
  std::string out;
  std::promise<base::Status> ended;
  const auto stream = engine->Attach(
      "c1", [&](docker::OutputStream, std::string_view piece) { out += piece; },
      [&](const base::Status& result) { ended.set_value(result); }, Soon());
  ASSERT_TRUE(stream);
  const auto result = ended.get_future().get();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kPeerCorrupt);
  EXPECT_EQ(out, "half");
}

TEST(Observer, SeesEveryRequestWithItsTimes) {
  FakeEngine fake(Silent);
  std::vector<RequestTiming> seen;
  const auto engine = Engine::Connect(
      {.host = fake.path(), .observer = [&](const RequestTiming& timing) { seen.push_back(timing); }}, Soon());
  ASSERT_TRUE(engine);
  EXPECT_FALSE((*engine)->Inspect("c1", Deadline::In(20ms)));
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0].target, "/_ping");
  EXPECT_EQ(seen[0].status, 200);
  EXPECT_THAT(seen[2].target, EndsWith("/containers/c1/json"));
  EXPECT_EQ(seen[2].status, 0);
  EXPECT_GE(seen[2].finished - seen[2].started, 20ms);
}

}  // namespace
}  // namespace penstock::docker
