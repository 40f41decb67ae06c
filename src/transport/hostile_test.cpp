// A peer that writes anywhere into what it was given, at any time: the other end says so or dies of it alone, and
// whoever plays the runtime is never harmed.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <tuple>

#include "transport/cleanup.h"
#include "transport/test_pipeline.h"
#include "transport/test_scribbler.h"

namespace penstock::transport {
namespace {
using base::Deadline;
using base::ErrorCode;
using ::testing::AnyOf;
using testing::BytesOf;
using ::testing::HasSubstr;
using testing::Must;
using testing::Peer;
using testing::PublishText;
using testing::Scribbler;
using testing::SharedBytes;
using ::testing::StartsWith;
using testing::TestPipeline;

// Sanitizers turn the signal that ends a process into an exit code of their own.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

class HostileTest : public testing::Watched {};

/// All files of a realm, mapped as they are now.
class RealmFiles final {
 public:
  explicit RealmFiles(const base::UniqueFd& realm) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(RealmPath(realm.get()) + "/")) {
      const base::UniqueFd file(::open(entry.path().c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
      struct stat status{};
      if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0) continue;
      const auto size = static_cast<std::size_t>(status.st_size);
      if (auto mapping = base::Mapping::Map(file, size)) {
        // Chunks are large, and sparse: writing all over them would only use memory up.
        constexpr std::size_t kStart = std::size_t{64} * 1024;
        memory_.push_back(BytesOf(mapping->data(), std::min(size, kStart)));
        mappings_.push_back(std::move(*mapping));
      }
    }
  }
  auto memory() const -> const std::vector<SharedBytes>& { return memory_; }

 private:
  std::vector<base::Mapping> mappings_;
  std::vector<SharedBytes> memory_;
};

/// A producer and a consumer in processes of their own that do nothing but send and take.
struct Flow {
  explicit Flow(TestPipeline& pipeline) : producer(pipeline.Spawn()), consumer(pipeline.Spawn()) {
    EXPECT_EQ(producer->Ask("output 0"), "ok 0");
    EXPECT_EQ(consumer->Ask("input 0"), "ok");
    producer->Tell("publish 1000000000 64");
    consumer->Tell("consume 1000000000");
  }

  /// What one of them said last, when it no longer sends or takes: "error …", "end", or nothing when it is gone.
  auto LastWord() -> std::pair<Peer*, std::string> {
    for (;;) {
      auto heard = Peer::HearAny({producer.get(), consumer.get()});
      if (!heard.second.starts_with("message ")) return heard;
    }
  }
  void HearMessages(unsigned count) const {
    for (unsigned i = 0; i < count; ++i) ASSERT_THAT(consumer->Hear(), StartsWith("message "));
  }

