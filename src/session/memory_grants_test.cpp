#include "session/memory_grants.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manifest/load.h"

namespace penstock::session {
namespace {
using base::ErrorCode;
using ::testing::HasSubstr;

constexpr std::uint64_t kMebibyte = 1024 * 1024;
constexpr const char* kManifest = R"(
version: v1
metadata: {name: test}
nodes:
  - {id: camera, node_type: "nodes:Camera"}
  - {id: show, node_type: "nodes:Show"}
connections:
  - {from: camera, to: show, depth: 2, max_held: 1, max_message_bytes: 4MiB, expected_bytes: 1MiB}
session: {shm_quota_mb: 16}
)";

// Plays one worker towards the grants; what they answer is remembered in order.
class MemoryGrantsTest : public testing::Test {
 protected:
  void SetUp() override { ::alarm(120); }
  void TearDown() override { ::alarm(0); }

  auto Segment() -> base::UniqueFd {
    base::UniqueFd file(::openat(wiring_.realm(0).fd().get(), "segment", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    EXPECT_EQ(::ftruncate(file.get(), 64 * kMebibyte), 0);
    return file;
  }
  void Open(base::UniqueFd segment) {
    std::vector<base::UniqueFd> fds;
    fds.push_back(std::move(segment));
    grants_.Open(0,
                 {.segments = {{.fd = 0,
                                .first = 64,
                                .stride = 4 * kMebibyte + 256,
                                .header_bytes = 256,
                                .chunks = plan_.outputs[0].slots}}},
                 std::move(fds));
  }
  // Runs the loop until one more thing was answered.
  void Hear() { loop_->Run(); }

  template <class Message>
  auto Last() -> const Message& {
    return std::get<Message>(answers_.back());
  }

  std::unique_ptr<base::EventLoop> loop_ = base::EventLoop::Create().value();
  plan::Plan plan_ =
      plan::MakePlan(manifest::Parse(kManifest, "test.yaml", "/").value(),
                     {.cpus = 4, .memory_bytes = 8ULL << 30U, .native_nodes = {}}, plan::PlacementOverride::kAsDeclared)
          .value();
  Wiring wiring_ = Wiring::Make(plan_, "0190163d-8694-739b-aea5-966c26f8ad91", 400).value();
  std::vector<worker::ToWorker> answers_;
  int prepared_ = 0;
  bool started_ = false;
  std::optional<base::Error> failure_;
  MemoryGrants grants_{*loop_,
                       plan_,
                       wiring_,
                       {.on_answer =
                            [this](std::size_t, const worker::ToWorker& answer) {
                              answers_.push_back(answer);
                              if (started_) loop_->Stop();
                            },
                        .on_prepared =
                            [this](std::size_t) {
                              ++prepared_;
                              started_ = true;
                              loop_->Stop();
                            },
                        .on_failed =
                            [this](std::size_t, const base::Error& error) {
                              failure_ = error;
                              loop_->Stop();
                            }}};
};

TEST_F(MemoryGrantsTest, PreparesWhatIsExpectedBeforeAnythingStarts) {
  const auto segment = Segment();
  Open(segment.Duplicate().value());
  Hear();
  EXPECT_EQ(prepared_, 1);
  EXPECT_EQ(Last<worker::Grown>().id, 0U);
  EXPECT_GE(Last<worker::Grown>().every, kMebibyte);
  struct stat file{};
  ASSERT_EQ(::fstat(segment.get(), &file), 0);
  EXPECT_GE(static_cast<std::uint64_t>(file.st_blocks) * 512, plan_.outputs[0].slots * kMebibyte);
}

TEST_F(MemoryGrantsTest, GrantsMoreUpToTheQuotaAndRefusesTheRestWithTheReason) {
  Open(Segment());
  Hear();
  grants_.Grow(0, {.id = 1, .output = 0, .chunk = 0, .bytes = 3 * kMebibyte});
  Hear();
  EXPECT_EQ(Last<worker::Grown>().id, 1U);
  EXPECT_GE(Last<worker::Grown>().chunk, 3 * kMebibyte);
  std::uint32_t chunk = 1;
  while (std::holds_alternative<worker::Grown>(answers_.back()) && chunk < plan_.outputs[0].slots) {
    grants_.Grow(0, {.id = 1 + chunk, .output = 0, .chunk = chunk, .bytes = 3 * kMebibyte});
    Hear();
    ++chunk;
  }
  EXPECT_EQ(Last<worker::Refused>().id, chunk);
  EXPECT_THAT(Last<worker::Refused>().message, HasSubstr("shm_quota_mb"));
  EXPECT_THAT(Last<worker::Refused>().message, HasSubstr("camera.out"));
  EXPECT_FALSE(failure_);
}

TEST_F(MemoryGrantsTest, AWorkerThatSendsAFileOfAnotherDeviceBreaksTheProtocol) {
  base::UniqueFd foreign(::memfd_create("segment", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(foreign.get(), 64 * kMebibyte), 0);
  Open(std::move(foreign));
  Hear();
  ASSERT_TRUE(failure_);
  EXPECT_EQ(failure_->code(), ErrorCode::kPeerCorrupt);
  EXPECT_THAT(failure_->ToString(), HasSubstr("outside of the output's realm"));
  EXPECT_EQ(prepared_, 0);
}

TEST_F(MemoryGrantsTest, AWorkerThatAsksForTooMuchBreaksTheProtocol) {
  Open(Segment());
  Hear();
  grants_.Grow(0, {.id = 1, .output = 0, .chunk = 0, .bytes = 4 * kMebibyte + 1});
  Hear();
  ASSERT_TRUE(failure_);
  EXPECT_EQ(failure_->code(), ErrorCode::kPeerCorrupt);
}

TEST_F(MemoryGrantsTest, AReplacedWorkerOpensAnewAndGetsNoAnswerToItsPredecessor) {
  Open(Segment());
  Hear();
  grants_.Grow(0, {.id = 1, .output = 0, .chunk = 0, .bytes = 2 * kMebibyte});
  grants_.Forget(0);
  ::unlinkat(wiring_.realm(0).fd().get(), "segment", 0);  // as the cleaner does
  started_ = false;
  Open(Segment());
  Hear();
  EXPECT_EQ(prepared_, 2);
  EXPECT_FALSE(failure_);
  for (const auto& answer : answers_) EXPECT_EQ(std::get<worker::Grown>(answer).id, 0U);
}

TEST_F(MemoryGrantsTest, RequestsOutOfTurnBreakTheProtocol) {
  const auto expect_violation = [this] {
    ASSERT_TRUE(failure_);
    EXPECT_EQ(failure_->code(), ErrorCode::kPeerCorrupt);
    failure_.reset();
  };
  grants_.Grow(0, {.id = 1, .output = 0, .chunk = 0, .bytes = 1});  // nothing is open
  expect_violation();
  Open(Segment());
  Hear();
  Open(Segment());  // a second time
  expect_violation();
  grants_.Grow(0, {.id = 1, .output = 1, .chunk = 0, .bytes = 1});  // has one output
  expect_violation();
  grants_.Grow(0, {.id = 1, .output = 0, .chunk = 0, .bytes = 2 * kMebibyte});
  EXPECT_FALSE(failure_);
  grants_.Grow(0, {.id = 2, .output = 0, .chunk = 1, .bytes = 2 * kMebibyte});  // before the answer
  expect_violation();
}

}  // namespace
}  // namespace penstock::session
