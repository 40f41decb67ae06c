#include "container/entry.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "base/testing/temporary_directory.h"

namespace penstock::container {
namespace {
namespace fs = std::filesystem;

class EntryTest : public testing::Test {
 protected:
  void SetUp() override { ::setenv("XDG_RUNTIME_DIR", root_.c_str(), 1); }

  auto Make(const std::string& identity, bool shared = true) -> LockedDirectory {
    return LockedDirectory::Create(EntriesDirectory().value(), NewEntryName(identity, shared)).value();
  }
  auto Swept(Sweep which) -> std::vector<std::string> {
    std::vector<std::string> names;
    EXPECT_TRUE(SweepEntries(which, [&](const LockedDirectory& claimed) {
      names.push_back(EngineName(claimed.path()));
      claimed.Remove();
      return base::Status();
    }));
    return names;
  }

  const base::testing::TemporaryDirectory directory_;
  const fs::path root_ = directory_.path();
  const std::string identity_ = std::string(12, 'a') + "0123";
  const std::string neighbour_ = std::string(12, 'a') + "4567";  // of the same first digits
};

TEST_F(EntryTest, IsOfferedOnceItsRecordIsWritten) {
  const auto entry = Make(identity_);
  EXPECT_TRUE(FindEntries(identity_).value().empty());
  ASSERT_TRUE(WriteRecord(entry.path(), {.identity = identity_, .container = "c0ffee"}));
  EXPECT_EQ(FindEntries(identity_).value(), std::vector<fs::path>{entry.path()});
  EXPECT_EQ(ReadRecord(entry.path())->container, "c0ffee");
}

TEST_F(EntryTest, OfAnotherIdentityWithTheSameFirstDigitsIsNotFound) {
  const auto entry = Make(neighbour_);
  ASSERT_TRUE(WriteRecord(entry.path(), {.identity = neighbour_, .container = "c0ffee"}));
  EXPECT_TRUE(FindEntries(identity_).value().empty());
}

TEST_F(EntryTest, ThatIsNotSharedIsFoundByNobody) {
  const auto entry = Make(identity_, false);
  ASSERT_TRUE(WriteRecord(entry.path(), {.identity = {}, .container = "c0ffee"}));
  EXPECT_TRUE(FindEntries(identity_).value().empty());
}

TEST_F(EntryTest, WithADamagedRecordIsNotOffered) {
  const auto entry = Make(identity_);
  for (const auto* text : {"", "{", "[]", R"({"identity": 1, "container": "x"})", R"({"identity": "x"})"}) {
    std::ofstream(entry.path() / "record.json") << text;
    EXPECT_FALSE(ReadRecord(entry.path())) << text;
  }
}

TEST_F(EntryTest, InUseIsNeverSwept) {
  const auto entry = Make(identity_);
  EXPECT_TRUE(Swept(Sweep::kEnded).empty());
  EXPECT_TRUE(Swept(Sweep::kUnused).empty());
}

TEST_F(EntryTest, WithAnAgentThatAnswersIsSweptOnlyWhenWarmOnesAreMeant) {
  auto entry = Make(identity_);
  const auto listener = base::ListenPacket(AgentSocket(entry.path()).string(), 0600).value();
  entry.Leave();
  EXPECT_TRUE(Swept(Sweep::kEnded).empty());
  EXPECT_EQ(Swept(Sweep::kUnused), std::vector<std::string>{EngineName(entry.path())});
}

TEST_F(EntryTest, OfAKilledRuntimeIsSweptOnce) {
  const auto child = ::fork();
  if (child == 0) {
    const auto entry = Make(identity_);
    const auto listener = base::ListenPacket(AgentSocket(entry.path()).string(), 0600);
    ::kill(::getpid(), SIGKILL);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(Swept(Sweep::kEnded).size(), 1U);
  EXPECT_TRUE(Swept(Sweep::kEnded).empty());
}

TEST_F(EntryTest, StaysWhenItsContainerCouldNotBeRemoved) {
  auto entry = Make(identity_);
  entry.Leave();
  EXPECT_FALSE(SweepEntries(Sweep::kEnded, [](const LockedDirectory&) -> base::Status {
    return base::Fail(base::ErrorCode::kUnavailable, "engine down");
  }));
  EXPECT_EQ(Swept(Sweep::kEnded).size(), 1U);
}

}  // namespace
}  // namespace penstock::container
