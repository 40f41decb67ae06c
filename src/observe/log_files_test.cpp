#include "observe/log_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <numeric>
#include <thread>

#include "observe/log_reader.h"
#include "observe/session_folder.h"

namespace penstock::observe {
namespace fs = std::filesystem;
namespace {

class Folder : public testing::Test {
 protected:
  Folder() {
    std::string name = (fs::temp_directory_path() / "penstock-log-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() override { fs::remove_all(path_); }

  auto Read() const -> std::vector<std::string> {
    std::vector<std::string> lines;
    LogReader reader(path_);
    EXPECT_TRUE(reader.ReadNew([&](std::string_view line) {
      lines.emplace_back(line);
      return true;
    }));
    return lines;
  }

  static auto AppendLine(LogFiles& files, const std::string& line) -> LogFiles::Written {
    return files.Append(line + '\n', {line.size() + 1});
  }

  fs::path path_;
};

using LogFilesTest = Folder;

TEST_F(LogFilesTest, GoOnInTheNextFileAndKeepTheNewest) {
  LogFiles files(path_, {.bytes = 100, .count = 3});
  std::uint64_t removed = 0;
  for (int i = 0; i < 50; ++i) removed += AppendLine(files, fmt::format("line {:020}", i)).removed_lines;
  EXPECT_EQ(LogFiles::Numbers(path_).size(), 3U);
  const auto lines = Read();
  EXPECT_EQ(lines.size() + removed, 50U);
  EXPECT_EQ(lines.back(), fmt::format("line {:020}", 49));
  for (std::size_t i = 1; i < lines.size(); ++i) EXPECT_LT(lines[i - 1], lines[i]);
  for (const auto& entry : fs::directory_iterator(path_)) EXPECT_LE(fs::file_size(entry), 100U);
}

TEST_F(LogFilesTest, HoldWholeLinesWhenThereIsNoMoreRoom) {
  // A file size limit stands for the full disk: writes are cut off in the middle, then refused.
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit limit{.rlim_cur = 25, .rlim_max = before.rlim_max};
  LogFiles files(path_, {});
  ::setrlimit(RLIMIT_FSIZE, &limit);
  const auto written = files.Append("0123456789\n0123456789\n0123456789\n", {11, 22, 33});
  const auto again = AppendLine(files, "x");
  ::setrlimit(RLIMIT_FSIZE, &before);
  const auto later = AppendLine(files, "later");
  EXPECT_EQ(written.lines, 2U);
  EXPECT_EQ(written.error, EFBIG);
  EXPECT_EQ(again.lines, 1U);
  EXPECT_EQ(later.lines, 1U);
  EXPECT_EQ(Read(), (std::vector<std::string>{"0123456789", "0123456789", "x", "later"}));
}

using LogReaderTest = Folder;

TEST_F(LogReaderTest, LeavesAnIncompleteLineForLater) {
  std::ofstream(path_ / LogFiles::NameOf(1)) << "one\ntw";
  std::vector<std::string> lines;
  LogReader reader(path_);
  const auto collect = [&](std::string_view line) {
    lines.emplace_back(line);
    return true;
  };
  ASSERT_TRUE(reader.ReadNew(collect));
  EXPECT_EQ(lines, std::vector<std::string>{"one"});
  std::ofstream(path_ / LogFiles::NameOf(1), std::ios::app) << "o\n";
  ASSERT_TRUE(reader.ReadNew(collect));
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "two"}));
}

TEST_F(LogReaderTest, FollowsThroughRotationUntilTheSessionEnds) {
  constexpr int kLines = 2000;
  auto folder = SessionFolder::Create(path_, "01900000-0000-7000-8000-000000000000");
  ASSERT_TRUE(folder);
  const auto path = folder->path();
  std::vector<int> seen;
  std::thread follower([&] {
    EXPECT_TRUE(FollowLog(path, STDOUT_FILENO, [&](std::string_view line) {
      seen.push_back(std::stoi(std::string(line)));
      return true;
    }));
  });
  {
    // Enough files that none is removed: what is gone cannot be followed.
    LogFiles files(path, {.bytes = 200, .count = 1000});
    for (int i = 0; i < kLines; ++i) AppendLine(files, std::to_string(i));
    const auto ended = std::move(*folder);
  }
  follower.join();
  std::vector<int> expected(kLines);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(seen, expected);
}

using SessionFolderTest = Folder;

TEST_F(SessionFolderTest, IsLiveAsLongAsItIsHeld) {
  auto folder = SessionFolder::Create(path_, "01900000-0000-7000-8000-000000000000");
  ASSERT_TRUE(folder);
  const auto path = folder->path();
  EXPECT_TRUE(IsLive(path));
  {
    const auto ended = std::move(*folder);
  }
  EXPECT_FALSE(IsLive(path));
}

TEST_F(SessionFolderTest, IsFoundByTheBeginningOfItsId) {
  for (const auto* id : {"01900000-0000-7000-8000-000000000000", "01900000-0001-7000-8000-000000000000"})
    ASSERT_TRUE(SessionFolder::Create(path_, id));
  EXPECT_EQ(*FindSession(path_, ""), "01900000-0001-7000-8000-000000000000");
  EXPECT_EQ(*FindSession(path_, "01900000-0000"), "01900000-0000-7000-8000-000000000000");
  EXPECT_EQ(FindSession(path_, "0190").error().code(), base::ErrorCode::kConflict);
  const auto none = FindSession(path_, "0191");
  EXPECT_EQ(none.error().code(), base::ErrorCode::kNotFound);
  EXPECT_NE(none.error().message().find("01900000-0001-7000-8000-000000000000"), std::string::npos);
}

TEST_F(SessionFolderTest, OldOnesAreRemovedButNoneThatIsLive) {
  const auto live = SessionFolder::Create(path_, "01900000-0000-7000-8000-000000000000");
  for (int i = 1; i <= 4; ++i)
    ASSERT_TRUE(SessionFolder::Create(path_, fmt::format("01900000-000{}-7000-8000-000000000000", i)));
  fs::create_directory(path_ / "somebody-elses");
  const std::chrono::hours ever(24 * 36500);
  PruneSessions(path_, {.count = 2, .age = ever});
  EXPECT_EQ(ListSessions(path_),
            (std::vector<std::string>{"01900000-0000-7000-8000-000000000000", "01900000-0003-7000-8000-000000000000",
                                      "01900000-0004-7000-8000-000000000000"}));
  PruneSessions(path_, {.count = 100, .age = std::chrono::hours(24)});
  EXPECT_EQ(ListSessions(path_), std::vector<std::string>{"01900000-0000-7000-8000-000000000000"});
  EXPECT_TRUE(fs::exists(path_ / "somebody-elses"));
}

}  // namespace
}  // namespace penstock::observe
