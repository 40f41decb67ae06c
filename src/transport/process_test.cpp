// Edges between processes: kill -9 of either side, restarts, zero copies, PID namespaces, sizes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>

#include "transport/cleanup.h"
#include "transport/test_pipeline.h"

namespace penstock::transport {
namespace {
using base::Deadline;
using base::ErrorCode;
using ::testing::HasSubstr;
using testing::Must;
using testing::Peer;
using testing::PublishText;
using ::testing::StartsWith;
using testing::TestPipeline;

class ProcessTest : public testing::Watched {};

struct Line {
  std::uint64_t sequence = 0;
  bool intact = false;
  bool again = false;
};

auto Parse(const std::string& text) -> std::optional<Line> {
  std::istringstream words(text);
  std::string kind;
  Line line;
  std::string bytes;
  std::string intact;
  std::string again;
  words >> kind >> line.sequence >> bytes >> intact >> again;
  if (kind != "message") return std::nullopt;
  line.intact = intact == "intact";
  line.again = again == "again";
  return line;
}

TEST_F(ProcessTest, ConsumersViewIsTheProducersMemory) {
  TestPipeline pipeline({.edges = {{}, {}}});
  auto producer = pipeline.Spawn();
  ASSERT_EQ(producer->Ask("output 0"), "ok 0");
  auto one = pipeline.Spawn();
  auto two = pipeline.Spawn();
  ASSERT_EQ(one->Ask("input 0"), "ok");
  ASSERT_EQ(two->Ask("input 1"), "ok");
  for (int i = 0; i < 4; ++i) {
    const auto written = producer->Ask("loan 300000");
    EXPECT_THAT(written, ::testing::Not("nowhere"));
    EXPECT_EQ(one->Ask("hold"), written) << "device, inode and offset of the bytes";
    EXPECT_EQ(two->Ask("hold"), written);
    ASSERT_EQ(one->Ask("ack " + std::to_string(i)), "ok");
    ASSERT_EQ(two->Ask("ack " + std::to_string(i)), "ok");
  }
}

TEST_F(ProcessTest, ParticipantsAreUniqueAcrossPidNamespaces) {
  TestPipeline pipeline({.edges = {{}, {}}});
  auto producer = pipeline.Spawn(Peer::Pids::kOwnNamespace);
  auto one = pipeline.Spawn(Peer::Pids::kOwnNamespace);
  auto two = pipeline.Spawn(Peer::Pids::kOwnNamespace);
  ASSERT_EQ(producer->Ask("pid"), "1") << "equal process ids are the point of this test";
  ASSERT_EQ(one->Ask("pid"), "1");
  ASSERT_EQ(two->Ask("pid"), "1");
  producer->Tell("output 0");
  one->Tell("input 0");
  two->Tell("input 1");
  ASSERT_EQ(producer->Hear(), "ok 0");
  ASSERT_EQ(one->Hear(), "ok");
  ASSERT_EQ(two->Hear(), "ok");
  ASSERT_EQ(producer->Ask("publish 3 100"), "ok 3");
  for (auto* consumer : {one.get(), two.get()}) {
    consumer->Tell("consume 3");
    for (std::uint64_t i = 0; i < 3; ++i) EXPECT_EQ(Parse(consumer->Hear())->sequence, i);
    EXPECT_EQ(consumer->Hear(), "ok");
  }
  one->Kill();
  EXPECT_EQ(Must(CleanDeadParticipants(pipeline.realm(), Deadline::Never())).cleaned, 1U) << "and only the dead one";
  ASSERT_EQ(producer->Ask("publish 1 100"), "ok 4");
  EXPECT_THAT(two->Ask("take"), StartsWith("message 3"));
}

TEST_F(ProcessTest, SizesFromNothingTo64MiBArriveIntact) {
  TestPipeline pipeline({.edges = {{.depth = 2}}, .max_message_bytes = 64U << 20U});
  auto producer = pipeline.Spawn();
  ASSERT_EQ(producer->Ask("output 0"), "ok 0");
  auto consumer = pipeline.Spawn();
  ASSERT_EQ(consumer->Ask("input 0"), "ok");
  std::uint64_t sequence = 0;
  for (const std::uint64_t bytes : {0U, 1U, 63U, 64U, 4096U, 1'000'003U, 64U << 20U}) {
    ASSERT_EQ(producer->Ask("publish 1 " + std::to_string(bytes)), "ok " + std::to_string(sequence + 1));
    EXPECT_THAT(consumer->Ask("take"),
                StartsWith("message " + std::to_string(sequence) + " " + std::to_string(bytes) + " intact"));
    ASSERT_EQ(consumer->Ask("ack " + std::to_string(sequence)), "ok");
    ++sequence;
  }
}

TEST_F(ProcessTest, ConsumersKilledAnywhereMissNothingAndRepetitionsAreMarked) {
  constexpr std::uint64_t kMessages = 3000;
  TestPipeline pipeline({.edges = {{.depth = 8}}});
  auto producer = pipeline.Spawn();
  ASSERT_EQ(producer->Ask("output 0"), "ok 0");
  ASSERT_EQ(producer->Ask("start " + std::to_string(kMessages) + " 64"), "ok");

  std::uint64_t expected = 0;
  unsigned random = 1;
  for (int restart = 0; expected < kMessages; ++restart) {
    auto consumer = pipeline.Spawn();
    ASSERT_EQ(consumer->Ask("input 0"), "ok");
    ASSERT_EQ(producer->Ask("refresh"), "ok");
    consumer->Tell("consume 1000000");  // repetitions count too: it takes until it is killed
    random = random * 1664525 + 1013904223;
    const auto life = restart < 20 ? (random >> 16U) % 120 : kMessages;
    for (std::uint64_t i = 0; i < life && expected < kMessages; ++i) {
      const auto text = consumer->Hear();
      const auto line = Parse(text);
      ASSERT_TRUE(line) << "it said '" << text << "' after message " << expected;
      EXPECT_TRUE(line->intact);
      ASSERT_LE(line->sequence, expected) << "a message was missed";
      EXPECT_TRUE(line->sequence == expected || line->again) << "a repetition was not marked";
      if (line->sequence == expected) ++expected;
    }
    // The rest of what it managed to say before it died counts as handled too.
    consumer->Kill();
    for (auto text = consumer->Hear(); !text.empty(); text = consumer->Hear()) {
      const auto line = Parse(text);
      if (!line) break;
      ASSERT_LE(line->sequence, expected);
      if (line->sequence == expected) ++expected;
    }
    Must(CleanDeadParticipants(pipeline.realm(), Deadline::Never()));
  }
  EXPECT_EQ(producer->Ask("join"), "ok " + std::to_string(kMessages));
  EXPECT_EQ(pipeline.control()->lost.load(), 0U);
}

TEST_F(ProcessTest, ProducersKilledAnywhereContinueTheSequence) {
  constexpr std::uint64_t kMessages = 3000;
  TestPipeline pipeline({.edges = {{.depth = 8}, {.policy = Policy::kDropOldest, .depth = 4}}});
  auto blocking = pipeline.Spawn();
  auto dropping = pipeline.Spawn();
  std::unique_ptr<Peer> producer;
  std::uint64_t expected = 0;
  std::uint64_t dropped_expected = 0;
  unsigned random = 7;
  for (std::uint64_t epoch = 0; expected < kMessages; ++epoch) {
    producer = pipeline.Spawn();
    ASSERT_THAT(producer->Ask("output " + std::to_string(epoch)), StartsWith("ok "));
    if (epoch == 0) {
      ASSERT_EQ(blocking->Ask("input 0"), "ok");
      ASSERT_EQ(dropping->Ask("input 1"), "ok");
      blocking->Tell("consume " + std::to_string(kMessages));
      dropping->Tell("consume " + std::to_string(kMessages));
    }
    producer->Tell("start " + std::to_string(kMessages - expected) + " 64");
    random = random * 1664525 + 1013904223;
    const auto life = epoch < 20 ? (random >> 16U) % 150 : kMessages;
    for (std::uint64_t i = 0; i < life && expected < kMessages; ++i) {
      const auto line = Parse(blocking->Hear());
      ASSERT_TRUE(line) << "in epoch " << epoch << " after message " << expected;
      EXPECT_TRUE(line->intact);
      ASSERT_EQ(line->sequence, expected++);
    }
    if (expected == kMessages) break;
    producer->Kill();
    // What it had published is drained, then it is removed: the order that the runtime keeps.
    const auto published = pipeline.control(0)->published.load();
    while (expected < published) ASSERT_EQ(Parse(blocking->Hear())->sequence, expected++);
    Must(CleanDeadParticipants(pipeline.realm(), Deadline::Never()));
  }
  EXPECT_EQ(producer->Hear(), "ok");
  while (pipeline.control(1)->taken.load() < kMessages) {
    const auto line = Parse(dropping->Hear());
    ASSERT_TRUE(line);
    ASSERT_GE(line->sequence, dropped_expected);
    dropped_expected = line->sequence + 1;
  }
  EXPECT_EQ(pipeline.control(1)->delivered.load() + pipeline.control(1)->lost.load(), kMessages);
}

TEST_F(ProcessTest, ForkedChildIsRefusedAndLeavesThePortsAlone) {
  TestPipeline pipeline({.edges = {{}}});
  auto output = pipeline.OpenOutput();
  auto input = pipeline.OpenInput();
  const pid_t child = ::fork();
  if (child == 0) {
    const auto refused = PublishText(*output, "from the child");
    const bool good = !refused && refused.error().code() == ErrorCode::kUnsupported && !input->TryTake();
    output.reset();
    input.reset();
    ::_exit(good ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  Must(PublishText(*output, "from the parent"));
  EXPECT_EQ(testing::TextOf(*Must(input->TryTake())), "from the parent");
}

}  // namespace
}  // namespace penstock::transport
