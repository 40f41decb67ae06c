#include "transport/output_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "transport/cleanup.h"
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

TEST_F(OutputPortTest, AnEdgeThatIsToFailWhenItIsFullSaysSoAndSendsNothing) {
  TestPipeline pipeline({.edges = {{.policy = Policy::kFail, .depth = 2}, {}}});
  auto output = pipeline.OpenOutput();
  auto failing = pipeline.OpenInput(0);
  auto other = pipeline.OpenInput(1);
  Must(PublishText(*output, "a"));
  Must(PublishText(*output, "b"));
  const auto refused = PublishText(*output, "c");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kOverflow);
  EXPECT_THAT(refused.error().message(), HasSubstr(TestPipeline::EdgeId(0)));
  EXPECT_EQ(Sent(*pipeline.control(1).operator->()), 2U);
  auto first = testing::Take(*failing, pipeline.bell(0).arrivals());
  failing->Acknowledge(0);
  EXPECT_EQ(Must(PublishText(*output, "c")), 2U);
}

TEST_F(OutputPortTest, AProducerWaitsForTheBytesUnderWayAndNotForAMessageThatIsLargerThanTheirBound) {
  TestPipeline pipeline({.edges = {{.max_in_flight_bytes = 10}}});
  auto output = pipeline.OpenOutput();
  auto input = pipeline.OpenInput();
  const auto at_once = Deadline::In(std::chrono::nanoseconds(0));
  Must(PublishText(*output, "larger than ten bytes", at_once));
  const auto refused = PublishText(*output, "x", at_once);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kDeadline);
  EXPECT_THAT(refused.error().message(), HasSubstr("max_in_flight_bytes 10"));
  testing::Take(*input, pipeline.bell().arrivals());
  input->Acknowledge(0);
  Must(PublishText(*output, "six by", at_once));
  Must(PublishText(*output, "four", at_once));
  EXPECT_FALSE(PublishText(*output, "x", at_once));
}

TEST_F(OutputPortTest, TheEdgeThatIsWaitedForSaysSinceWhen) {
  TestPipeline pipeline({.edges = {{.depth = 1}, {}}});
  auto output = pipeline.OpenOutput();
  auto input = pipeline.OpenInput(0);
  auto other = pipeline.OpenInput(1);
  Must(PublishText(*output, "a"));
  std::jthread producer([&] { Must(PublishText(*output, "b")); });
  while (pipeline.control(0)->waiting_since_ns.load() == 0) std::this_thread::yield();
  EXPECT_EQ(pipeline.control(1)->waiting_since_ns.load(), 0U);
  testing::Take(*input, pipeline.bell().arrivals());
  input->Acknowledge(0);
  producer.join();
  EXPECT_EQ(pipeline.control(0)->waiting_since_ns.load(), 0U);
}

TEST_F(OutputPortTest, TheStreamOfADeadProducerEndsAfterWhatItHadSent) {
  TestPipeline pipeline({.edges = {{}, {.policy = Policy::kDropOldest, .depth = 1}}});
  auto output = pipeline.OpenOutput();
  auto input = pipeline.OpenInput(0);
  auto dropping = pipeline.OpenInput(1);
  for (const auto* text : {"a", "b", "c"}) Must(PublishText(*output, text));
  CloseForDead({pipeline.control(0).operator->(), pipeline.control(1).operator->()});
  int taken = 0;
  while (testing::Take(*input, pipeline.bell(0).arrivals())) ++taken;
  EXPECT_EQ(taken, 3);
  while (testing::Take(*dropping, pipeline.bell(1).arrivals())) {
  }
  EXPECT_EQ(pipeline.control(1)->delivered.load() + pipeline.control(1)->lost.load(), 3U);
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

TEST_F(OutputPortTest, ChunkBeyondTheRealmsMemoryIsRefusedInsteadOfASignal) {
  TestPipeline pipeline({.edges = {{}}, .max_message_bytes = 64U << 20U, .quota_bytes = 8U << 20U});
  auto output = pipeline.OpenOutput();
  const auto refused = output->Borrow(16U << 20U);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), base::ErrorCode::kOverQuota);
  EXPECT_THAT(refused.error().message(), HasSubstr("shm_quota_mb"));
  // What fits goes on as before, again and again.
  for (int i = 0; i < 100; ++i) {
    auto loan = Must(output->Borrow(2U << 20U));
    loan.bytes()[loan.bytes().size() - 1] = std::byte{1};
  }
}

