#include "base/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>

namespace penstock::base {
namespace {
using namespace std::chrono_literals;
using testing::ElementsAre;

TEST(RunCommand, HandsOnBothOutputsLineByLineAndTheExitStatus) {
  std::vector<std::string> lines;
  const auto status = RunCommand(
      {"sh", "-c", "echo one; echo two >&2; printf three; exit 7"},
      [&](std::string_view line) { lines.emplace_back(line); }, Deadline::In(60s));
  EXPECT_EQ(status.value(), 7);
  EXPECT_THAT(lines, ElementsAre("one", "two", "three"));
}

TEST(RunCommand, DoesNotWaitForWhatTheProgramLeftInTheBackground) {
  std::string group;
  const auto status =
      RunCommand({"sh", "-c", "sleep 1000 & echo $!"}, [&](std::string_view line) { group = line; }, Deadline::In(60s));
  EXPECT_EQ(status.value(), 0);
  ::kill(std::stoi(group), SIGKILL);
}

TEST(RunCommand, SaysThatThereIsNoSuchProgram) {
  EXPECT_EQ(RunCommand({"no-such-program-here"}, {}, Deadline::In(60s)).error().code(), ErrorCode::kNotFound);
}

TEST(RunCommand, EndsTheProgramAtTheDeadline) {
  EXPECT_EQ(RunCommand({"sleep", "1000"}, {}, Deadline::In(10ms)).error().code(), ErrorCode::kDeadline);
}

TEST(RunCommand, EndsTheProgramWhenStopped) {
  std::stop_source stop;
  const auto result = RunCommand(
      {"sh", "-c", "echo ready; exec sleep 1000"}, [&](std::string_view) { stop.request_stop(); }, Deadline::Never(),
      stop.get_token());
  EXPECT_EQ(result.error().code(), ErrorCode::kCancelled);
}

TEST(RunCommand, ReportsASignalAsTheShellDoes) {
  EXPECT_EQ(RunCommand({"sh", "-c", "kill -KILL $$"}, {}, Deadline::In(60s)).value(), 137);
}

}  // namespace
}  // namespace penstock::base