  std::unique_ptr<Peer> producer;
  std::unique_ptr<Peer> consumer;
};

// What the runtime reads of a control block, beside what observe and session do with it.
void ReadAsTheRuntime(const ControlLayout& block) {
  for (const auto* histogram : {&block.queue_wait, &block.handler, &block.overhead_cpu}) {
    for (const double quantile : {0.0, 0.5, 0.99, 1.0}) static_cast<void>(histogram->Quantile(quantile));
  }
  const auto next = NextSequence({&block});
  static_cast<void>(block.origins.Of(next - 1));
}

TEST_F(HostileTest, BitsFlippedInAControlBlockEndTheEdgeWithAnErrorThatNamesIt) {
  constexpr unsigned kRounds = 25;
  for (unsigned seed = 1; seed <= kRounds; ++seed) {
    SCOPED_TRACE(seed);
    TestPipeline pipeline({.edges = {{.depth = 4}}});
    Flow flow(pipeline);
    flow.HearMessages(seed * 7 % 30);
    auto& block = pipeline.control();
    {
      // Half of the time among the counters, which are a twentieth of a block.
      const auto all = BytesOf(block.operator->(), sizeof(ControlLayout));
      const Scribbler scribbler({all, all.first(offsetof(ControlLayout, queue_wait))}, seed);
      auto [peer, word] = flow.LastWord();
      if (word == "end") {
        // The consumer was made to believe so, and leaves: the producer learns of it.
        ASSERT_EQ(peer, flow.consumer.get());
        peer->Tell("exit");
        std::tie(peer, word) = std::pair(flow.producer.get(), flow.producer->Hear());
      }
      EXPECT_THAT(word, StartsWith("error "));
      EXPECT_THAT(word, HasSubstr(TestPipeline::EdgeId(0)));
      for (int i = 0; i < 100; ++i) ReadAsTheRuntime(*block.operator->());
    }
    flow.producer->Kill();
    flow.consumer->Kill();
    EXPECT_EQ(Must(CleanDeadParticipants(pipeline.realm(), Deadline::Never())).failed, 0U);
  }
}

TEST_F(HostileTest, BitsFlippedInARealmHarmNobodyButItsPeers) {
  constexpr unsigned kRounds = 12;
  unsigned ended = 0;
  for (unsigned seed = 1; seed <= kRounds; ++seed) {
    SCOPED_TRACE(seed);
    TestPipeline pipeline({.edges = {{.depth = 4}}});
    Flow flow(pipeline);
    flow.HearMessages(1 + seed * 7 % 30);
    const RealmFiles files(pipeline.realm());
    {
      const Scribbler scribbler(files.memory(), seed);
      const auto [peer, word] = flow.LastWord();
      if (word.empty()) {
        const int status = peer->Wait();
        EXPECT_TRUE(WIFSIGNALED(status) || (kSanitized && WEXITSTATUS(status) != 0))
            << "exit code " << WEXITSTATUS(status);
        // What became of it is kept with the result: it depends on where the bits were.
        RecordProperty("round" + std::to_string(seed), "signal " + std::to_string(WTERMSIG(status)));
      } else {
        EXPECT_THAT(word, StartsWith("error "));
        RecordProperty("round" + std::to_string(seed), word);
      }
      ++ended;
    }
    flow.producer->Kill();
    flow.consumer->Kill();
    // The helper reads what is left of it, and may fail or crash: it is told apart from us.
    const auto cleaned = CleanDeadParticipants(pipeline.realm(), Deadline::In(std::chrono::seconds(1)));
    if (!cleaned) {
      EXPECT_THAT(cleaned.error().code(), AnyOf(ErrorCode::kPeerCorrupt, ErrorCode::kInternal, ErrorCode::kDeadline))
          << cleaned.error().ToString();
    }
  }
  EXPECT_EQ(ended, kRounds);
}

TEST_F(HostileTest, AConsumerThatTakesItsWordBackEndsItsProducersWait) {
  TestPipeline pipeline({.edges = {{.depth = 2}}});
  auto output = pipeline.OpenOutput();
  auto input = pipeline.OpenInput();
  for (const auto* text : {"one", "two"}) Must(PublishText(*output, text));
  for (std::uint64_t i = 0; i < 2; ++i) input->Acknowledge(Must(input->TryTake())->header().sequence);
  Must(PublishText(*output, "three"));
  pipeline.control()->acked.store(0);
  const auto published = PublishText(*output, "four");
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().code(), ErrorCode::kPeerCorrupt);
  EXPECT_THAT(published.error().message(),
              HasSubstr("says that 3 messages are not acknowledged, where 2 are the most"));
}

TEST_F(HostileTest, AnAccountThatSomebodyElseWroteIntoIsNotTakenFrom) {
  for (auto field : {&ControlLayout::taken, &ControlLayout::acked, &ControlLayout::delivered, &ControlLayout::lost,
                     &ControlLayout::redelivered, &ControlLayout::handling_since_ns}) {
    TestPipeline pipeline({.edges = {{}}});
    auto output = pipeline.OpenOutput();
    auto input = pipeline.OpenInput();
    (pipeline.control().operator->()->*field).fetch_add(1);
    EXPECT_TRUE(input->ready()) << "it wakes up to say so";
    const auto taken = input->TryTake();
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code(), ErrorCode::kPeerCorrupt);
    EXPECT_THAT(taken.error().message(), HasSubstr("edge 'source.out->sink0.in' is not what its consumer has written"));
  }
}

TEST_F(HostileTest, AnAccountOfMoreThanWasSentIsNotBelieved) {
  for (auto field : {&ControlLayout::published, &ControlLayout::first_of_epoch, &ControlLayout::closed}) {
    TestPipeline pipeline({.edges = {{}}});
    auto output = pipeline.OpenOutput();
    auto input = pipeline.OpenInput();
    Must(PublishText(*output, "only"));
    (pipeline.control().operator->()->*field).store(1000);
    const auto taken = input->TryTake();
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code(), ErrorCode::kPeerCorrupt);
  }
}

TEST_F(HostileTest, AProducerWhoseAccountWasChangedSendsNothingMore) {
  for (auto field : {&ControlLayout::published, &ControlLayout::reserved, &ControlLayout::closed}) {
    TestPipeline pipeline({.edges = {{}, {}}});
    auto output = pipeline.OpenOutput();
    Must(PublishText(*output, "sent"));
    (pipeline.control(1).operator->()->*field).fetch_add(1);
    const auto published = PublishText(*output, "not sent");
    ASSERT_FALSE(published);
    EXPECT_EQ(published.error().code(), ErrorCode::kPeerCorrupt);
    EXPECT_THAT(published.error().message(),
                HasSubstr("edge 'source.out->sink1.in' is not what its producer has written"));
    EXPECT_EQ(pipeline.control(0)->published.load(), 1U);
  }
}

TEST_F(HostileTest, AConsumerDoesNotContinueAnAccountOfMessagesThatWereNeverSent) {
  TestPipeline pipeline({.edges = {{}}});
  auto output = pipeline.OpenOutput();
  Must(PublishText(*output, "only"));
  pipeline.control()->acked.store(~0ULL);
  EXPECT_THROW(pipeline.OpenInput(), std::runtime_error);
}

}  // namespace
}  // namespace penstock::transport
