#include "observe/quarantine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>

#include "base/testing/temporary_directory.h"

namespace penstock::observe {
namespace {

using ::testing::HasSubstr;

class QuarantineTest : public ::testing::Test {
 protected:
  static auto Entry(const std::string& id, std::int64_t time_ns) -> Quarantined {
    return {.id = id,
            .time_ns = time_ns,
            .session = "s",
            .pipeline = "p",
            .manifest = "/m.yaml",
            .node = "n",
            .node_type = "nodes:N",
            .port = "in",
            .edge = "a.out->n.in",
            .sequence = 7,
            .failures = {{.sentence = "first", .traceback = "Traceback\n"}, {.sentence = "second", .traceback = {}}}};
  }
  void Keep(const std::string& id, std::int64_t time_ns) {
    auto writer = QuarantineWriter::Create(directory_.path(), Entry(id, time_ns)).value();
    constexpr std::array kBytes{std::byte{1}, std::byte{2}};
    ASSERT_TRUE(writer.Write(kBytes));
    ASSERT_TRUE(writer.Commit());
  }
  base::testing::TemporaryDirectory directory_;
};

TEST_F(QuarantineTest, WhatWasKeptIsFoundWithAllThatHappened) {
  Keep("s-n-0-7", 5);
  const auto entries = ListQuarantined(directory_.path());
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].edge, "a.out->n.in");
  EXPECT_EQ(entries[0].sequence, 7U);
  ASSERT_EQ(entries[0].failures.size(), 2U);
  EXPECT_EQ(entries[0].failures[0].traceback, "Traceback\n");
  EXPECT_EQ(std::filesystem::file_size(directory_.path() / "s-n-0-7" / "message.bin"), 2U);
}

TEST_F(QuarantineTest, WhatWasNotCommittedIsNotThere) {
  {
    auto writer = QuarantineWriter::Create(directory_.path(), Entry("s-n-0-7", 5)).value();
  }
  EXPECT_TRUE(ListQuarantined(directory_.path()).empty());
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "s-n-0-7.unfinished"));
}

TEST_F(QuarantineTest, WhatADeadWriterLeftIsSweptAndWhatIsBeingWrittenIsNot) {
  const auto dead = directory_.path() / "s-n-0-3.unfinished";
  std::filesystem::create_directory(dead);
  std::ofstream(dead / "message.bin") << "half";
  {
    auto writer = QuarantineWriter::Create(directory_.path(), Entry("s-n-0-7", 5)).value();
    SweepQuarantine(directory_.path());
    EXPECT_TRUE(std::filesystem::exists(dead)) << "who writes is not known by what";
    ASSERT_TRUE(writer.Commit());
  }
  SweepQuarantine(directory_.path());
  EXPECT_FALSE(std::filesystem::exists(dead));
  EXPECT_EQ(ListQuarantined(directory_.path()).size(), 1U);
  SweepQuarantine(directory_.path() / "nowhere");
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "nowhere"));
}

TEST_F(QuarantineTest, AnEntryIsFoundByTheBeginningOfItsId) {
  Keep("a-1", 2);
  Keep("a-2", 1);
  Keep("b-1", 3);
  EXPECT_EQ(FindQuarantined(directory_.path(), "b").value().id, "b-1");
  EXPECT_EQ(ListQuarantined(directory_.path()).front().id, "a-2") << "the oldest";
  EXPECT_THAT(FindQuarantined(directory_.path(), "a").error().message(), HasSubstr("a-2, a-1"));
  EXPECT_EQ(FindQuarantined(directory_.path(), "c").error().code(), base::ErrorCode::kNotFound);
}

TEST_F(QuarantineTest, ADescriptionThatIsNoneIsLeftOut) {
  Keep("a-1", 2);
  for (const auto* text : {"", "[]", "{}", R"({"id": 3})", R"({"id": "x", "failures": [1]})"}) {
    std::ofstream(directory_.path() / "a-1" / "message.json") << text;
    EXPECT_TRUE(ListQuarantined(directory_.path()).empty()) << text;
  }
}

}  // namespace
}  // namespace penstock::observe
