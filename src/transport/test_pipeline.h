// What the tests of this folder share: a realm at a fixed descriptor, doorbells, edges with both ends, a watchdog.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "transport/control_block.h"
#include "transport/doorbell.h"
#include "transport/input_port.h"
#include "transport/output_port.h"
#include "transport/realm.h"
#include "transport/test_peer.h"

namespace penstock::transport::testing {

/// The value, or a failed test with the error's sentence.
template <class T>
auto Must(base::Expected<T> value) -> T {
  if (!value) throw std::runtime_error(value.error().ToString());
  return std::move(*value);
}
inline void Must(const base::Status& status) {
  if (!status) throw std::runtime_error(status.error().ToString());
}

/// A test that hangs ends by SIGALRM, with its name on the terminal, long before the build machine's patience does.
class Watched : public ::testing::Test {
 protected:
  void SetUp() override { ::alarm(kSeconds); }
  void TearDown() override { ::alarm(0); }

 private:
  static constexpr unsigned kSeconds = 240;
};

inline auto DuplicateControl(const ControlBlock& block) -> ControlBlock {
  return Must(ControlBlock::Map(Must(block.fd().Duplicate())));
}
inline auto DuplicateBell(const Doorbell& bell) -> Doorbell { return Must(Doorbell::Map(Must(bell.fd().Duplicate()))); }

/// One output with some consumers in this process. Realms take descriptor numbers from 300 up.
class TestPipeline {
 public:
  struct Options {
    std::vector<EdgeContract> edges;
    std::uint64_t max_message_bytes = 1U << 20U;
    std::uint64_t quota_bytes = 1ULL << 30U;
    std::uint32_t max_loans = 2;
  };

  explicit TestPipeline(Options options) : options_(std::move(options)), producer_bell_(Must(Doorbell::Create())) {
    auto realm = Must(Realm::Create(options_.quota_bytes));
    realm_ = Must(base::MoveTo(Must(realm.fd().Duplicate()), next_number_++));
    for (const auto& contract : options_.edges) {
      blocks_.push_back(Must(ControlBlock::Create(contract)));
      bells_.push_back(Must(Doorbell::Create()));
      buffer_ = std::max(buffer_, contract.policy == Policy::kLatest ? 1 : contract.depth);
      max_held_ = std::max(max_held_, contract.max_held + 1);
      if (!MayDrop(contract.policy)) history_ = std::max(history_, contract.depth);
    }
  }

  static auto EdgeId(std::size_t edge) -> std::string { return "source.out->sink" + std::to_string(edge) + ".in"; }

  auto OpenOutput(std::uint32_t epoch = 0) -> std::unique_ptr<OutputPort> {
    OutputPortOptions options{.service = kPeerService,
                              .realm_number = realm_.get(),
                              .max_message_bytes = options_.max_message_bytes,
                              .history = history_,
                              .buffer = buffer_,
                              .max_held = max_held_,
                              .max_loans = options_.max_loans,
                              .epoch = epoch,
                              .edges = {}};
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      options.edges.push_back(
          {.id = EdgeId(i), .control = DuplicateControl(blocks_[i]), .consumer = DuplicateBell(bells_[i])});
    }
    return Must(OutputPort::Open(std::move(options), producer_bell_));
  }

  auto OpenInput(std::size_t edge = 0) -> std::unique_ptr<InputPort> {
    return Must(InputPort::Open({.id = EdgeId(edge),
                                 .service = kPeerService,
                                 .realm_number = realm_.get(),
                                 .history = history_,
                                 .buffer = buffer_,
                                 .max_held = max_held_,
                                 .max_message_bytes = options_.max_message_bytes,
                                 .control = DuplicateControl(blocks_[edge]),
                                 .producer = DuplicateBell(producer_bell_)}));
  }

  /// Another process that holds this pipeline's descriptors.
  auto Spawn(Peer::Pids pids = Peer::Pids::kShared) -> std::unique_ptr<Peer> {
    return std::make_unique<Peer>(Shape(), Descriptors(), pids);
  }

  /// One that consumes here and can publish on the only edge of `reply`, whose realm it holds by the same number.
  auto SpawnEcho(TestPipeline& reply) -> std::unique_ptr<Peer> {
    auto shape = Shape();
    shape.reply_realm = reply.realm_.get();
    auto fds = Descriptors();
    fds.push_back({reply.realm_.get(), reply.realm_.get()});
    fds.push_back({reply.blocks_[0].fd().get(), kPeerReplyControl});
    fds.push_back({reply.bells_[0].fd().get(), kPeerReplyConsumerBell});
    fds.push_back({reply.producer_bell_.fd().get(), kPeerReplyProducerBell});
    return std::make_unique<Peer>(shape, std::move(fds));
  }

  auto control(std::size_t edge = 0) -> ControlBlock& { return blocks_[edge]; }
  auto bell(std::size_t edge = 0) -> Doorbell& { return bells_[edge]; }
  auto producer_bell() -> Doorbell& { return producer_bell_; }
  auto realm() -> const base::UniqueFd& { return realm_; }

 private:
  auto Shape() const -> PeerShape {
    return {.edges = static_cast<int>(blocks_.size()),
            .realm = realm_.get(),
            .reply_realm = -1,
            .history = history_,
            .buffer = buffer_,
            .max_held = max_held_,
            .max_message_bytes = options_.max_message_bytes};
  }

  auto Descriptors() const -> std::vector<PeerFd> {
    std::vector<PeerFd> fds{{realm_.get(), realm_.get()}, {producer_bell_.fd().get(), kPeerProducerBell}};
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      fds.push_back({blocks_[i].fd().get(), kPeerControl + static_cast<int>(i)});
      fds.push_back({bells_[i].fd().get(), kPeerConsumerBell + static_cast<int>(i)});
    }
    return fds;
  }

  static inline int next_number_ = kPeerRealm;
  Options options_;
  base::UniqueFd realm_;
  Doorbell producer_bell_;
  std::vector<ControlBlock> blocks_;
  std::vector<Doorbell> bells_;
  std::uint32_t history_ = 0;
  std::uint32_t buffer_ = 1;
  std::uint32_t max_held_ = 1;
};

inline auto PublishText(OutputPort& port, std::string_view text, base::Deadline deadline = base::Deadline::Never())
    -> base::Expected<std::uint64_t> {
  PENSTOCK_ASSIGN(auto loan, port.Borrow(text.size()));
  loan.header().kind = message::Kind::kText;
  std::memcpy(loan.bytes().data(), text.data(), text.size());
  return port.Publish(std::move(loan), deadline);
}

inline auto TextOf(const Message& message) -> std::string_view {
  return {reinterpret_cast<const char*>(message.payload().data()), message.payload().size()};
}

/// Waits at the consumer's bell for the next message; nullopt at the end of the stream.
inline auto Take(InputPort& port, Bell& bell) -> std::optional<Message> {
  for (;;) {
    if (auto message = Must(port.TryTake())) return message;
    if (port.ended()) return std::nullopt;
    WaitAt(bell, base::Deadline::Never(), 0, [&] { return port.ready() || port.ended(); });
  }
}

}  // namespace penstock::transport::testing
