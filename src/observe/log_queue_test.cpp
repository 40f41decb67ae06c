#include "observe/log_queue.h"

#include <gtest/gtest.h>

#include <thread>

namespace penstock::observe {
namespace {

auto Line(std::string text, std::string node = "n") -> std::vector<LogRecord> {
  return {LogRecord{.node = std::move(node), .text = std::move(text)}};
}

TEST(LogQueue, GivesLinesInTheirOrderAndThenEnds) {
  LogQueue queue(1 << 20);
  queue.Push(Line("one"));
  queue.Push(Line("two"));
  queue.End();
  const auto taken = queue.Take();
  ASSERT_EQ(taken.size(), 2U);
  EXPECT_EQ(taken[0].text, "one");
  EXPECT_EQ(taken[1].text, "two");
  EXPECT_TRUE(queue.Take().empty());
}

TEST(LogQueue, TellsWhatItDroppedWhereItIsMissing) {
  LogQueue queue(2000);
  queue.Push(Line(std::string(1000, 'a')));
  queue.Push(Line(std::string(1500, 'b')));
  queue.Push(Line(std::string(1500, 'c'), "m"));
  queue.Push(Line("small"));
  queue.End();
  const auto taken = queue.Take();
  ASSERT_EQ(taken.size(), 4U);
  EXPECT_EQ(taken[1].node, "m");
  EXPECT_EQ(taken[1].dropped, 1U);
  EXPECT_EQ(taken[2].node, "n");
  EXPECT_EQ(taken[2].dropped, 1U);
  EXPECT_EQ(taken[3].text, "small");
  EXPECT_EQ(queue.dropped(), (LogCounts{{{"n", Stream::kStdout}, 1}, {{"m", Stream::kStdout}, 1}}));
}

TEST(LogQueue, KeepsLinesTogetherOrDropsThemTogether) {
  LogQueue queue(2000);
  queue.Push({LogRecord{.text = "traceback"}, LogRecord{.text = std::string(4000, 'x')}});
  queue.End();
  const auto taken = queue.Take();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].dropped, 2U);
}

TEST(LogQueue, CountsWhatASourceDroppedItself) {
  LogQueue queue(1 << 20);
  queue.Push({LogRecord{.node = "n", .stream = Stream::kLog, .dropped = 7}});
  EXPECT_EQ(queue.dropped(), (LogCounts{{{"n", Stream::kLog}, 7}}));
}

TEST(LogQueue, LosesNoLineUncountedWhenWritersAreManyAndTheReaderIsSlow) {
  constexpr std::uint64_t kLines = 20'000;
  LogQueue queue(64 << 10);
  std::uint64_t taken = 0;
  std::uint64_t told = 0;
  std::thread reader([&] {
    for (auto records = queue.Take(); !records.empty(); records = queue.Take()) {
      for (const auto& record : records) {
        taken += record.dropped == 0 ? 1 : 0;
        told += record.dropped;
      }
    }
  });
  {
    std::vector<std::jthread> writers;
    for (const auto* node : {"a", "b", "c", "d"}) {
      writers.emplace_back([&queue, node] {
        for (std::uint64_t i = 0; i < kLines; ++i) queue.Push(Line(std::string(100, 'x'), node));
      });
    }
  }
  queue.End();
  reader.join();
  EXPECT_EQ(taken + told, 4 * kLines);
  std::uint64_t dropped = 0;
  for (const auto& [source, lines] : queue.dropped()) dropped += lines;
  EXPECT_EQ(dropped, told);
}

}  // namespace
}  // namespace penstock::observe
