#include "transport/segment_memory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport/test_pipeline.h"

namespace penstock::transport {
namespace {
using base::ErrorCode;
using ::testing::HasSubstr;
using testing::Must;

constexpr std::uint64_t kMebibyte = 1024 * 1024;

class SegmentMemoryTest : public testing::Watched {
 protected:
  static constexpr SegmentLayout kLayout{.first = 576, .stride = 4 * kMebibyte + 256, .header_bytes = 256, .chunks = 8};
  static constexpr SegmentPromise kPromise{.max_message_bytes = 4 * kMebibyte, .chunks = 8};

  auto File(const char* name = "segment", std::uint64_t bytes = 64 * kMebibyte) -> base::UniqueFd {
    base::UniqueFd file(::openat(realm_.fd().get(), name, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    EXPECT_EQ(::ftruncate(file.get(), static_cast<off_t>(bytes)), 0);
    return file;
  }
  auto Adopt(base::UniqueFd file, SegmentLayout layout = kLayout) -> base::Expected<SegmentMemory> {
    return SegmentMemory::Adopt(std::move(file), layout, realm_.fd().get(), kPromise);
  }
  static auto Allocated(const base::UniqueFd& file) -> std::uint64_t {
    struct stat found{};
    EXPECT_EQ(::fstat(file.get(), &found), 0);
    return static_cast<std::uint64_t>(found.st_blocks) * 512;
  }
  void ExpectRefused(base::UniqueFd file, const char* why, SegmentLayout layout = kLayout) {
    const auto adopted = Adopt(std::move(file), layout);
    ASSERT_FALSE(adopted);
    EXPECT_EQ(adopted.error().code(), ErrorCode::kPeerCorrupt);
    EXPECT_THAT(adopted.error().message(), HasSubstr(why));
  }

  Realm realm_ = Must(Realm::Create(16 * kMebibyte));
};

TEST_F(SegmentMemoryTest, PreparesEveryChunkBeforeAnybodyTouchesIt) {
  const auto file = File();
  auto memory = Must(Adopt(Must(file.Duplicate())));
  const auto grant = Must(memory.Prepare(64 * 1024));
  EXPECT_EQ(grant.every, 64U * 1024U);
  EXPECT_GE(Allocated(file), 8U * 64U * 1024U);
  EXPECT_LE(Allocated(file), 8U * (64U + 8U) * 1024U);
  struct stat found{};
  ASSERT_EQ(::fstat(file.get(), &found), 0);
  EXPECT_EQ(found.st_size, 64 * kMebibyte);
}

TEST_F(SegmentMemoryTest, OneGrantRaisesAllChunks) {
  auto memory = Must(Adopt(File()));
  Must(memory.Prepare(4096));
  const auto grant = Must(memory.Grow(5, 100'000));
  EXPECT_GE(grant.every, 100'000U);
  EXPECT_EQ(grant.chunk, grant.every);
}

TEST_F(SegmentMemoryTest, WithoutRoomForAllTheOneThatAsksIsRaised) {
  const auto file = File();
  auto memory = Must(Adopt(Must(file.Duplicate())));
  Must(memory.Prepare(4096));
  const auto grant = Must(memory.Grow(2, 4'000'000));
  EXPECT_EQ(grant.every, 4096U);
  EXPECT_EQ(grant.chunk, 4'000'000U);
  // Up to the quota, less what the library's own files may need.
  Must(memory.Grow(3, 4'000'000));
  Must(memory.Grow(4, 4'000'000));
  const auto refused = memory.Grow(5, 4'000'000);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kOverQuota);
  EXPECT_THAT(refused.error().message(), HasSubstr("4000000 bytes"));
  EXPECT_THAT(refused.error().message(), HasSubstr("shm_quota_mb"));
  EXPECT_LE(Allocated(file), 15 * kMebibyte);
  // What is smaller, and what was granted, is still there.
  Must(memory.Grow(5, 100'000));
  EXPECT_EQ(Must(memory.Grow(2, 4'000'000)).chunk, 4'000'000U);
}

TEST_F(SegmentMemoryTest, MoreThanTheRealmHasIsNotPrepared) {
  const auto file = File();
  auto memory = Must(Adopt(Must(file.Duplicate())));
  const auto refused = memory.Prepare(3 * kMebibyte);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kOverQuota);
  EXPECT_EQ(Allocated(file), 0U);
}

TEST_F(SegmentMemoryTest, AFileOfAnotherDeviceIsRefused) {
  base::UniqueFd elsewhere(::memfd_create("segment", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(elsewhere.get(), 64 * kMebibyte), 0);
  ExpectRefused(std::move(elsewhere), "outside of the output's realm");
  const auto other = Must(Realm::Create(16 * kMebibyte));
  base::UniqueFd file(::openat(other.fd().get(), "segment", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::ftruncate(file.get(), 64 * kMebibyte), 0);
  ExpectRefused(std::move(file), "outside of the output's realm");
}

TEST_F(SegmentMemoryTest, WhatIsNoFileIsRefused) {
  ExpectRefused(Must(realm_.fd().Duplicate()), "no regular file");
  ASSERT_EQ(::mkfifoat(realm_.fd().get(), "fifo", 0600), 0);
  ExpectRefused(base::UniqueFd(::openat(realm_.fd().get(), "fifo", O_RDWR | O_CLOEXEC)), "no regular file");
  ASSERT_EQ(::symlinkat("segment", realm_.fd().get(), "link"), 0);
  ExpectRefused(base::UniqueFd(::openat(realm_.fd().get(), "link", O_PATH | O_NOFOLLOW | O_CLOEXEC)),
                "no regular file");
}

TEST_F(SegmentMemoryTest, AFileThatCannotBeWrittenIsRefused) {
  File();
  ExpectRefused(base::UniqueFd(::openat(realm_.fd().get(), "segment", O_RDONLY | O_CLOEXEC)), "cannot be written");
  ExpectRefused(base::UniqueFd(::openat(realm_.fd().get(), "segment", O_PATH | O_CLOEXEC)), "cannot be written");
}

TEST_F(SegmentMemoryTest, ALayoutThatDoesNotFitThePortOrTheFileIsRefused) {
  auto layout = kLayout;
  layout.chunks = 7;
  ExpectRefused(File(), "number of chunks", layout);
  layout = kLayout;
  layout.stride = 4096;
  ExpectRefused(File(), "no room", layout);
  layout = kLayout;
  layout.stride = 1ULL << 61U;  // times 8 is 0
  ExpectRefused(File(), "no room", layout);
  layout = kLayout;
  layout.first = ~0ULL;
  ExpectRefused(File(), "no room", layout);
  layout = kLayout;
  layout.header_bytes = ~0ULL;
  ExpectRefused(File(), "no room", layout);
  ExpectRefused(File("short", kMebibyte), "no room");
}

TEST_F(SegmentMemoryTest, ChunksAndSizesThatThePortDoesNotHaveAreRefused) {
  const auto file = File();
  auto memory = Must(Adopt(Must(file.Duplicate())));
  for (const auto& grant : {memory.Grow(8, 1), memory.Grow(0, 4 * kMebibyte + 1), memory.Grow(~0U, ~0ULL)}) {
    ASSERT_FALSE(grant);
    EXPECT_EQ(grant.error().code(), ErrorCode::kPeerCorrupt);
  }
  EXPECT_EQ(Allocated(file), 0U);
}

TEST_F(SegmentMemoryTest, ASegmentThatItsOwnerCutsShortStaysShort) {
  const auto file = File();
  auto memory = Must(Adopt(Must(file.Duplicate())));
  ASSERT_EQ(::ftruncate(file.get(), 0), 0);
  Must(memory.Prepare(4096));
  struct stat found{};
  ASSERT_EQ(::fstat(file.get(), &found), 0);
  EXPECT_EQ(found.st_size, 0);
}

}  // namespace
}  // namespace penstock::transport
