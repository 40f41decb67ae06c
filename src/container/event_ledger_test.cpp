#include "container/event_ledger.h"

#include <gtest/gtest.h>

#include <thread>

namespace penstock::container {
namespace {
using base::Deadline;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;

auto Event(std::string action, std::string id, docker::StringMap attributes = {}) -> docker::Event {
  return {.type = "container", .action = std::move(action), .id = std::move(id), .attributes = std::move(attributes)};
}

TEST(EventLedger, KeepsEachContainersStory) {
  EventLedger ledger;
  ledger.OnEvent(Event("oom", "a"));
  ledger.OnEvent(Event("kill", "b", {{"signal", "15"}}));
  ledger.OnEvent(Event("die", "b", {{"exitCode", "143"}}));
  EXPECT_TRUE(ledger.Of("a").out_of_memory);
  EXPECT_FALSE(ledger.Of("a").exit_code);
  EXPECT_EQ(ledger.Of("b").signal_asked, 15);
  EXPECT_EQ(ledger.Of("b").exit_code, 143);
  EXPECT_FALSE(ledger.Of("c").out_of_memory);
}

TEST(EventLedger, EndsAWaitWhenTheContainerHasEnded) {
  EventLedger ledger;
  const std::jthread engine([&] { ledger.OnEvent(Event("die", "a", {{"exitCode", "3"}})); });
  EXPECT_EQ(ledger.AwaitEnd("a", Deadline::In(120s)).exit_code, 3);
}

TEST(EventLedger, EndsAWaitWhenTheEngineIsLostOrTheDeadlinePasses) {
  EventLedger ledger;
  EXPECT_FALSE(ledger.AwaitEnd("a", Deadline::In(1ms)).exit_code);
  const std::jthread engine([&] { ledger.OnEnd({}); });
  EXPECT_FALSE(ledger.AwaitEnd("a", Deadline::In(120s)).exit_code);
  EXPECT_TRUE(ledger.is_lost());
}

TEST(EventLedger, TakesAnEngineThatDoesNotListenAnyMoreForLost) {
  EXPECT_TRUE(EventLedger("/nonexistent/docker.sock").is_lost());
  EXPECT_FALSE(EventLedger().is_lost());
}

TEST(EventLedger, TellsListenersWhileTheyListen) {
  EventLedger ledger;
  std::vector<std::string> heard;
  const auto listen = [&] {
    return ledger.Listen({.on_out_of_memory = [&](const std::string& id) { heard.push_back(id); },
                          .on_lost = [&](const base::Status& how) { heard.push_back(how ? "end" : "break"); }});
  };
  {
    const auto subscription = listen();
    ledger.OnEvent(Event("oom", "a"));
    ledger.OnEvent(Event("die", "a", {{"exitCode", "137"}}));
  }
  ledger.OnEvent(Event("oom", "b"));
  const auto again = listen();
  ledger.OnEnd(base::Fail(base::ErrorCode::kPeerGone, "gone"));
  EXPECT_EQ(heard, (std::vector<std::string>{"a", "break"}));
}

TEST(EventLedger, ForgetsTheOldestThatHaveEnded) {
  EventLedger ledger;
  for (int i = 0; i < 1000; ++i) ledger.OnEvent(Event("die", std::to_string(i), {{"exitCode", "1"}}));
  EXPECT_FALSE(ledger.Of("0").exit_code);
  EXPECT_EQ(ledger.Of("999").exit_code, 1);
}

}  // namespace
}  // namespace penstock::container
