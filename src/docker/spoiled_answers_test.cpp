// Every call of the client, against an engine that spoils its answer.
#include <gtest/gtest.h>

#include "docker/testing/expect_calls.h"

namespace penstock::docker {
namespace {
using base::ErrorCode;
using std::string_literals::operator""s;

/// With engines that send all their good answers by `send`.
void ExpectSuccessOfEveryCall(const std::function<void(const FakeConnection&, const GoodAnswer&)>& send) {
  for (const auto& call : EngineCalls()) {
    const auto fake =
        ScriptedEngine(call, [&](const std::string&, const FakeConnection& connection, std::size_t answer) {
          send(connection, call.answers.at(answer));
          return Then::kKeepOpen;
        });
    ExpectOutcome(call, Make(call, *fake, Soon()), std::nullopt);
  }
}

// ---- what is understood ----

TEST(EveryCall, SucceedsWithAGoodAnswer) {
  ExpectSuccessOfEveryCall(
      [](const FakeConnection& connection, const GoodAnswer& answer) { connection.Send(WithLength(answer)); });
}

TEST(EveryCall, UnderstandsAnAnswerByteByByte) {
  ExpectSuccessOfEveryCall([](const FakeConnection& connection, const GoodAnswer& answer) {
    connection.SendByteByByte(WithLength(answer));
  });
}

TEST(EveryCall, UnderstandsChunksOfAnySize) {
  for (const auto piece : {1UL, 7UL, 1000UL}) {
    ExpectSuccessOfEveryCall([piece](const FakeConnection& connection, const GoodAnswer& answer) {
      connection.SendByteByByte(InChunks(answer, piece));
    });
  }
}

TEST(EveryCall, PassesOverWhatComesBeforeTheAnswer) {
  ExpectSuccessOfEveryCall([](const FakeConnection& connection, const GoodAnswer& answer) {
    connection.Send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX: y\r\n\r\n" + WithLength(answer));
  });
}

// ---- bodies ----

TEST(EveryCall, RefusesABodyThatIsNotJson) {
  for (const auto* body : {"{\"Id\": \"abc\", ", "hello", "<html>\x1b[31mlogin</html>", "{\"Id\": \"\xff\xfe\"}",
                           "{\"Id\": \"a\"} {\"Id\": \"b\"}", "{\"Id\": 1e999}", "\xef\xbb\xbf"}) {
    ExpectOfEveryCall(Sends(WithLength({.body = body})), UnlessUnread(ErrorCode::kPeerCorrupt));
  }
}

TEST(EveryCall, RefusesAnEmptyBody) {
  ExpectOfEveryCall(Sends(WithLength({})), [](const EngineCall& call) {
    // No output and no events are an answer.
    const bool none_is_fine = call.reads == Reads::kNothing || call.reads == Reads::kFrames || call.streams;
    return none_is_fine ? std::nullopt : std::optional(ErrorCode::kPeerCorrupt);
  });
}

TEST(EveryCall, RefusesJsonOfOtherTypesThanItExpects) {
  for (const auto& call : EngineCalls()) {
    for (const auto& body : call.wrong) {
      SCOPED_TRACE(body);
      const auto fake = SpoiledEngine(call, Sends(WithLength({.body = body})));
      ExpectOutcome(call, Make(call, *fake, Soon()), ErrorCode::kPeerCorrupt);
    }
  }
}

TEST(EveryCall, SurvivesDeepJson) {
  ExpectOfEveryCall(Sends(WithLength({.body = std::string(1UL << 16, '[')})), UnlessUnread(ErrorCode::kPeerCorrupt));
  ExpectOfEveryCall(Sends(WithLength({.body = std::string(1UL << 16, '[') + std::string(1UL << 16, ']')})),
                    UnlessUnread(ErrorCode::kPeerCorrupt));
}

TEST(EveryCall, RefusesABodyBeyondItsBound) {
  constexpr std::size_t kBound = 100'000;
  const ExpectedCode expected = [](const EngineCall& call) -> std::optional<ErrorCode> {
    if (call.reads == Reads::kFrames) return call.streams ? std::nullopt : std::optional(ErrorCode::kExhausted);
    return ErrorCode::kPeerCorrupt;
  };
  const auto body_for = [](const EngineCall& call) -> std::string {
    return call.reads == Reads::kFrames ? Frame(1, std::string(2 * kBound, 'x')) : std::string(2 * kBound, ' ');
  };
  for (const auto& call : EngineCalls()) {
    const GoodAnswer huge{.body = body_for(call)};
    for (const auto& bytes : {WithLength(huge), InChunks(huge, kBound)}) {
      const auto fake = SpoiledEngine(call, Sends(bytes));
      ExpectOutcome(call, Make(call, *fake, Soon(), {.max_answer_bytes = kBound}), expected(call));
    }
  }
}

TEST(EveryCall, DoesNotWaitForABodyThatIsAnnouncedAsTooLarge) {
  const FakeHandler spoil = [](const std::string&, const FakeConnection& connection) {
    connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000\r\n\r\n ");
    connection.WaitForClose();
    return Then::kClose;
  };
  for (const auto& call : EngineCalls()) {
    if (call.reads == Reads::kLines || call.reads == Reads::kFrames) continue;  // of any length
    const auto fake = SpoiledEngine(call, spoil);
    ExpectOutcome(call, Make(call, *fake, Soon()), ErrorCode::kPeerCorrupt);
  }
}

// ---- HTTP ----

TEST(EveryCall, KnowsATruncatedHead) {
  for (const auto* head : {"HTTP/1.1 200 OK\r\nConte", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "HTTP/1.1 200 OK",
                           "HTTP/1.1 100 Continue\r\n\r\n"}) {
    SCOPED_TRACE(head);
    ExpectOfEveryCall(Sends(head), Always(ErrorCode::kPeerGone));
  }
}

TEST(EveryCall, KnowsABodyShorterThanItsLength) {
  ExpectOfEveryCall(Sends("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"), Always(ErrorCode::kPeerGone));
  ExpectOfEveryCall(Sends("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n\x01\0\0"s), Always(ErrorCode::kPeerGone));
  ExpectOfEveryCall(Sends("HTTP/1.1 500 X\r\nContent-Length: 100\r\n\r\n{\"mess"), Always(ErrorCode::kPeerGone));
}

TEST(EveryCall, KnowsTruncatedChunks) {
  const auto head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"s;
  for (const auto& rest :
       {""s, "1"s, "10\r\n"s, "10\r\n\x01\0\0"s, "3\r\n\x01\0\0"s, "3\r\n\x01\0\0\r\n"s, "3\r\n\x01\0\0\r\n0\r\n"s}) {
    SCOPED_TRACE(rest);
    ExpectOfEveryCall(Sends(head + rest), Always(ErrorCode::kPeerGone));
  }
}

TEST(EveryCall, RefusesBrokenChunks) {
  const auto head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"s;
  for (const auto* rest : {"zz\r\n{}\r\n0\r\n\r\n", "-1\r\n{}\r\n0\r\n\r\n", "\r\n\r\n", "ffffffffffffffffff\r\n{}"}) {
    SCOPED_TRACE(rest);
    ExpectOfEveryCall(Sends(head + rest), Always(ErrorCode::kPeerCorrupt));
  }
}

TEST(EveryCall, RefusesAHeadBeyondItsBound) {
  std::string many = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 100; ++i) many += fmt::format("X-{}: {}\r\n", i, std::string(4000, 'x'));
  ExpectOfEveryCall(Sends(many), Always(ErrorCode::kPeerCorrupt));
  ExpectOfEveryCall(Sends("HTTP/1.1 200 OK\r\nX: " + std::string(250'000, 'x') + "\r\n\r\n{}"),
                    Always(ErrorCode::kPeerCorrupt));
  std::string endless;
  for (int i = 0; i < 100; ++i) endless += "HTTP/1.1 100 Continue\r\nX: " + std::string(4000, 'x') + "\r\n\r\n";
  ExpectOfEveryCall(Sends(endless), Always(ErrorCode::kPeerCorrupt));
}

TEST(EveryCall, RefusesWhatIsNoHttp) {
  for (const auto* bytes :
       {"SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/9.9 200 OK\r\n\r\n", "{\"Id\": \"a\"}\n", "\r\n\r\n\r\n"}) {
    SCOPED_TRACE(bytes);
    ExpectOfEveryCall(Sends(bytes), Always(ErrorCode::kPeerCorrupt));
  }
}

// ---- hanging up ----

TEST(EveryCall, KnowsAnEngineThatHangsUp) { ExpectOfEveryCall(Sends(""), Always(ErrorCode::kPeerGone)); }

TEST(EveryCall, KnowsAnEngineThatHangsUpBeforeItHasReadTheRequest) {
  ExpectOfEveryCall(Sends(""), Always(ErrorCode::kPeerGone), {.reads_bodies = false});
}

}  // namespace
}  // namespace penstock::docker
