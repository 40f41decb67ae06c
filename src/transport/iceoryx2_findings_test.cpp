// What we build on in iceoryx2 0.10, and what we keep away from: one test for each finding, to be read before an
// upgrade.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "transport/cleanup.h"
#include "transport/iceoryx2/bridge.h"
#include "transport/test_pipeline.h"

namespace penstock::transport {
namespace {
namespace fs = std::filesystem;
using base::Deadline;
using base::ErrorCode;
using ::testing::HasSubstr;
using testing::Must;
using testing::PublishText;
using ::testing::StartsWith;
using testing::TestPipeline;
using testing::TextOf;

class Iceoryx2FindingsTest : public testing::Watched {};

auto Clean(TestPipeline& pipeline) -> CleanupReport {
  return Must(CleanDeadParticipants(pipeline.realm(), Deadline::Never()));
}

// Messages of the input that can be taken now.
auto CountAvailable(InputPort& input) -> int {
  int count = 0;
  while (auto message = Must(input.TryTake())) {
    EXPECT_TRUE(testing::HasPattern(message->payload(), message->header().sequence));
    input.Acknowledge(message->header().sequence);
    ++count;
  }
  return count;
}

TEST_F(Iceoryx2FindingsTest, HistoryReachesALateConsumerOnlyWhenTheProducerRefreshes) {
  TestPipeline pipeline({.edges = {{}}});
  auto output = pipeline.OpenOutput();
  Must(PublishText(*output, "a"));
  Must(PublishText(*output, "b"));
  auto input = pipeline.OpenInput();

  EXPECT_FALSE(Must(input->TryTake()));
  EXPECT_FALSE(input->ready()) << "a consumer that found nothing must not be told to look again at once";
  Must(output->Refresh());
  EXPECT_TRUE(input->ready());
  EXPECT_EQ(TextOf(*Must(input->TryTake())), "a");
  EXPECT_EQ(TextOf(*Must(input->TryTake())), "b");
}

TEST_F(Iceoryx2FindingsTest, ProducerThatWaitsForCreditServesARestartedConsumerByRefreshOfAnotherThread) {
  TestPipeline pipeline({.edges = {{.depth = 2}}});
  auto producer = pipeline.Spawn();
  ASSERT_EQ(producer->Ask("output 0"), "ok 0");
  auto first = pipeline.Spawn();
  ASSERT_EQ(first->Ask("input 0"), "ok");
  ASSERT_EQ(producer->Ask("start 3 8"), "ok");  // the third waits
  ASSERT_THAT(first->Ask("take"), StartsWith("message 0"));
  first->Kill();
  EXPECT_EQ(Clean(pipeline).cleaned, 1U);

  auto second = pipeline.OpenInput();
  ASSERT_EQ(producer->Ask("refresh"), "ok");
  for (std::uint64_t sequence = 0; sequence < 3; ++sequence) {
    auto message = testing::Take(*second, pipeline.bell().arrivals());
    EXPECT_EQ(message->header().sequence, sequence);
    EXPECT_EQ(message->redelivered(), sequence == 0);
    second->Acknowledge(sequence);
  }
  EXPECT_EQ(producer->Ask("join"), "ok 3");
}

TEST_F(Iceoryx2FindingsTest, UnreadMessagesSurviveAProducerThatWasKilledAndCleaned) {
  TestPipeline pipeline({.edges = {{}}});
  auto producer = pipeline.Spawn();
  ASSERT_EQ(producer->Ask("output 0"), "ok 0");
  auto input = pipeline.OpenInput();
  ASSERT_EQ(producer->Ask("publish 5 200000"), "ok 5");
  producer->Kill();
  EXPECT_EQ(Clean(pipeline).cleaned, 1U);
  EXPECT_EQ(CountAvailable(*input), 5);
}

TEST_F(Iceoryx2FindingsTest, UnreadMessagesSurviveAProducerThatExitedCleanly) {
  TestPipeline pipeline({.edges = {{}}});
  auto producer = pipeline.Spawn();
  ASSERT_EQ(producer->Ask("output 0"), "ok 0");
  auto input = pipeline.OpenInput();
  ASSERT_EQ(producer->Ask("publish 5 200000"), "ok 5");
  ASSERT_EQ(producer->Ask("exit"), "ok");
  EXPECT_EQ(CountAvailable(*input), 5);
}

TEST_F(Iceoryx2FindingsTest, FinishedProducerStaysForAConsumerThatComesLate) {
  TestPipeline pipeline({.edges = {{}}});
  auto output = pipeline.OpenOutput();
  for (int i = 0; i < 5; ++i) Must(PublishText(*output, std::string(10, static_cast<char>(i))));
  output->Close();
  std::jthread node([&] { Must(output->Drain(Deadline::Never())); });
  auto first = pipeline.Spawn();
  ASSERT_EQ(first->Ask("input 0"), "ok");
  Must(output->Refresh());
  ASSERT_THAT(first->Ask("take"), StartsWith("message 0"));
  first->Kill();
  EXPECT_EQ(Clean(pipeline).cleaned, 1U);

  auto second = pipeline.OpenInput();
  Must(output->Refresh());
  EXPECT_EQ(CountAvailable(*second), 5);
  EXPECT_TRUE(second->ended());
  node.join();
  output.reset();
  EXPECT_EQ(pipeline.control()->producer_state.load(), EndState::kFinished);
}

TEST_F(Iceoryx2FindingsTest, SegmentsAreSparse) {
  TestPipeline pipeline({.edges = {{.depth = 16}}, .max_message_bytes = 64U << 20U, .quota_bytes = 16U << 20U});
  auto output = pipeline.OpenOutput();
  auto input = pipeline.OpenInput();
  Must(PublishText(*output, "small"));
  EXPECT_EQ(TextOf(*Must(input->TryTake())), "small");
}

TEST_F(Iceoryx2FindingsTest, SegmentsDoNotGrow) {
  TestPipeline pipeline({.edges = {{}}, .max_message_bytes = 1000});
  auto output = pipeline.OpenOutput();
  const auto loan = output->Borrow(1001);
  ASSERT_FALSE(loan);
  EXPECT_EQ(loan.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(loan.error().message(), HasSubstr("max_message_bytes"));
}

TEST_F(Iceoryx2FindingsTest, MoreConsumersThanPlannedAreAnErrorAndNotAPanic) {
  TestPipeline pipeline({.edges = {{}}});
  auto output = pipeline.OpenOutput();
  auto planned = pipeline.OpenInput();
  auto unplanned = pipeline.OpenInput();
  const auto loan = output->Borrow(1);
  ASSERT_FALSE(loan);
  EXPECT_EQ(loan.error().code(), ErrorCode::kExhausted);
  EXPECT_THAT(loan.error().message(), HasSubstr("cleaned up"));
  unplanned.reset();
  EXPECT_TRUE(output->Borrow(1)) << "the port works again once there is room";
}

TEST_F(Iceoryx2FindingsTest, AllSlotsInUseAtOnceAreNotAPanic) {
  // Queue full, history full, every message held that may be held, every loan out: the formula's worst case.
  const iceoryx2::Service service{.root = "", .name = "worst", .buffer = 4, .history = 4, .max_held = 3};
  TestPipeline pipeline({.edges = {{}}});
  auto here = service;
  here.root = RealmPath(pipeline.realm().get());
  const auto output = Must(iceoryx2::Output::Open(here, {.max_message_bytes = 64, .consumers = 2, .max_loans = 2}));
  const auto one = Must(iceoryx2::Input::Open(here, 4, 4));
  const auto two = Must(iceoryx2::Input::Open(here, 4, 4));
  std::vector<iceoryx2::Sample> held;
  for (int i = 0; i < 3; ++i) {
    Must(iceoryx2::Output::Send(Must(output.Borrow(64))));
    held.push_back(std::move(*Must(one.Receive())));
    held.push_back(std::move(*Must(two.Receive())));
  }
  for (int i = 0; i < 20; ++i) Must(iceoryx2::Output::Send(Must(output.Borrow(64))));
  const auto first = Must(output.Borrow(64));
  const auto second = Must(output.Borrow(64));
  const auto third = output.Borrow(64);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code(), ErrorCode::kExhausted);
}

TEST_F(Iceoryx2FindingsTest, ConsumerRestartsManyMoreTimesThanThereArePlaces) {
  TestPipeline pipeline({.edges = {{.depth = 4}}});
  auto output = pipeline.OpenOutput();
  for (int i = 0; i < 4; ++i) Must(PublishText(*output, "again"));
  constexpr int kRestarts = 40;  // a service has 32 places
  for (int i = 0; i < kRestarts; ++i) {
    auto consumer = pipeline.Spawn();
    ASSERT_EQ(consumer->Ask("input 0"), "ok") << "restart " << i;
    Must(output->Refresh());
    ASSERT_THAT(consumer->Ask("take"), StartsWith("message 0")) << "restart " << i;
    consumer->Kill();
    EXPECT_EQ(Clean(pipeline).cleaned, 1U);
  }
  EXPECT_EQ(pipeline.control()->redelivered.load(), static_cast<std::uint64_t>(kRestarts - 1));
}

TEST_F(Iceoryx2FindingsTest, DeadConsumerThatWasNotCleanedBlocksItsReplacementWithASentence) {
  TestPipeline pipeline({.edges = {{}}});
  auto output = pipeline.OpenOutput();
  auto consumer = pipeline.Spawn();
  ASSERT_EQ(consumer->Ask("input 0"), "ok");
  consumer->Kill();
  auto replacement = pipeline.OpenInput();
  ASSERT_FALSE(PublishText(*output, "x"));
  EXPECT_EQ(Clean(pipeline).cleaned, 1U);
  EXPECT_TRUE(PublishText(*output, "x"));
}

TEST_F(Iceoryx2FindingsTest, CleanupLeavesTheLivingAlone) {
  TestPipeline pipeline({.edges = {{}}});
  auto output = pipeline.OpenOutput();
  auto consumer = pipeline.Spawn();
  ASSERT_EQ(consumer->Ask("input 0"), "ok");
  EXPECT_EQ(Clean(pipeline).cleaned, 0U);
  Must(PublishText(*output, "x"));
  EXPECT_THAT(consumer->Ask("take"), StartsWith("message 0"));
}

// The paths below `root` that hold files.
auto Files(const fs::path& root) -> std::vector<std::string> {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.is_regular_file()) files.push_back(entry.path().lexically_relative(root));
  }
  std::ranges::sort(files);
  return files;
}

