#include "image/index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/uuid.h"
#include "image/index_schema.h"

namespace penstock::image {
namespace {
namespace fs = std::filesystem;
using base::ErrorCode;
using testing::HasSubstr;

constexpr auto kEngine = "/run/test.sock";

auto At(std::int64_t milliseconds) -> Time { return Time(std::chrono::milliseconds(milliseconds)); }

auto SomeContents() -> Contents {
  Contents contents;
  contents.recipe = 2;
  contents.spec = {"3.11", "example/base:1", {"tree"}, {{"six==1.17.0", false}, {"numpy", true}}, {}};
  contents.base_reference = "example/base:1";
  contents.base = {{"sha256:aa", "sha256:bb"}, "amd64"};
  contents.base_path = "/usr/bin";
  contents.base_user = "1000:1000";
  contents.lock_digest = "ff";
  contents.resolved = {{{"tree", "2.1.0-1", "aa"}}, {{"six", "1.17.0", "bb"}}};
  return contents;
}

auto Available(const std::string& identity, Time time) -> Entry {
  return {.identity = identity,
          .image = "sha256:" + identity,
          .contents = SomeContents(),
          .size_bytes = 7,
          .created = time,
          .last_used = time,
          .uses = 1};
}

class Scratch final {
 public:
  Scratch() { fs::create_directories(path_); }
  ~Scratch() { fs::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  auto operator=(const Scratch&) -> Scratch& = delete;
  auto file() const -> fs::path { return path_ / "images.sqlite"; }
  auto index() const -> Index { return Index::Open(file(), kEngine).value(); }

 private:
  fs::path path_ = fs::temp_directory_path() / ("index-" + base::NewUuidV7());
};

TEST(Contents, SurviveBeingWritten) {
  EXPECT_EQ(ParseContents(ToJsonText(SomeContents())), SomeContents());
  EXPECT_EQ(ParseContents(R"({"recipe": "two"})"), std::nullopt);
  EXPECT_EQ(ParseContents("nonsense"), std::nullopt);
}

TEST(Index, FollowsABuildToItsImage) {
  const Scratch scratch;
  auto index = scratch.index();
  ASSERT_TRUE(index.BeginBuild("one", SomeContents(), At(5)));
  EXPECT_EQ(index.Find("one")->value().state, State::kBuilding);
  ASSERT_TRUE(index.Record(Available("one", At(9))));
  const auto entry = index.Find("one")->value();
  EXPECT_EQ(entry.state, State::kAvailable);
  EXPECT_EQ(entry.image, "sha256:one");
  EXPECT_EQ(entry.contents, SomeContents());
  EXPECT_EQ(entry.size_bytes, 7);
  EXPECT_EQ(entry.last_used, At(9));
  EXPECT_EQ(index.Find("two").value(), std::nullopt);
}

TEST(Index, RemembersAFailureUntilTheNextBuild) {
  const Scratch scratch;
  auto index = scratch.index();
  ASSERT_TRUE(index.BeginBuild("one", SomeContents(), At(5)));
  ASSERT_TRUE(index.RecordFailure("one", {"no such package", "abc"}, At(6)));
  const auto failed = index.Find("one")->value();
  EXPECT_EQ(failed.state, State::kFailed);
  EXPECT_EQ(failed.failure, "no such package");
  EXPECT_EQ(failed.fingerprint, "abc");
  ASSERT_TRUE(index.BeginBuild("one", SomeContents(), At(7)));
  EXPECT_EQ(index.Find("one")->value().failure, "");
}

TEST(Index, AnImageIsNotReplacedByALateFailure) {
  const Scratch scratch;
  auto index = scratch.index();
  ASSERT_TRUE(index.Record(Available("one", At(1))));
  ASSERT_TRUE(index.RecordFailure("one", {"killed", {}}, At(2)));
  EXPECT_EQ(index.Find("one")->value().state, State::kAvailable);
}

TEST(Index, AnAbandonedBuildLeavesNoTraceButAPin) {
  const Scratch scratch;
  auto index = scratch.index();
  ASSERT_TRUE(index.BeginBuild("one", SomeContents(), At(1)));
  ASSERT_TRUE(index.AbandonBuild("one"));
  EXPECT_FALSE(index.Find("one")->has_value());

  ASSERT_TRUE(index.BeginBuild("two", SomeContents(), At(1)));
  ASSERT_TRUE(index.SetPinned("two", true));
  ASSERT_TRUE(index.AbandonBuild("two"));
  const auto pinned = index.Find("two")->value();
  EXPECT_TRUE(pinned.pinned);
  EXPECT_EQ(pinned.state, State::kFailed);
  EXPECT_EQ(pinned.fingerprint, "");

  ASSERT_TRUE(index.Record(Available("three", At(1))));
  ASSERT_TRUE(index.AbandonBuild("three"));
  EXPECT_EQ(index.Find("three")->value().state, State::kAvailable);
}

TEST(Index, AnEntryThatChangedMeanwhileIsNotForgotten) {
  const Scratch scratch;
  auto index = scratch.index();
  ASSERT_TRUE(index.Record(Available("one", At(1))));
  const auto seen = index.Find("one")->value();
  ASSERT_TRUE(index.BeginBuild("one", SomeContents(), At(2)));
  ASSERT_TRUE(index.Forget(seen));
  EXPECT_TRUE(index.Find("one")->has_value());
  ASSERT_TRUE(index.Forget(index.Find("one")->value()));
  EXPECT_FALSE(index.Find("one")->has_value());
}

TEST(Index, APinSurvivesARebuild) {
  const Scratch scratch;
  auto index = scratch.index();
  ASSERT_TRUE(index.Record(Available("one", At(1))));
  ASSERT_TRUE(index.SetPinned("one", true));
  ASSERT_TRUE(index.BeginBuild("one", SomeContents(), At(2)));
  ASSERT_TRUE(index.Record(Available("one", At(3))));
  EXPECT_TRUE(index.Find("one")->value().pinned);
  EXPECT_EQ(index.SetPinned("two", true).error().code(), ErrorCode::kNotFound);
}

TEST(Index, ImagesOfAnotherEngineAreOthers) {
  const Scratch scratch;
  auto index = scratch.index();
  ASSERT_TRUE(index.Record(Available("one", At(1))));
  auto other = Index::Open(scratch.file(), "/run/other.sock").value();
  EXPECT_TRUE(other.List()->empty());
  EXPECT_EQ(index.List()->size(), 1U);
}

// The list is in order of last use, whatever happened before.
RC_GTEST_PROP(Index, ListsTheOneUsedLastFirst, ()) {
  const Scratch scratch;
  auto index = scratch.index();
  std::map<std::string, std::int64_t> model;
  const auto steps = *rc::gen::container<std::vector<std::pair<int, int>>>(
      rc::gen::pair(rc::gen::inRange(0, 5), rc::gen::inRange(1, 1000)));
  for (const auto& [name, time] : steps) {
    const auto identity = std::to_string(name);
    if (model.contains(identity)) {
      RC_ASSERT(index.Touch(identity, At(time)).has_value());
    } else {
      RC_ASSERT(index.Record(Available(identity, At(time))).has_value());
    }
    model[identity] = std::max<std::int64_t>(model[identity], time);
  }
  const auto list = index.List().value();
  RC_ASSERT(list.size() == model.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    RC_ASSERT(list[i].last_used == At(model[list[i].identity]));
    RC_ASSERT(i == 0 || list[i].last_used <= list[i - 1].last_used);
  }
}

TEST(IndexFile, BringsAnOlderFileUpToDateAndRefusesANewerOne) {
  const Scratch scratch;
  const std::array first{"CREATE TABLE old (a INTEGER) STRICT; INSERT INTO old VALUES (41);"};
  const std::array both{first[0], "ALTER TABLE old ADD COLUMN b INTEGER NOT NULL DEFAULT 1;"};
  ASSERT_TRUE(OpenIndexFile(scratch.file(), first));
  {
    auto migrated = OpenIndexFile(scratch.file(), both);
    ASSERT_TRUE(migrated) << migrated.error().ToString();
    auto row = migrated->Query("SELECT a + b FROM old").value();
    ASSERT_TRUE(row.Step().value());
    EXPECT_EQ(row.Integer(0), 42);
  }
  const auto newer = OpenIndexFile(scratch.file(), first);
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(newer.error().message(), HasSubstr("newer Penstock"));
}

TEST(IndexFile, AFailingMigrationChangesNothing) {
  const Scratch scratch;
  const std::array first{"CREATE TABLE old (a INTEGER) STRICT;"};
  const std::array broken{first[0], "CREATE TABLE half (a INTEGER); CREATE nonsense;"};
  ASSERT_TRUE(OpenIndexFile(scratch.file(), first));
  EXPECT_FALSE(OpenIndexFile(scratch.file(), broken));
  auto database = OpenIndexFile(scratch.file(), first);
  ASSERT_TRUE(database) << database.error().ToString();
  EXPECT_FALSE(database->Query("SELECT * FROM half"));
}

TEST(IndexFile, ADamagedFileIsMovedAside) {
  const Scratch scratch;
  std::ofstream(scratch.file()) << std::string(8192, 'x');
  auto index = Index::Open(scratch.file(), kEngine);
  ASSERT_TRUE(index) << index.error().ToString();
  EXPECT_TRUE(index->Record(Available("one", At(1))));
  EXPECT_TRUE(fs::exists(scratch.file().string() + ".damaged"));
}

auto WaitFor(pid_t child) -> int {
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

TEST(IndexFile, ManyProcessesMakeAndUseItAtOnce) {
  const Scratch scratch;
  constexpr int kProcesses = 8;
  constexpr int kRounds = 25;
  std::vector<pid_t> children;
  for (int process = 0; process < kProcesses; ++process) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    bool good = true;
    for (int round = 0; good && round < kRounds; ++round) {
      auto index = Index::Open(scratch.file(), kEngine);
      good = index && index->Record(Available("shared", At(round))) &&
             index->Record(Available(fmt::format("{}-{}", process, round), At(round)));
      if (!index) fmt::print(stderr, "{}\n", index.error().ToString());
    }
    ::_exit(good ? 0 : 1);
  }
  for (const auto child : children) EXPECT_EQ(WaitFor(child), 0);
  auto index = scratch.index();
  EXPECT_EQ(index.List()->size(), 1U + kProcesses * kRounds);
  EXPECT_EQ(index.Find("shared")->value().uses, kProcesses * kRounds);
}

// Writers are killed at whatever instruction they are; each has told over a pipe what was committed before.
TEST(IndexFile, WhatWasCommittedSurvivesAKillAtAnyMoment) {
  const Scratch scratch;
  static_cast<void>(scratch.index());
  std::size_t committed = 0;
  for (int round = 0; round < 20; ++round) {
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe(pipe.data()), 0);
    const auto child = ::fork();
    if (child == 0) {
      auto index = scratch.index();
      for (int i = 0;; ++i) {
        const auto identity = fmt::format("{}-{}", round, i);
        if (!index.BeginBuild(identity, SomeContents(), At(i)) || !index.Record(Available(identity, At(i)))) ::_exit(1);
        if (::write(pipe[1], "x", 1) != 1) ::_exit(1);
      }
    }
    ::close(pipe[1]);
    std::array<char, 1> mark{};
    for (int i = 0; i <= round; ++i) {
      ASSERT_EQ(::read(pipe[0], mark.data(), 1), 1);
      ++committed;
    }
    ::kill(child, SIGKILL);
    EXPECT_EQ(WTERMSIG(WaitFor(child)), SIGKILL);
    while (::read(pipe[0], mark.data(), 1) == 1) ++committed;
    ::close(pipe[0]);
  }
  auto database = OpenIndexFile(scratch.file());
  ASSERT_TRUE(database) << database.error().ToString();
  auto check = database->Query("PRAGMA integrity_check").value();
  ASSERT_TRUE(check.Step().value());
  EXPECT_EQ(check.Text(0), "ok");
  const auto entries = scratch.index().List().value();
  const auto available = std::ranges::count(entries, State::kAvailable, &Entry::state);
  EXPECT_GE(available, static_cast<std::ptrdiff_t>(committed));
  for (const auto& entry : entries) {
    EXPECT_TRUE(entry.state == State::kBuilding || entry.image == "sha256:" + entry.identity);
  }
}

}  // namespace
}  // namespace penstock::image