TEST_F(OutputPortTest, InterruptedProducerStopsWaiting) {
  TestPipeline pipeline({.edges = {{.depth = 1}}});
  auto output = pipeline.OpenOutput();
  Must(PublishText(*output, "fills the edge"));
  std::jthread node([&] {
    const auto published = PublishText(*output, "waits");
    ASSERT_FALSE(published);
    EXPECT_EQ(published.error().code(), ErrorCode::kCancelled);
  });
  output->Interrupt();
}

TEST_F(OutputPortTest, ConsumerThatWasGivenUpHoldsNothingUp) {
  TestPipeline pipeline({.edges = {{.depth = 1}, {.depth = 1}}});
  auto output = pipeline.OpenOutput();
  auto input = pipeline.OpenInput(1);
  Must(PublishText(*output, "a"));
  Must(input->TryTake());
  input->Acknowledge(0);
  std::jthread node([&] {
    EXPECT_TRUE(PublishText(*output, "b"));
    output->Close();
    EXPECT_TRUE(output->Drain(Deadline::Never()));
  });
  output->GiveUp(TestPipeline::EdgeId(0));
  auto message = testing::Take(*input, pipeline.bell(1).arrivals());
  EXPECT_EQ(TextOf(*message), "b");
  input->Acknowledge(1);
}

TEST_F(OutputPortTest, LatestKeepsTheNewestAndCountsTheRest) {
  TestPipeline pipeline({.edges = {{.policy = Policy::kLatest}}});
  auto output = pipeline.OpenOutput();
  auto input = pipeline.OpenInput();
  for (const auto* text : {"a", "b", "c"}) Must(PublishText(*output, text));
  EXPECT_EQ(TextOf(*Must(input->TryTake())), "c");
  EXPECT_FALSE(Must(input->TryTake()));
  EXPECT_EQ(pipeline.control()->delivered.load(), 1U);
  EXPECT_EQ(pipeline.control()->lost.load(), 2U);
}

TEST_F(OutputPortTest, MixedFanOutBlocksOnlyForTheBlockEdge) {
  TestPipeline pipeline({.edges = {{.depth = 4}, {.policy = Policy::kDropOldest, .depth = 2}}});
  auto output = pipeline.OpenOutput();
  auto blocking = pipeline.OpenInput(0);
  auto dropping = pipeline.OpenInput(1);
  for (std::uint64_t i = 0; i < 4; ++i) Must(PublishText(*output, "x"));
  EXPECT_FALSE(PublishText(*output, "x", Deadline::In(std::chrono::nanoseconds(0))));
  for (std::uint64_t i = 0; i < 4; ++i) EXPECT_EQ(Must(blocking->TryTake())->header().sequence, i);
  EXPECT_EQ(Must(dropping->TryTake())->header().sequence, 2U);
  EXPECT_EQ(Must(dropping->TryTake())->header().sequence, 3U);
  EXPECT_EQ(pipeline.control(1)->lost.load(), 2U);
}

TEST_F(OutputPortTest, NodeThatHoldsTooManyMessagesIsTold) {
  TestPipeline pipeline({.edges = {{.depth = 4, .max_held = 1}}});
  auto output = pipeline.OpenOutput();
  auto input = pipeline.OpenInput();
  for (int i = 0; i < 3; ++i) Must(PublishText(*output, "x"));
  auto first = Must(input->TryTake());
  auto second = Must(input->TryTake());
  input->Acknowledge(0);
  const auto third = input->TryTake();
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code(), ErrorCode::kExhausted);
  EXPECT_THAT(third.error().message(), HasSubstr("max_held"));
  first.reset();
  EXPECT_TRUE(Must(input->TryTake())) << "letting go of one makes room";
}

TEST_F(OutputPortTest, MessageOutlivesItsPort) {
  TestPipeline pipeline({.edges = {{}}});
  auto output = pipeline.OpenOutput();
  auto input = pipeline.OpenInput();
  Must(PublishText(*output, "stays"));
  auto message = Must(input->TryTake());
  input.reset();
  output.reset();
  EXPECT_EQ(TextOf(*message), "stays");
}

TEST_F(OutputPortTest, DroppedLoanReturnsAndUsesNoNumber) {
  TestPipeline pipeline({.edges = {{}}, .max_loans = 1});
  auto output = pipeline.OpenOutput();
  {
    auto loan = Must(output->Borrow(10));
    const auto second = output->Borrow(10);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), ErrorCode::kExhausted);
  }
  EXPECT_EQ(Must(PublishText(*output, "first")), 0U);
}

