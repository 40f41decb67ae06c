// Answers that keep coming: events, output, the progress of a build.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "docker/testing/engine_calls.h"
#include "docker/testing/fake_engine.h"

namespace penstock::docker {
namespace {
using base::Deadline;
using base::ErrorCode;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using testing::HasSubstr;

auto MustConnect(const FakeEngine& fake) -> std::unique_ptr<Engine> {
  return Engine::Connect({.host = fake.path()}, Soon()).value();
}

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

TEST(Building, StepsThatPrintADigestAreNotTheImage) {
  const FakeEngine fake(Raw(
      WithLength({.body = "{\"aux\": {\"ID\": \"sha256:real\"}}\n{\"stream\": \"sha256:printed by a step\\n\"}\n"})));
  EXPECT_EQ(MustConnect(fake)->Build({.context = "tar"}, nullptr, Soon()).value(), "sha256:real");
}

TEST(Pulling, TellsHowFarItIsInEitherForm) {
  const FakeEngine fake(
      Raw(WithLength({.body = "{\"status\": \"Downloading\", \"id\": \"a\", \"progress\": \"[=> ] 1MB/2MB\","
                              " \"progressDetail\": {\"current\": 1000000, \"total\": 2000000}}\n"
                              "{\"status\": \"Downloading\", \"id\": \"b\","
                              " \"progressDetail\": {\"current\": 1500000, \"total\": 2000000}}\n"
                              "{\"status\": \"Extracting\", \"id\": \"c\","
                              " \"progressDetail\": {\"current\": 3, \"units\": \"s\"}}\n"
                              "{\"status\": \"Waiting\", \"id\": \"d\", \"progressDetail\": {}}\n"})));
  Strings seen;
  const auto pulled = MustConnect(fake)->PullImage(
      "i", [&](const Progress& line) { seen.push_back(line.layer + " " + line.detail); }, Soon());
  ASSERT_TRUE(pulled) << pulled.error().ToString();
  EXPECT_THAT(seen, testing::ElementsAre("a [=> ] 1MB/2MB", "b 1.5MB/2.0MB", "c 3 s", "d "));
}

// The engine closes connections that nothing asked for a while, and the client may just be sending on one of them.
TEST(Importing, IsNotSentOnAConnectionThatMayBeClosing) {
  std::atomic<int> connections = 0;
  const FakeEngine fake([&](const std::string& request, const FakeConnection& connection) {
    // Only a request on a connection of its own can follow none on that connection.
    static thread_local int requests_here = 0;
    if (requests_here++ == 0 && request.starts_with("POST")) ++connections;
    connection.Answer(200, request.starts_with("POST") ? "{\"status\": \"sha256:abc\"}\n" : "[]");
    return Then::kKeepOpen;
  });
  const auto engine = MustConnect(fake);
  ASSERT_TRUE(engine->List({}, Soon()));
  for (int i = 0; i < 3; ++i) {
    const auto once = [sent = false](char* room, std::size_t) mutable -> std::optional<std::size_t> {
      if (std::exchange(sent, true)) return 0;
      *room = 'x';
      return 1;
    };
    ASSERT_TRUE(engine->ImportImage(once, "a", "b", {}, Soon()));
  }
  EXPECT_EQ(connections, 3);
}

// ---- events and output ----

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
  const FakeEngine fake(EventsThen(kEvent, HangUp));
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
  const FakeEngine fake(EventsThen("this is no event\n", Silent));
  const auto engine = MustConnect(fake);
  const auto stream = engine->Events({}, [](const Event&) {}, nullptr, Soon());
  ASSERT_TRUE(stream);
  EXPECT_EQ(stream->Wait(Deadline::In(120s)).error().code(), ErrorCode::kPeerCorrupt);
}

TEST(EventStream, RefusalIsTheCallsError) {
  const FakeEngine fake(Raw("HTTP/1.1 400 X\r\nContent-Length: 25\r\n\r\n{\"message\":\"Bad filter\"} "));
  const auto stream = MustConnect(fake)->Events({}, [](const Event&) {}, nullptr, Soon());
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(stream.error().message(), HasSubstr("Bad filter"));
}

TEST(EventStream, OutlivesTheDeadlineOfItsCall) {
  const FakeEngine fake(EventsThen(kEvent, Silent));
  const auto engine = MustConnect(fake);
  const auto stream = engine->Events({}, [](const Event&) {}, nullptr, Deadline::In(2s));
  ASSERT_TRUE(stream);
  EXPECT_EQ(stream->Wait(Deadline::In(2500ms)).error().message(),
            "cannot follow the Docker engine's events: the stream did not end in time");
}

TEST(EventStream, CallbackMayStopItButNotMakeBlockingCalls) {
  const FakeEngine fake(EventsThen(std::string(kEvent) + kEvent, Silent));
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
  const FakeEngine fake([](const std::string&, const FakeConnection& connection) {
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
  const FakeEngine fake(EventsThen(kEvent, Silent));
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
  const FakeEngine fake(Raw("HTTP/1.1 200 OK\r\n\r\n\x01\0\0\0\0\0\0\x09half"s));
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

TEST(OutputStream, WhoWaitsLearnsWhatTheCallbackIsTold) {
  using std::string_literals::operator""s;
  for (const auto& body : {"\x01\0\0\0\0\0\0\x09half"s, "\x01\0\0"s, Frame(1, "whole")}) {
    const FakeEngine fake(Raw(WithLength({.body = body})));
    const auto engine = MustConnect(fake);
    std::optional<base::Status> told;
    const auto stream = engine->Attach(
        "c1", [](docker::OutputStream, std::string_view) {}, [&](const base::Status& end) { told = end; }, Soon());
    ASSERT_TRUE(stream) << stream.error().ToString();
    const auto waited = stream->Wait(Soon().deadline);
    ASSERT_TRUE(told);
    EXPECT_EQ(waited.has_value(), told->has_value());
    EXPECT_EQ(waited.has_value(), body.ends_with("whole"));
  }
}

TEST(OutputStream, UnframedOutputSaysWhoseItIs) {
  const FakeEngine fake(Raw(WithLength({.body = "plain text of a terminal"})));
  const auto engine = MustConnect(fake);
  const auto stream = engine->Attach("c1", [](docker::OutputStream, std::string_view) {}, nullptr, Soon());
  ASSERT_TRUE(stream) << stream.error().ToString();
  const auto ended = stream->Wait(Soon().deadline);
  ASSERT_FALSE(ended);
  EXPECT_THAT(ended.error().message(),
              testing::StartsWith("cannot attach to container 'c1': the output is not framed"));
  EXPECT_THAT(ended.error().message(), HasSubstr("was the container created with a terminal?"));
}

TEST(EventStream, ALastEventWithoutALineEndIsTold) {
  const std::string event(kEvent);
  const FakeEngine fake(Raw(WithLength({.body = event + event.substr(0, event.size() - 1)})));
  int count = 0;
  const auto engine = MustConnect(fake);
  const auto stream = engine->Events({}, [&](const Event&) { ++count; }, nullptr, Soon());
  ASSERT_TRUE(stream) << stream.error().ToString();
  EXPECT_TRUE(stream->Wait(Soon().deadline));
  EXPECT_EQ(count, 2);
}

TEST(EventStream, CutInTheMiddleOfAnEventIsAnError) {
  const FakeEngine fake(Raw(WithLength({.body = std::string(kEvent) + "{\"Type\": \"cont"})));
  const auto engine = MustConnect(fake);
  const auto stream = engine->Events({}, [](const Event&) {}, nullptr, Soon());
  ASSERT_TRUE(stream) << stream.error().ToString();
  const auto ended = stream->Wait(Soon().deadline);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code(), ErrorCode::kPeerCorrupt);
}

// Either may be first; both end, and whoever is second finds nothing left to do.
TEST(EventStream, OwnerMayStopItWhileItsEngineEnds) {
  for (int round = 0; round < 50; ++round) {
    const FakeEngine fake(EventsThen(kEvent, Silent));
    auto engine = MustConnect(fake);
    auto stream = engine->Events({}, [](const Event&) {}, nullptr, Soon());
    ASSERT_TRUE(stream);
    const std::jthread ending([&] { engine.reset(); });
    stream->Stop();
  }
}

}  // namespace
}  // namespace penstock::docker
