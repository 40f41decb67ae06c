// Every call of the client, against an engine that refuses it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "docker/testing/expect_calls.h"

namespace penstock::docker {
namespace {
using base::ErrorCode;
using std::string_literals::operator""s;
using testing::HasSubstr;

auto CodeOf(int status) -> ErrorCode {
  switch (status) {
    case 400:
      return ErrorCode::kInvalidArgument;
    case 401:
    case 403:
      return ErrorCode::kPermission;
    case 404:
      return ErrorCode::kNotFound;
    case 409:
      return ErrorCode::kConflict;
    case 501:
      return ErrorCode::kUnsupported;
    default:
      return status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kPeerCorrupt;
  }
}

/// Removing what is gone, and stopping what does not run, are success.
auto Refused(int status) -> ExpectedCode {
  return [status](const EngineCall& call) -> std::optional<ErrorCode> {
    if (status == 404 && (call.name == "Remove" || call.name == "RemoveThenWait")) return std::nullopt;
    if (status == 409 && call.name == "Stop") return std::nullopt;
    return CodeOf(status);
  };
}

constexpr std::array kStatuses{301, 400, 401, 403, 404, 409, 418, 500, 501, 502, 503};

TEST(EveryCall, TellsTheEnginesWordsWhenItIsRefused) {
  for (const int status : kStatuses) {
    for (const auto& call : EngineCalls()) {
      const auto fake =
          SpoiledEngine(call, Sends(WithLength({.status = status, .body = R"({"message": "these words"})"})));
      const auto outcome = Make(call, *fake, Soon());
      ExpectOutcome(call, outcome, Refused(status)(call));
      if (outcome) continue;
      EXPECT_THAT(outcome.error().message(), HasSubstr(fmt::format("these words (Docker engine, HTTP {})", status)));
    }
  }
}

TEST(EveryCall, SaysWhatToDoWhenItIsRefusedWithoutWords) {
  for (const int status : {301, 400, 404, 500}) {
    ExpectOfEveryCall(Sends(WithLength({.status = status})), Refused(status));
  }
  for (const auto& body : {"boo"s, "<html>\x1b]0;x\x07</html>"s, R"({"message": 3})"s, "{}"s, "[]"s, "\xff\xfe\0"s,
                           "{\"message\": \"\"}"s, "{\"message\": \"\\u001b[31m\"}"s, std::string(100'000, 'x'),
                           "{\"message\": \"" + std::string(30'000, 'x') + "\"}"}) {
    ExpectOfEveryCall(Sends(WithLength({.status = 500, .body = body})), Always(ErrorCode::kUnavailable));
  }
}

TEST(EveryCall, DoesNotWaitForTheEndOfAnEndlessRefusal) {
  ExpectOfEveryCall(
      [](const std::string&, const FakeConnection& connection) {
        connection.Send("HTTP/1.1 500 X\r\n\r\n" + std::string(1UL << 20, 'x'));
        connection.WaitForClose();
        return Then::kClose;
      },
      Always(ErrorCode::kUnavailable));
}

TEST(EveryCall, TellsARefusalThatComesBeforeTheRequestWasRead) {
  const FakeHandler spoil = [](const std::string&, const FakeConnection& connection) {
    connection.Send(WithLength({.status = 500, .body = R"({"message": "these words"})"}));
    connection.WaitForClose();
    return Then::kClose;
  };
  ExpectOfEveryCall(spoil, Always(ErrorCode::kUnavailable), {.reads_bodies = false});
}

TEST(EveryStream, IsRefusedByAnAnswerThatCannotHaveABody) {
  for (const auto& call : EngineCalls()) {
    if (!call.streams) continue;
    const auto fake = SpoiledEngine(call, Sends(WithLength({.status = 304})));
    ExpectOutcome(call, Make(call, *fake, Soon()), ErrorCode::kPeerCorrupt);
  }
}

TEST(Starting, WhatRunsAlreadyIsSuccess) {
  const FakeEngine fake(Sends(WithLength({.status = 304})));
  EXPECT_TRUE(Engine::Connect({.host = fake.path()}, Soon()).value()->Start("c1", Soon()));
}

}  // namespace
}  // namespace penstock::docker
