#include "transport/control_block.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "transport/test_pipeline.h"

namespace penstock::transport {
namespace {
using base::ErrorCode;
using testing::Must;

TEST(ControlBlockTest, BothEndsSeeTheSameAccountAndContract) {
  auto runtime = Must(
      ControlBlock::Create({.policy = Policy::kLatest, .delivery = Delivery::kAtMostOnce, .depth = 3, .max_held = 2}));
  auto worker = testing::DuplicateControl(runtime);
  EXPECT_EQ(worker.contract().policy, Policy::kLatest);
  EXPECT_EQ(worker.contract().delivery, Delivery::kAtMostOnce);
  EXPECT_EQ(worker.contract().depth, 3U);
  EXPECT_EQ(worker.contract().max_held, 2U);
  worker->acked.store(5);
  EXPECT_EQ(runtime->acked.load(), 5U);
}

TEST(ControlBlockTest, LaterChangesOfTheContractByAPeerHaveNoEffect) {
  auto runtime = Must(ControlBlock::Create({.depth = 3}));
  auto hostile = testing::DuplicateControl(runtime);
  hostile->depth = 1000;
  hostile->policy = Policy::kDropOldest;
  EXPECT_EQ(runtime.contract().depth, 3U);
  EXPECT_EQ(runtime.contract().policy, Policy::kBlock);
}

TEST(ControlBlockTest, MemoryThatCouldShrinkIsRefused) {
  base::UniqueFd fd(::memfd_create("unsealed", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(fd.get(), sizeof(ControlLayout)), 0);
  const auto mapped = ControlBlock::Map(std::move(fd));
  ASSERT_FALSE(mapped);
  EXPECT_EQ(mapped.error().code(), ErrorCode::kPeerCorrupt);
}

TEST(ControlBlockTest, TooSmallOrForeignMemoryIsRefused) {
  EXPECT_EQ(ControlBlock::Map(Must(base::CreateSealedMemfd("small", 64))).error().code(), ErrorCode::kPeerCorrupt);
  EXPECT_EQ(ControlBlock::Map(Must(base::CreateSealedMemfd("zeros", sizeof(ControlLayout)))).error().code(),
            ErrorCode::kPeerCorrupt);
}

TEST(ControlBlockTest, ImpossibleContractsAreRefused) {
  EXPECT_FALSE(ControlBlock::Create({.depth = 0}));
  auto block = Must(ControlBlock::Create({}));
  block->policy = static_cast<Policy>(9);
  EXPECT_EQ(ControlBlock::Map(Must(block.fd().Duplicate())).error().code(), ErrorCode::kPeerCorrupt);
}

TEST(JoinRecordTest, CountsEachMessageOnceAlsoWhenASetIsMadeAgain) {
  const auto block = Must(ControlBlock::Create({}));
  auto& record = block->joined;
  EXPECT_EQ(record.count(), 0U);
  for (const auto message : {0U, 0U, 3U, 3U, 4U, 9U}) record.Count(message);
  EXPECT_EQ(record.count(), 4U);
  record.Count(4);  // as a successor does that makes an earlier set again
  EXPECT_EQ(record.count(), 4U);
}

TEST(HistogramTest, QuantilesAreWithinABucketsWidth) {
  auto block = Must(ControlBlock::Create({}));
  auto& histogram = block->queue_wait;
  EXPECT_EQ(histogram.Quantile(0.5), 0U);
  for (std::uint64_t i = 1; i <= 10'000; ++i) histogram.Record(i * 100);
  EXPECT_EQ(histogram.Count(), 10'000U);
  for (const double quantile : {0.01, 0.25, 0.5, 0.9, 0.99, 1.0}) {
    const auto exact = quantile * 1'000'000;
    EXPECT_GE(static_cast<double>(histogram.Quantile(quantile)), exact * 0.999);
    EXPECT_LE(static_cast<double>(histogram.Quantile(quantile)), exact * 1.126);
  }
}

TEST(HistogramTest, ExtremesHaveABucket) {
  auto block = Must(ControlBlock::Create({}));
  block->handler.Record(0);
  EXPECT_EQ(block->handler.Quantile(1), 0U);
  block->handler.Record(~0ULL);
  EXPECT_EQ(block->handler.Count(), 2U);
  EXPECT_GT(block->handler.Quantile(1), 3'600'000'000'000ULL) << "more than an hour";
}

}  // namespace
}  // namespace penstock::transport