TEST_F(OutputPortTest, HeaderThatContradictsItselfIsNotPublished) {
  TestPipeline pipeline({.edges = {{}}});
  auto output = pipeline.OpenOutput();
  auto loan = Must(output->Borrow(10));
  loan.header().payload_bytes = 11;
  const auto published = output->Publish(std::move(loan), Deadline::Never());
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(OutputPortTest, HostileAcknowledgementOfTheFutureIsClamped) {
  TestPipeline pipeline({.edges = {{.depth = 2}}});
  auto output = pipeline.OpenOutput();
  pipeline.control()->acked.store(~0ULL);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(PublishText(*output, "x", Deadline::In(std::chrono::nanoseconds(0))));
}

TEST_F(OutputPortTest, AtMostOnceIsAcknowledgedWhenTaken) {
  TestPipeline pipeline({.edges = {{.delivery = Delivery::kAtMostOnce, .depth = 1}}});
  auto output = pipeline.OpenOutput();
  auto input = pipeline.OpenInput();
  Must(PublishText(*output, "a"));
  auto message = Must(input->TryTake());
  EXPECT_TRUE(PublishText(*output, "b", Deadline::In(std::chrono::nanoseconds(0))));
}

TEST_F(OutputPortTest, AccountShowsOriginHandlerAndWaits) {
  TestPipeline pipeline({.edges = {{}}});
  auto output = pipeline.OpenOutput();
  auto input = pipeline.OpenInput();
  auto loan = Must(output->Borrow(1));
  loan.header().flags = message::kFlagHasOrigin;
  loan.header().origin_sequence = 7;
  loan.header().origin_index = 2;
  Must(output->Publish(std::move(loan), Deadline::Never()));
  auto& account = pipeline.control();
  const auto origin = account->origins.Of(0);
  ASSERT_TRUE(origin);
  EXPECT_EQ(origin->sequence, 7U);
  EXPECT_EQ(origin->index, 2U);
  EXPECT_EQ(account->published.load(), 1U);
  auto message = Must(input->TryTake());
  EXPECT_NE(account->handling_since_ns.load(), 0U);
  EXPECT_EQ(account->handling_sequence.load(), 0U);
  input->Acknowledge(0);
  EXPECT_EQ(account->handling_since_ns.load(), 0U);
  EXPECT_EQ(account->queue_wait.Count(), 1U);
  EXPECT_EQ(account->handler.Count(), 1U);
  EXPECT_EQ(account->acked.load(), 1U);
}

TEST_F(OutputPortTest, ARestartedProducerKnowsWhatItWasHandling) {
  TestPipeline pipeline({.edges = {{}, {.policy = Policy::kLatest}}});
  auto output = pipeline.OpenOutput();
  EXPECT_FALSE(output->inherited());
  auto input = pipeline.OpenInput(0);
  for (std::uint32_t index = 0; index < 2; ++index) {
    auto loan = Must(output->Borrow(1));
    loan.header().flags = message::kFlagHasOrigin;
    loan.header().origin_input = 1;
    loan.header().origin_sequence = 7;
    loan.header().origin_index = index;
    Must(output->Publish(std::move(loan), Deadline::Never()));
  }
  while (const auto message = Must(input->TryTake())) input->Acknowledge(message->header().sequence);
  output.reset();

  output = pipeline.OpenOutput(1);
  ASSERT_TRUE(output->inherited());
  EXPECT_EQ(output->inherited()->input, 1U);
  EXPECT_EQ(output->inherited()->sequence, 7U);
  EXPECT_EQ(output->inherited()->index, 1U);
  output->CountSuppressed();
  EXPECT_EQ(pipeline.control()->suppressed.load(), 1U);
  Must(PublishText(*output, "without an input"));
  Must(input->TryTake());
  output.reset();
  output = pipeline.OpenOutput(2);
  EXPECT_EQ(output->inherited()->input, Origin::kNoInput);
}

// As when a producer is killed between reserving a number and sending.
TEST_F(OutputPortTest, TheOriginOfAMessageThatWasNotSentIsNotInherited) {
  TestPipeline pipeline({.edges = {{}}});
  auto output = pipeline.OpenOutput();
  auto input = pipeline.OpenInput();
  Must(PublishText(*output, "sent"));
  auto& account = pipeline.control();
  account->origins.Set(1, {.input = 0, .index = 0, .sequence = 5});
  account->reserved.store(2);
  output.reset();
  output = pipeline.OpenOutput(1);
  EXPECT_EQ(output->inherited()->input, Origin::kNoInput);
}

// As when a producer is killed between handing a message over and counting it, and one of its consumers, too.
TEST_F(OutputPortTest, AMessageThatWasHalfSentAndIsNotSentAgainKeepsItsNumber) {
  TestPipeline pipeline({.edges = {{}, {}}});
  auto output = pipeline.OpenOutput();
  auto first = pipeline.OpenInput(0);
  auto second = pipeline.OpenInput(1);
  Must(PublishText(*output, "sent"));
  Must(PublishText(*output, "half sent"));
  EXPECT_FALSE(output->half_sent());
  for (auto* input : {first.get(), second.get()}) {
    ASSERT_TRUE(Must(input->TryTake()));
    input->Acknowledge(0);
  }
  EXPECT_EQ(TextOf(*Must(first->TryTake())), "half sent");
  first->Acknowledge(1);
  for (std::size_t edge = 0; edge < 2; ++edge) pipeline.control(edge)->published.store(1);
  second.reset();
  output.reset();

  output = pipeline.OpenOutput(1);
  ASSERT_TRUE(output->half_sent());
  EXPECT_EQ(*output->half_sent(), Origin());
  output->SkipHalfSent();
  EXPECT_FALSE(output->half_sent());
  second = pipeline.OpenInput(1);
  Must(PublishText(*output, "other"));
  for (auto* input : {first.get(), second.get()}) EXPECT_EQ(TextOf(*Must(input->TryTake())), "other");
  for (std::size_t edge = 0; edge < 2; ++edge) {
    const auto& account = pipeline.control(edge);
    EXPECT_EQ(account->lost.load(), edge);
    EXPECT_EQ(account->lost.load() + account->delivered.load(), account->published.load());
  }
}

// As above, and the successor is killed, too, before it has sent anything; the next one closes the stream.
TEST_F(OutputPortTest, AMessageThatWasHalfSentIsKnownToEachSuccessorAndCountedAtTheEnd) {
  TestPipeline pipeline({.edges = {{}, {}}});
  auto output = pipeline.OpenOutput();
  auto first = pipeline.OpenInput(0);
  Must(PublishText(*output, "half sent"));
  EXPECT_EQ(TextOf(*Must(first->TryTake())), "half sent");
  first->Acknowledge(0);
  for (std::size_t edge = 0; edge < 2; ++edge) pipeline.control(edge)->published.store(0);
  output.reset();
  for (const std::uint32_t epoch : {1U, 2U}) {
    output = pipeline.OpenOutput(epoch);
    EXPECT_TRUE(output->half_sent());
    if (epoch == 1) output.reset();
  }
  auto second = pipeline.OpenInput(1);
  output->Close();
  for (auto* input : {first.get(), second.get()}) EXPECT_FALSE(Must(input->TryTake()));
  for (std::size_t edge = 0; edge < 2; ++edge) {
    const auto& account = pipeline.control(edge);
    EXPECT_EQ(account->published.load(), 1U);
    EXPECT_EQ(account->lost.load(), edge);
    EXPECT_EQ(account->delivered.load(), 1U - edge);
  }
}

TEST_F(OutputPortTest, WhatWasOnlyGoingToBeSentWasNotHalfSent) {
  TestPipeline pipeline({.edges = {{}}});
  auto output = pipeline.OpenOutput();
  Must(PublishText(*output, "sent"));
  pipeline.control()->origins.Set(1, {.input = 0, .index = 0, .sequence = 5});
  output.reset();
  output = pipeline.OpenOutput(1);
  EXPECT_FALSE(output->half_sent());
}

TEST_F(OutputPortTest, WhatDiedWithBothEndsIsCountedAndTheStreamGoesOn) {
  TestPipeline pipeline({.edges = {{}}});
  auto output = pipeline.OpenOutput();
  auto input = pipeline.OpenInput();
  for (const auto* text : {"handled", "taken", "queued", "queued"}) Must(PublishText(*output, text));
  Must(input->TryTake());
  input->Acknowledge(0);
  Must(input->TryTake());
  input.reset();
  output.reset();

  output = pipeline.OpenOutput(1);
  input = pipeline.OpenInput();
  EXPECT_TRUE(input->owed());
  EXPECT_TRUE(input->ready());
  EXPECT_FALSE(Must(input->TryTake()));
  EXPECT_FALSE(input->owed());
  auto& account = pipeline.control();
  EXPECT_EQ(account->lost.load(), 3U);
  EXPECT_EQ(account->delivered.load(), 1U);
  Must(PublishText(*output, "new"));
  EXPECT_EQ(TextOf(*Must(input->TryTake())), "new");
  EXPECT_EQ(account->lost.load() + account->delivered.load(), account->published.load());
}

TEST_F(OutputPortTest, AJumpWithinOneIncarnationIsABrokenContract) {
  TestPipeline pipeline({.edges = {{}}});
  auto output = pipeline.OpenOutput();
  Must(PublishText(*output, "never seen"));
  output.reset();
  output = pipeline.OpenOutput(1);
  auto input = pipeline.OpenInput();
  pipeline.control()->first_of_epoch.store(0);
  Must(PublishText(*output, "b"));
  const auto refused = input->TryTake();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kPeerCorrupt);
}

