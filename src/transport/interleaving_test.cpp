// Random interleavings of everything that producer, consumers and runtime may do to one output.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <numeric>
#include <optional>
#include <vector>

#include "transport/test_pipeline.h"

namespace penstock::transport {
namespace {
using testing::Must;
using testing::TestPipeline;

// One consumer and what it must have seen by its contract.
class Consumer {
 public:
  Consumer(TestPipeline& pipeline, std::size_t edge, EdgeContract contract)
      : pipeline_(pipeline), edge_(edge), contract_(contract), port_(pipeline.OpenInput(edge)) {}

  void Take() {
    if (held_.size() > contract_.max_held) {
      Release();
      return;
    }
    auto message = Must(port_->TryTake());
    if (!message) return;
    Check(*message);
    last_ = message->header().sequence;
    held_.push_back(std::move(*message));
  }

  void Acknowledge() {
    if (last_) port_->Acknowledge(*last_);
    if (last_) handled_ = std::max(handled_, *last_ + 1);
  }

  void Release() {
    if (!held_.empty()) held_.erase(held_.begin());
  }

  // As after a crash: what was not acknowledged comes again.
  void Reattach() {
    held_.clear();
    last_.reset();
    port_.reset();
    port_ = pipeline_.OpenInput(edge_);
    if (!contract_drops() && contract_.delivery == Delivery::kAtLeastOnce) position_ = handled_;
  }

  // As after a crash of both ends at a time: what only their memory held is gone.
  void Detach() {
    held_.clear();
    last_.reset();
    port_.reset();
  }
  void AttachAfterLoss(std::uint64_t published) {
    port_ = pipeline_.OpenInput(edge_);
    if (contract_drops() || contract_.delivery == Delivery::kAtMostOnce) {
      lost_ += published - furthest_;
    } else {
      lost_ += published - handled_;
      first_time_ -= furthest_ - handled_;
    }
    if (!contract_drops()) position_ = furthest_ = handled_ = published;
  }

  void Drain() {
    held_.clear();
    for (auto before = position_ + 1; before != position_;) {
      before = position_;
      Take();
      Acknowledge();
      held_.clear();
    }
  }

  void Finish() {
    held_.clear();
    Acknowledge();
    while (!port_->ended()) {
      const auto before = position_;
      Take();
      Acknowledge();
      held_.clear();
      RC_ASSERT(position_ != before || port_->ended());
    }
  }

  // What holds at every moment at which neither end is in the middle of something.
  void CheckRunningAccount(std::uint64_t published) {
    auto& account = pipeline_.control(edge_);
    RC_ASSERT(Sent(*account.operator->()) == published);
    const auto taken = account->taken.load();
    RC_ASSERT(taken <= published);
    RC_ASSERT(account->delivered.load() + account->lost.load() == taken);
  }

  // After a message was sent: no more bytes under way than the contract allows, unless this one is alone. `bytes`: of
  // each message of the producer's incarnation, `first` being the first.
  void CheckBudget(const std::vector<std::uint64_t>& bytes, std::uint64_t first) {
    if (contract_.max_in_flight_bytes == 0) return;
    const auto begin = std::max(pipeline_.control(edge_)->acked.load(), first);
    const auto sum = std::accumulate(bytes.begin() + static_cast<std::ptrdiff_t>(begin), bytes.end(), std::uint64_t{0});
    RC_ASSERT(sum <= contract_.max_in_flight_bytes || sum == bytes.back());
  }

  void CheckAccount(std::uint64_t published) {
    auto& account = pipeline_.control(edge_);
    RC_ASSERT(account->delivered.load() + account->lost.load() == published);
    RC_ASSERT(account->delivered.load() == first_time_);
    RC_ASSERT(account->redelivered.load() == again_);
    if (!contract_drops()) RC_ASSERT(account->lost.load() == lost_);
  }

 private:
  auto contract_drops() const -> bool { return MayDrop(contract_.policy); }

  void Check(const Message& message) {
    const auto sequence = message.header().sequence;
    RC_ASSERT(testing::HasPattern(message.payload(), sequence));
    if (contract_drops()) {
      RC_ASSERT(sequence >= position_);
      RC_ASSERT(!message.redelivered());
    } else {
      RC_ASSERT(sequence == position_);
      RC_ASSERT(message.redelivered() == (sequence < furthest_));
    }
    position_ = sequence + 1;
    if (message.redelivered()) {
      ++again_;
    } else {
      ++first_time_;
    }
    furthest_ = std::max(furthest_, position_);
  }

