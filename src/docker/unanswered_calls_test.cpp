// Every call of the client, against an engine that does not answer, or not to the end: by the call's own limits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "docker/testing/scripted_engine.h"

namespace penstock::docker {
namespace {
using base::Deadline;
using base::ErrorCode;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using testing::HasSubstr;

/// An engine that stands still, and how far it has come before.
struct Wedged {
  std::string name;
  FakeHandler handler;
  FakeOptions options{};
};

auto Silent(const std::string& /*request*/, const FakeConnection& connection) -> Then {
  connection.WaitForClose();
  return Then::kClose;
}
auto Deaf(const std::string& /*request*/, const FakeConnection& connection) -> Then {
  connection.WaitForCloseUnread();
  return Then::kClose;
}
auto After(std::string bytes) -> FakeHandler {
  return [bytes = std::move(bytes)](const std::string& request, const FakeConnection& connection) {
    connection.Send(bytes);
    return Silent(request, connection);
  };
}

auto WedgedEngines() -> std::vector<Wedged> {
  return {{.name = "never answers", .handler = Silent},
          {.name = "never reads", .handler = Deaf, .options = {.reads_bodies = false}},
          {.name = "stops in the head", .handler = After("HTTP/1.1 200 OK\r\nConte")},
          {.name = "stops before the body", .handler = After("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")},
          {.name = "stops in the body", .handler = After("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n\x01")},
          {.name = "stops in a refusal", .handler = After("HTTP/1.1 500 X\r\nContent-Length: 100\r\n\r\n{")},
          {.name = "stops between chunks", .handler = After("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")}};
}

/// A stream that has begun is its owner's to end, not its call's.
auto Begins(const EngineCall& call, const Wedged& engine) -> bool {
  return call.streams && (engine.name.ends_with("body") || engine.name.ends_with("chunks"));
}

TEST(EveryCall, EndsAtItsDeadline) {
  for (const auto& engine : WedgedEngines()) {
    for (const auto& call : EngineCalls()) {
      SCOPED_TRACE(call.name + ": the engine " + engine.name);
      const auto fake = SpoiledEngine(call, engine.handler, engine.options);
      const auto outcome = Make(call, *fake, Deadline::In(5ms));
      ASSERT_FALSE(outcome);
      EXPECT_EQ(outcome.error().code(), ErrorCode::kDeadline) << outcome.error().ToString();
      // Where the answers before take the whole time, it is another of the call's requests that is told.
      if (call.spoiled == 0) {
        EXPECT_THAT(outcome.error().message(), HasSubstr("cannot " + call.attempt + ": "));
      }
    }
  }
}

TEST(EveryCall, EndsWhenItsDeadlineHasPassedBefore) {
  for (const auto& call : EngineCalls()) {
    SCOPED_TRACE(call.name);
    const auto fake = SpoiledEngine(call, Silent);
    const auto outcome = Make(call, *fake, Deadline::In(-1s));
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code(), ErrorCode::kDeadline) << outcome.error().ToString();
  }
}

TEST(EveryCall, EndsWhenItIsCancelledFromAnotherThread) {
  for (const auto& engine : WedgedEngines()) {
    for (const auto& call : EngineCalls()) {
      if (Begins(call, engine)) continue;
      SCOPED_TRACE(call.name + ": the engine " + engine.name);
      const auto fake = SpoiledEngine(call, engine.handler, engine.options);
      std::stop_source stop;
      const std::jthread canceller([&] {
        fake->WaitForRequests(RequestsUntilSpoiled(call));
        stop.request_stop();
      });
      const auto outcome = Make(call, *fake, {Deadline::In(120s), stop.get_token()});
      ASSERT_FALSE(outcome);
      EXPECT_EQ(outcome.error().code(), ErrorCode::kCancelled) << outcome.error().ToString();
      EXPECT_EQ(outcome.error().message(), "cannot " + call.attempt + ": cancelled");
    }
  }
}

TEST(EveryCall, AsksNothingWhenItIsCancelledBefore) {
  for (const auto& call : EngineCalls()) {
    SCOPED_TRACE(call.name);
    const auto fake = SpoiledEngine(call, Silent);
    std::stop_source stop;
    stop.request_stop();
    const auto outcome = Make(call, *fake, {Deadline::Never(), stop.get_token()});
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code(), ErrorCode::kCancelled);
    EXPECT_EQ(fake->requests().size(), call.connects ? 0U : 2U);
  }
}

