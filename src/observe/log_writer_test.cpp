#include "observe/log_writer.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/uuid.h"
#include "observe/log_reader.h"

namespace penstock::observe {
namespace fs = std::filesystem;
namespace {

class LogWriterTest : public testing::Test {
 protected:
  LogWriterTest() {
    std::string name = (fs::temp_directory_path() / "penstock-log-XXXXXX").string();
    state_ = ::mkdtemp(name.data());
    ::setenv("XDG_STATE_HOME", state_.c_str(), 1);
  }
  ~LogWriterTest() override { fs::remove_all(state_); }

  static auto Read(const fs::path& folder) -> std::vector<LogRecord> {
    std::vector<LogRecord> records;
    LogReader reader(folder);
    EXPECT_TRUE(reader.ReadNew([&](std::string_view line) {
      auto record = ParseRecord(line);
      EXPECT_TRUE(record) << line;
      if (record) records.push_back(std::move(*record));
      return true;
    }));
    return records;
  }

  fs::path state_;
};

TEST_F(LogWriterTest, KeepsEveryLineInItsOrder) {
  constexpr std::uint64_t kLines = 5000;
  LogWriter writer(base::NewUuidV7(), {});
  for (std::uint64_t i = 0; i < kLines; ++i) writer.PushOne({.time_ns = 1, .node = "n", .text = std::to_string(i)});
  const auto account = writer.Close(base::Deadline::Never());
  EXPECT_EQ(account.kept, kLines);
  EXPECT_EQ(account.dropped_lines(), 0U);
  const auto records = Read(account.folder);
  ASSERT_EQ(records.size(), kLines);
  for (std::uint64_t i = 0; i < kLines; ++i) EXPECT_EQ(records[i].text, std::to_string(i));
}

TEST_F(LogWriterTest, SaysWhatRotationTook) {
  constexpr std::uint64_t kLines = 5000;
  LogWriter writer(base::NewUuidV7(), {.files = {.bytes = 100'000, .count = 2}});
  for (std::uint64_t i = 0; i < kLines; ++i) writer.PushOne({.time_ns = 1, .node = "n", .text = std::string(100, 'x')});
  const auto account = writer.Close(base::Deadline::Never());
  EXPECT_EQ(account.kept, kLines);
  EXPECT_GT(account.removed, 0U);
  std::uint64_t lines = 0;
  bool told = false;
  for (const auto& record : Read(account.folder)) {
    lines += record.event.empty() ? 1U : 0U;
    told = told || record.event == "rotated";
  }
  EXPECT_LT(lines, kLines);
  EXPECT_TRUE(told);
}

TEST_F(LogWriterTest, WithoutAPlaceToWriteToCountsEveryLine) {
  ::setenv("XDG_STATE_HOME", "/proc/nowhere", 1);
  LogWriter writer(base::NewUuidV7(), {});
  for (int i = 0; i < 10; ++i) writer.PushOne({.node = "n", .text = "x"});
  const auto account = writer.Close(base::Deadline::Never());
  EXPECT_TRUE(account.folder.empty());
  EXPECT_FALSE(account.problem.empty());
  EXPECT_EQ(account.dropped, (LogCounts{{{"n", Stream::kStdout}, 10}}));
}

TEST_F(LogWriterTest, AccountsForEveryLineAlsoWhenTheDiskIsNotAwaited) {
  constexpr std::uint64_t kLines = 50'000;
  LogWriter writer(base::NewUuidV7(), {});
  for (std::uint64_t i = 0; i < kLines; ++i) writer.PushOne({.time_ns = 1, .node = "n", .text = "x"});
  const auto account = writer.Close(base::Deadline::In(std::chrono::nanoseconds::zero()));
  EXPECT_EQ(account.kept + account.dropped_lines(), kLines);
  writer.Close(base::Deadline::Never());  // the folder goes with the test
}

TEST_F(LogWriterTest, CountsWhatComesAfterTheEnd) {
  LogWriter writer(base::NewUuidV7(), {});
  writer.PushOne({.node = "n", .text = "in time"});
  EXPECT_EQ(writer.Close(base::Deadline::Never()).kept, 1U);
  writer.PushOne({.node = "n", .text = "late"});
  EXPECT_EQ(writer.Close(base::Deadline::Never()).dropped_lines(), 1U);
}

}  // namespace
}  // namespace penstock::observe