  TestPipeline& pipeline_;
  std::size_t edge_;
  EdgeContract contract_;
  std::unique_ptr<InputPort> port_;
  std::vector<Message> held_;
  std::optional<std::uint64_t> last_;
  std::uint64_t position_ = 0;  // what must come next, or at least
  std::uint64_t furthest_ = 0;
  std::uint64_t handled_ = 0;
  std::uint64_t first_time_ = 0;
  std::uint64_t again_ = 0;
  std::uint64_t lost_ = 0;  // on edges that do not drop
};

auto AnyContract() -> rc::Gen<EdgeContract> {
  return rc::gen::apply(
      [](Policy policy, Delivery delivery, std::uint32_t depth, std::uint32_t max_held, std::uint64_t bytes) {
        return EdgeContract{.policy = policy,
                            .delivery = MayDrop(policy) ? Delivery::kAtMostOnce : delivery,
                            .depth = depth,
                            .max_held = max_held,
                            .max_in_flight_bytes = MayDrop(policy) ? 0 : bytes};
      },
      rc::gen::element(Policy::kBlock, Policy::kBlock, Policy::kFail, Policy::kDropOldest, Policy::kLatest),
      rc::gen::element(Delivery::kAtLeastOnce, Delivery::kAtMostOnce), rc::gen::inRange<std::uint32_t>(1, 9),
      rc::gen::inRange<std::uint32_t>(0, 4), rc::gen::element<std::uint64_t>(0, 0, 1, 5000, 20000));
}

class InterleavingTest : public testing::Watched {};

RC_GTEST_FIXTURE_PROP(InterleavingTest, EverythingSentIsDeliveredOrCountedAsTheContractSays, ()) {
  constexpr std::uint64_t kLargest = 3U << 20U;
  const auto contracts =
      *rc::gen::container<std::vector<EdgeContract>>(*rc::gen::inRange<std::size_t>(1, 5), AnyContract());
  TestPipeline pipeline({.edges = contracts, .max_message_bytes = kLargest});
  auto output = pipeline.OpenOutput();
  std::vector<Consumer> consumers;
  consumers.reserve(contracts.size());
  for (std::size_t i = 0; i < contracts.size(); ++i) consumers.emplace_back(pipeline, i, contracts[i]);

  enum class Step { kPublish, kTake, kAcknowledge, kRelease, kReattach, kRestartProducer, kRestartBoth };
  std::uint64_t published = 0;
  std::uint64_t first_of_epoch = 0;
  std::vector<std::uint64_t> bytes_of;
  std::uint32_t epoch = 0;
  const auto steps = *rc::gen::inRange(0, 200);
  for (int i = 0; i < steps; ++i) {
    const auto step = *rc::gen::weightedElement<Step>({{8, Step::kPublish},
                                                       {10, Step::kTake},
                                                       {6, Step::kAcknowledge},
                                                       {2, Step::kRelease},
                                                       {1, Step::kReattach},
                                                       {1, Step::kRestartProducer},
                                                       {1, Step::kRestartBoth}});
    auto& consumer = consumers[*rc::gen::inRange<std::size_t>(0, consumers.size())];
    switch (step) {
      case Step::kPublish: {
        const auto bytes =
            *rc::gen::weightedOneOf<std::uint64_t>({{1, rc::gen::just<std::uint64_t>(0)},
                                                    {20, rc::gen::inRange<std::uint64_t>(0, 5000)},
                                                    {1, rc::gen::inRange<std::uint64_t>(0, kLargest + 1)}});
        auto loan = Must(output->Borrow(bytes));
        testing::FillPattern(loan.bytes(), published);
        const auto sequence = output->Publish(std::move(loan), base::Deadline::In(std::chrono::nanoseconds(0)));
        if (!sequence) {
          RC_ASSERT(sequence.error().code() == base::ErrorCode::kDeadline ||
                    sequence.error().code() == base::ErrorCode::kOverflow);
          break;
        }
        RC_ASSERT(*sequence == published++);
        bytes_of.push_back(bytes);
        for (auto& each : consumers) each.CheckBudget(bytes_of, first_of_epoch);
        break;
      }
      case Step::kTake:
        consumer.Take();
        break;
      case Step::kAcknowledge:
        consumer.Acknowledge();
        break;
      case Step::kRelease:
        consumer.Release();
        break;
      case Step::kReattach:
        consumer.Reattach();
        Must(output->Refresh());
        break;
      case Step::kRestartProducer:
        // The runtime lets consumers drain before it starts the next incarnation.
        for (auto& each : consumers) each.Drain();
        output.reset();
        output = pipeline.OpenOutput(++epoch);
        first_of_epoch = published;
        break;
      case Step::kRestartBoth:
        for (auto& each : consumers) {
          if (&each != &consumer) each.Drain();
        }
        consumer.Detach();
        output.reset();
        output = pipeline.OpenOutput(++epoch);
        consumer.AttachAfterLoss(published);
        first_of_epoch = published;
        break;
    }
    for (auto& each : consumers) each.CheckRunningAccount(published);
  }
  output->Close();
  for (auto& consumer : consumers) consumer.Finish();
  Must(output->Drain(base::Deadline::In(std::chrono::nanoseconds(0))));
  for (auto& consumer : consumers) consumer.CheckAccount(published);
}

}  // namespace
}  // namespace penstock::transport