// Half of an answer is there, and the other half on its way.
TEST(EveryCall, EndsWhenItIsCancelledInTheMiddleOfAnAnswer) {
  for (const auto& call : EngineCalls()) {
    for (std::size_t cancelled = 0; cancelled < call.answers.size(); ++cancelled) {
      SCOPED_TRACE(fmt::format("{}, request {}", call.name, cancelled));
      std::stop_source stop;
      const auto fake =
          ScriptedEngine(call, [&](const std::string&, const FakeConnection& connection, std::size_t answer) {
            const auto bytes = WithLength(call.answers.at(answer));
            connection.Send(bytes.substr(0, bytes.size() / 2));
            if (answer == cancelled) stop.request_stop();
            connection.Send(bytes.substr(bytes.size() / 2));
            return Then::kKeepOpen;
          });
      const auto outcome = Make(call, *fake, {Deadline::In(120s), stop.get_token()});
      EXPECT_TRUE(outcome || outcome.error().code() == ErrorCode::kCancelled) << outcome.error().ToString();
    }
  }
}

TEST(EveryStream, EndsWhenItsOwnerStopsIt) {
  for (const auto& engine : WedgedEngines()) {
    const EngineCall* const attach = &EngineCalls().at(EngineCalls().size() - 2);
    ASSERT_EQ(attach->name, "Attach");
    if (!Begins(*attach, engine)) continue;
    SCOPED_TRACE(engine.name);
    const FakeEngine fake(engine.handler);
    const auto client = Engine::Connect({.host = fake.path()}, Soon()).value();
    bool ended = false;
    const auto end = [&](const base::Status&) { ended = true; };
    auto output = client->Attach("c1", [](OutputStream, std::string_view) {}, end, Soon());
    auto events = client->Events({}, [](const Event&) {}, end, Soon());
    ASSERT_TRUE(output) << output.error().ToString();
    ASSERT_TRUE(events) << events.error().ToString();
    output->Stop();
    events->Stop();
    EXPECT_FALSE(ended) << "who stops a stream is not told of its end";
    EXPECT_EQ(output->Wait(Deadline::Never()).error().code(), ErrorCode::kCancelled);
  }
}

TEST(Stopping, KillsWhatOutlivesItsGrace) {
  // It may be killed before it was ever waited for: what is not answered is what comes before.
  std::atomic<bool> killed = false;
  FakeEngine fake([&](const std::string& request, const FakeConnection& connection) {
    if (request.find("SIGKILL") != std::string::npos) killed = true;
    if (request.find("/wait") != std::string::npos && !killed) return Silent(request, connection);
    connection.Answer(200, R"({"StatusCode": 137})");
    return Then::kKeepOpen;
  });
  const auto engine = Engine::Connect({.host = fake.path()}, Soon()).value();
  EXPECT_EQ(engine->Stop("c1", 1ms, Soon()).value(), 137);
  const auto asked = fake.requests();
  EXPECT_THAT(asked, testing::Contains(HasSubstr("/containers/c1/kill?signal=SIGTERM")));
  EXPECT_THAT(asked, testing::Contains(HasSubstr("/containers/c1/kill?signal=SIGKILL")));
}

TEST(WedgedEngine, CallEndsAtItsDeadline) {
  const FakeEngine fake(Silent);
  const auto engine = Engine::Connect({.host = fake.path()}, Soon()).value();
  const auto started = std::chrono::steady_clock::now();
  const auto answer = engine->Inspect("c1", Deadline::In(100ms));
  EXPECT_GE(std::chrono::steady_clock::now() - started, 100ms);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::kDeadline);
  EXPECT_THAT(answer.error().message(), HasSubstr("did not answer within 0.1 s"));
  EXPECT_THAT(answer.error().message(), HasSubstr("restart"));
}

TEST(WedgedEngine, DoesNotHoldUpOtherCalls) {
  const FakeEngine fake([](const std::string& request, const FakeConnection& connection) {
    if (request.find("/wait") != std::string::npos) return Silent(request, connection);
    connection.Answer(200, "[]");
    return Then::kKeepOpen;
  });
  const auto engine = Engine::Connect({.host = fake.path()}, Soon()).value();
  std::stop_source stop;
  auto waiting = std::async(std::launch::async, [&] {
    return engine->Wait("c1", WaitFor::kNotRunning, {Deadline::Never(), stop.get_token()});
  });
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(engine->List({}, Soon()));
  stop.request_stop();
  EXPECT_EQ(waiting.get().error().code(), ErrorCode::kCancelled);
}

TEST(Observer, SeesEveryRequestWithItsTimes) {
  const FakeEngine fake(Silent);
  std::vector<RequestTiming> seen;
  const auto engine = Engine::Connect(
      {.host = fake.path(), .observer = [&](const RequestTiming& timing) { seen.push_back(timing); }}, Soon());
  ASSERT_TRUE(engine);
  EXPECT_FALSE((*engine)->Inspect("c1", Deadline::In(20ms)));
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0].target, "/_ping");
  EXPECT_EQ(seen[0].status, 200);
  EXPECT_THAT(seen[2].target, testing::EndsWith("/containers/c1/json"));
  EXPECT_EQ(seen[2].status, 0);
  EXPECT_GE(seen[2].finished - seen[2].started, 20ms);
}

}  // namespace
}  // namespace penstock::docker
