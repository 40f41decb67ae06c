#include "transport/output_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "transport/test_pipeline.h"

namespace penstock::transport {
namespace {
using base::Deadline;
using base::ErrorCode;
using ::testing::HasSubstr;
using testing::Must;
using testing::PublishText;
using testing::TestPipeline;
using testing::TextOf;

class OutputPortTest : public testing::Watched {};

TEST_F(OutputPortTest, MessageArrivesWithHeaderAndPayload) {
  TestPipeline pipeline({.edges = {{}}});
  auto output = pipeline.OpenOutput(3);
  auto input = pipeline.OpenInput();

  auto loan = Must(output->Borrow(message::ChunkBytes(5, 2)));
  loan.header().kind = message::Kind::kText;
  loan.header().payload_bytes = 5;
  loan.header().metadata_bytes = 2;
  loan.header().media_time_ns = 42;
  std::memcpy(loan.bytes().data(), "hello", 5);
  std::memcpy(loan.bytes().data() + message::MetadataOffset(5), "{}", 2);
  EXPECT_EQ(Must(output->Publish(std::move(loan), Deadline::Never())), 0U);

  EXPECT_TRUE(input->ready());
  auto message = Must(input->TryTake());
  ASSERT_TRUE(message);
  EXPECT_EQ(TextOf(*message), "hello");
  EXPECT_EQ(message->metadata(), "{}");
  EXPECT_EQ(message->header().sequence, 0U);
  EXPECT_EQ(message->header().epoch, 3U);
  EXPECT_EQ(message->header().media_time_ns, 42);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(message->payload().data()) % message::kPayloadAlignment, 0U);
  EXPECT_FALSE(message->redelivered());
  EXPECT_FALSE(input->ready());
}

TEST_F(OutputPortTest, BlockedProducerResumesWhenConsumerAcknowledges) {
  TestPipeline pipeline({.edges = {{.depth = 2}}});
  auto output = pipeline.OpenOutput();
  auto input = pipeline.OpenInput();
  Must(PublishText(*output, "a"));
  Must(PublishText(*output, "b"));

  const auto refused = PublishText(*output, "c", Deadline::In(std::chrono::milliseconds(1)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kDeadline);
  EXPECT_THAT(refused.error().message(), HasSubstr(TestPipeline::EdgeId(0)));

  std::jthread producer([&] { EXPECT_EQ(Must(PublishText(*output, "c")), 2U); });
  auto first = testing::Take(*input, pipeline.bell().arrivals());
  EXPECT_EQ(TextOf(*first), "a");
  input->Acknowledge(0);
  producer.join();
  EXPECT_GT(pipeline.control()->blocked_ns.load(), 0U);
}

TEST_F(OutputPortTest, EndOfStreamFollowsTheLastMessage) {
  TestPipeline pipeline({.edges = {{}}});
  auto output = pipeline.OpenOutput();
  auto input = pipeline.OpenInput();
  Must(PublishText(*output, "last"));
  output->Close();
  std::jthread consumer([&] {
    EXPECT_FALSE(input->ended());
    auto message = testing::Take(*input, pipeline.bell().arrivals());
    ASSERT_TRUE(message);
    input->Acknowledge(message->header().sequence);
    EXPECT_FALSE(testing::Take(*input, pipeline.bell().arrivals()));
    EXPECT_TRUE(input->ended());
  });
  Must(output->Drain(Deadline::Never()));
}

}  // namespace
}  // namespace penstock::transport