TEST_F(OutputPortTest, LossAtTheEndOfTheStreamIsCounted) {
  TestPipeline pipeline({.edges = {{.policy = Policy::kDropOldest, .depth = 2}}});
  auto output = pipeline.OpenOutput();
  for (int i = 0; i < 5; ++i) Must(PublishText(*output, "before anybody listens"));
  auto input = pipeline.OpenInput();
  output->Close();
  EXPECT_FALSE(testing::Take(*input, pipeline.bell().arrivals()));
  EXPECT_EQ(pipeline.control()->lost.load(), 5U);
  EXPECT_TRUE(output->Drain(Deadline::In(std::chrono::nanoseconds(0))));
}

TEST_F(OutputPortTest, MessagesTakenForLaterAreNotHandledUntilTheirHandlerBegins) {
  TestPipeline pipeline({.edges = {{}}});
  auto output = pipeline.OpenOutput();
  auto input = pipeline.OpenInput();
  auto& account = pipeline.control();
  for (const auto* text : {"a", "b", "c"}) Must(PublishText(*output, text));
  auto first = Must(input->TryTake(Handling::kLater));
  auto second = Must(input->TryTake(Handling::kLater));
  EXPECT_EQ(account->taken.load(), 2U);
  EXPECT_EQ(account->handling_since_ns.load(), 0U);
  EXPECT_EQ(account->handling_sequence.load(), kHandlesNothing);
  input->BeginHandling(0);
  EXPECT_NE(account->handling_since_ns.load(), 0U);
  EXPECT_EQ(account->handling_sequence.load(), 0U);
  input->Acknowledge(0);
  EXPECT_EQ(account->acked.load(), 1U);
  EXPECT_EQ(account->handler.Count(), 1U);
  EXPECT_EQ(account->handling_since_ns.load(), 0U) << "the second waits";
  EXPECT_EQ(account->handling_sequence.load(), kHandlesNothing);
  input->Acknowledge(1);
  EXPECT_EQ(account->acked.load(), 2U);
  EXPECT_EQ(account->handler.Count(), 1U) << "it was never handled";
}

