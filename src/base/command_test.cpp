#include "base/command.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <future>

#include "base/unique_fd.h"

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

TEST(RunCommand, LeavesNoProgramWhenItsOwnProcessIsKilled) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd told(ends[0]);
  UniqueFd tell(ends[1]);
  const pid_t runner = ::fork();
  if (runner == 0) {
    const auto hand_on = [&](std::string_view line) {
      const int pid = std::stoi(std::string(line));
      if (::write(tell.get(), &pid, sizeof(pid)) != sizeof(pid)) ::_exit(1);
    };
    static_cast<void>(RunCommand({"sh", "-c", "echo $$; exec sleep 1000"}, hand_on, Deadline::Never()));
    ::_exit(1);
  }
  tell.reset();
  int program = 0;
  ASSERT_EQ(::read(told.get(), &program, sizeof(program)), static_cast<ssize_t>(sizeof(program)));
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, program, 0)));
  ASSERT_TRUE(pidfd);
  ::kill(runner, SIGKILL);
  ::waitpid(runner, nullptr, 0);
  pollfd ended{pidfd.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&ended, 1, 60'000), 1) << "it still runs";
}

TEST(RunCommand, ReportsASignalAsTheShellDoes) {
  EXPECT_EQ(RunCommand({"sh", "-c", "kill -KILL $$"}, {}, Deadline::In(60s)).value(), 137);
}

}  // namespace
}  // namespace penstock::base