auto ReadAll(const fs::path& path) -> std::string {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_F(Iceoryx2FindingsTest, CleanupDoesNotFollowTheRootPathOfAHostileParticipant) {
  TestPipeline pipeline({.edges = {{}}, .max_message_bytes = 1024});
  const auto realm = fs::path(RealmPath(pipeline.realm().get()));
  auto victim = pipeline.Spawn();
  ASSERT_EQ(victim->Ask("output 0"), "ok 0");
  victim->Kill();

  // Given a directory outside with the same files, and a dead participant whose file names it as its root.
  std::string decoy = "/tmp/pensk-XXXXXX";
  ASSERT_EQ(decoy.size(), realm.string().size()) << "the forged path must be as long as the true one";
  ASSERT_NE(::mkdtemp(decoy.data()), nullptr);
  fs::copy(realm, decoy, fs::copy_options::recursive);
  int forged = 0;
  for (const auto& file : Files(realm)) {
    auto content = ReadAll(realm / file);
    const auto at = content.find(realm.string());
    if (!file.ends_with(".details") || at == std::string::npos) continue;
    content.replace(at, decoy.size(), decoy);
    fs::permissions(realm / file, fs::perms::all);
    std::ofstream(realm / file, std::ios::binary) << content;
    ++forged;
  }
  ASSERT_EQ(forged, 1);
  const auto before = Files(decoy);

  EXPECT_EQ(Clean(pipeline).cleaned, 1U);
  EXPECT_EQ(Files(decoy), before);
  auto fresh = pipeline.OpenOutput();
  auto input = pipeline.OpenInput();
  EXPECT_TRUE(PublishText(*fresh, "works"));
  fs::remove_all(decoy);
}

}  // namespace
}  // namespace penstock::transport