// Cleared as the runtime does between a producer's death and its successor.
TEST_F(OutputPortTest, MessagesInReachOutliveTheirProducer) {
  TestPipeline pipeline({.edges = {{.depth = 8, .max_held = 1}}});
  auto output = pipeline.OpenOutput();
  auto input = pipeline.OpenInput();
  EXPECT_FALSE(input->out_of_reach());
  Must(output->Refresh());
  for (const auto* text : {"a", "b", "c"}) Must(PublishText(*output, text));
  EXPECT_TRUE(input->out_of_reach());
  Must(input->Reach());
  EXPECT_FALSE(input->out_of_reach());
  EXPECT_EQ(pipeline.control()->taken.load(), 0U);
  output.reset();
  Must(CleanDeadParticipants(pipeline.realm(), Deadline::In(std::chrono::seconds(60))));

  output = pipeline.OpenOutput(1);
  Must(output->Refresh());
  Must(PublishText(*output, "d"));
  for (const std::string_view text : {"a", "b", "c", "d"}) {
    const auto message = Must(input->TryTake(Handling::kLater));
    ASSERT_TRUE(message);
    EXPECT_EQ(TextOf(*message), text);
    input->Acknowledge(message->header().sequence);
  }
  EXPECT_EQ(pipeline.control()->lost.load(), 0U);
}

TEST_F(OutputPortTest, AConsumerThatAwaitsInputTellsWhoeverReplacesItsProducer) {
  TestPipeline pipeline({.edges = {{}}});
  auto output = pipeline.OpenOutput();
  auto input = pipeline.OpenInput();
  auto& account = pipeline.control();
  auto& bell = pipeline.producer_bell().credit();
  const auto rung = bell.word.load();
  input->SayAwaits(Awaits::kThisInput);
  EXPECT_EQ(account->awaits.load(), Awaits::kThisInput);
  EXPECT_EQ(bell.word.load(), rung) << "a producer that lives is not woken";
  account->producer_state.store(EndState::kDetached);
  input->SayAwaits(Awaits::kAnotherInput);
  EXPECT_NE(bell.word.load(), rung);
  input->SayAwaits(Awaits::kNothing);
  EXPECT_EQ(account->awaits.load(), Awaits::kNothing);
}

}  // namespace
}  // namespace penstock::transport
