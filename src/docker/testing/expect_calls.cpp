#include "docker/testing/expect_calls.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace penstock::docker {
namespace {
using base::ErrorCode;

constexpr std::size_t kLongestSentence = 3000;

auto Remedy(const EngineCall& call, const base::Error& error) -> std::string {
  switch (error.code()) {
    case ErrorCode::kPeerGone:
      return "/docker.sock closed the connection before its answer was complete; it may have been restarted "
             "('journalctl -u docker' says why)";
    case ErrorCode::kPeerCorrupt:
      return call.reads == Reads::kFrames ? "?" : "is DOCKER_HOST the socket of a Docker engine?";
    case ErrorCode::kUnavailable:
      return error.message().find("(no message)") == std::string::npos ? "" : "'journalctl -u docker' may say why";
    default:
      return "";
  }
}

auto Has(const base::Error& error, const std::string& words) -> bool {
  return error.message().find(words) != std::string::npos;
}

void ExpectSentence(const EngineCall& call, const base::Error& error) {
  const auto& message = error.message();
  EXPECT_TRUE(message.starts_with("cannot " + call.attempt + ": ")) << message;
  EXPECT_LT(message.size(), kLongestSentence);
  EXPECT_TRUE(Has(error, Remedy(call, error))) << message;
  const auto is_shown = [](char c) { return static_cast<unsigned char>(c) >= ' ' || c == '\n'; };
  EXPECT_TRUE(std::all_of(message.begin(), message.end(), is_shown)) << "a control character in: " << message;
}
}  // namespace

auto Always(ErrorCode code) -> ExpectedCode {
  return [code](const EngineCall&) { return code; };
}

auto UnlessUnread(ErrorCode code) -> ExpectedCode {
  return [code](const EngineCall& call) { return call.reads == Reads::kNothing ? std::nullopt : std::optional(code); };
}

auto Sends(std::string bytes) -> FakeHandler {
  return [bytes = std::move(bytes)](const std::string&, const FakeConnection& connection) {
    connection.Send(bytes);
    return Then::kClose;
  };
}

void ExpectOutcome(const EngineCall& call, const base::Status& outcome, std::optional<ErrorCode> expected) {
  SCOPED_TRACE(call.name);
  if (!expected) {
    EXPECT_TRUE(outcome) << outcome.error().ToString();
    return;
  }
  ASSERT_FALSE(outcome) << "expected " << base::ToString(*expected);
  EXPECT_EQ(outcome.error().code(), *expected) << outcome.error().ToString();
  ExpectSentence(call, outcome.error());
}

void ExpectOfEveryCall(const FakeHandler& spoil, const ExpectedCode& expected, FakeOptions fake_options,
                       const EngineOptions& options) {
  for (const auto& call : EngineCalls()) {
    const auto fake = SpoiledEngine(call, spoil, fake_options);
    const Call soon(base::Deadline::In(std::chrono::minutes(2)));
    ExpectOutcome(call, Make(call, *fake, soon, options), expected(call));
  }
}

}  // namespace penstock::docker
