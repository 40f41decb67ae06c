// The other process of the tests: obeys one command a line on standard input, answers one line each on standard output.
// Its descriptors are those of test_peer.h. It is killed at any point; only `exit` closes its ports.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

#include "transport/test_peer.h"
#include "transport/test_pipeline.h"

namespace penstock::transport::testing {
namespace {

// A copy: the arranged descriptors stay where they are for further ports.
auto MapFd(int number) -> base::UniqueFd { return base::UniqueFd(::fcntl(number, F_DUPFD_CLOEXEC, 0)); }

class PeerMain {
 public:
  explicit PeerMain(const PeerShape& shape) : shape_(shape), own_bell_(Must(Doorbell::Map(MapFd(kPeerProducerBell)))) {}

  void Run() {
    std::string line;
    while (std::getline(std::cin, line)) {
      std::string answer;
      try {
        answer = Obey(line);
      } catch (const std::exception& error) {
        answer = std::string("error ") + error.what();
      }
      std::cout << answer << std::endl;
      if (line == "exit") return;
    }
  }

 private:
  auto Obey(const std::string& line) -> std::string {
    std::istringstream words(line);
    std::string verb;
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    words >> verb >> first >> second;
    if (verb == "output") return OpenOutput(first);
    if (verb == "input") return OpenInput(first);
    if (verb == "publish") return Publish(first, second);
    if (verb == "start") return Start(first, second);
    if (verb == "join") return Join();
    if (verb == "refresh") return Done([&] { Must(output_->Refresh()); });
    if (verb == "close") return Done([&] { output_->Close(); });
    if (verb == "drain") return Done([&] { Must(output_->Drain(base::Deadline::Never())); });
    if (verb == "take") return TakeOne();
    if (verb == "hold") return Hold();
    if (verb == "ack") return Done([&] { input_->Acknowledge(first); });
    if (verb == "consume") return Consume(first);
    if (verb == "loan") return LoanPlace(first);
    if (verb == "reply") return OpenReply();
    if (verb == "echo") return Echo(first != 0);
    if (verb == "pid") return std::to_string(::getpid());
    if (verb == "exit") return Done([&] { Leave(); });
    if (verb.empty()) return "ok";
    throw std::runtime_error("unknown command " + line);
  }

  template <class Do>
  static auto Done(Do&& what) -> std::string {
    what();
    return "ok";
  }

  auto OutputOptions(int realm, std::uint64_t epoch) const -> OutputPortOptions {
    return {.service = kPeerService,
            .realm_number = realm,
            .max_message_bytes = shape_.max_message_bytes,
            .history = shape_.history,
            .buffer = shape_.buffer,
            .max_held = shape_.max_held,
            .epoch = static_cast<std::uint32_t>(epoch),
            .edges = {}};
  }

  auto OpenOutput(std::uint64_t epoch) -> std::string {
    auto options = OutputOptions(shape_.realm, epoch);
    for (int i = 0; i < shape_.edges; ++i) {
      options.edges.push_back({.id = TestPipeline::EdgeId(static_cast<std::size_t>(i)),
                               .control = Must(ControlBlock::Map(MapFd(kPeerControl + i))),
                               .consumer = Must(Doorbell::Map(MapFd(kPeerConsumerBell + i)))});
    }
    output_ = Must(OutputPort::Open(std::move(options), own_bell_));
    next_ = Must(ControlBlock::Map(MapFd(kPeerControl)))->reserved.load();
    return "ok " + std::to_string(next_);
  }

  auto OpenReply() -> std::string {
    reply_bell_.emplace(Must(Doorbell::Map(MapFd(kPeerReplyProducerBell))));
    auto options = OutputOptions(shape_.reply_realm, 0);
    options.edges.push_back({.id = "echo",
                             .control = Must(ControlBlock::Map(MapFd(kPeerReplyControl))),
                             .consumer = Must(Doorbell::Map(MapFd(kPeerReplyConsumerBell)))});
    output_ = Must(OutputPort::Open(std::move(options), *reply_bell_));
    return "ok";
  }

  // Answers every message with one of its size, until the stream ends or somebody kills it.
  auto Echo(bool copy) -> std::string {
    while (auto message = Take(*input_, bell_->arrivals())) {
      auto loan = Must(output_->Borrow(message->payload().size()));
      if (copy) std::memcpy(loan.bytes().data(), message->payload().data(), message->payload().size());
      input_->Acknowledge(message->header().sequence);
      Must(output_->Publish(std::move(loan), base::Deadline::Never()));
    }
    return "ok";
  }

  auto OpenInput(std::uint64_t edge) -> std::string {
    bell_.emplace(Must(Doorbell::Map(MapFd(kPeerConsumerBell + static_cast<int>(edge)))));
    input_ = Must(InputPort::Open({.id = TestPipeline::EdgeId(edge),
                                   .service = kPeerService,
                                   .realm_number = shape_.realm,
                                   .history = shape_.history,
                                   .buffer = shape_.buffer,
                                   .max_held = shape_.max_held,
                                   .max_message_bytes = shape_.max_message_bytes,
                                   .control = Must(ControlBlock::Map(MapFd(kPeerControl + static_cast<int>(edge)))),
                                   .producer = Must(Doorbell::Map(MapFd(kPeerProducerBell)))}));
    return "ok";
  }

  auto Publish(std::uint64_t count, std::uint64_t bytes) -> std::string {
    for (std::uint64_t i = 0; i < count; ++i) {
      auto loan = Must(output_->Borrow(bytes));
      FillPattern(loan.bytes(), next_);
      next_ = Must(output_->Publish(std::move(loan), base::Deadline::Never())) + 1;
    }
    return "ok " + std::to_string(next_);
  }

  auto Start(std::uint64_t count, std::uint64_t bytes) -> std::string {
    thread_ = std::jthread([this, count, bytes] { published_ = Publish(count, bytes); });
    return "ok";
  }

  auto Join() -> std::string {
    thread_.join();
    return published_;
  }

  static auto Describe(const Message& message) -> std::string {
    const auto& header = message.header();
    const bool intact = HasPattern(message.payload(), header.sequence);
    return "message " + std::to_string(header.sequence) + " " + std::to_string(message.payload().size()) + " " +
           (intact ? "intact" : "corrupt") + (message.redelivered() ? " again" : " first") + " epoch " +
           std::to_string(header.epoch);
  }

  auto TakeOne() -> std::string {
    const auto message = Take(*input_, bell_->arrivals());
    if (!message) return "end";
    return Describe(*message);
  }

  // Takes a message, keeps it, and says where it lies.
  auto Hold() -> std::string {
    held_ = Take(*input_, bell_->arrivals());
    return PlaceOf(held_->payload().data());
  }

  auto LoanPlace(std::uint64_t bytes) -> std::string {
    auto loan = Must(output_->Borrow(bytes));
    FillPattern(loan.bytes(), next_);
    auto place = PlaceOf(loan.bytes().data());
    next_ = Must(output_->Publish(std::move(loan), base::Deadline::Never())) + 1;
    return place;
  }

  // Takes and acknowledges up to `count` messages, or to the end of the stream; a line for each.
  auto Consume(std::uint64_t count) -> std::string {
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto message = Take(*input_, bell_->arrivals());
      if (!message) return "end";
      std::cout << Describe(*message) << std::endl;
      input_->Acknowledge(message->header().sequence);
    }
    return "ok";
  }

  void Leave() {
    held_.reset();
    input_.reset();
    output_.reset();
  }

  PeerShape shape_;
  Doorbell own_bell_;
  std::optional<Doorbell> bell_;
  std::optional<Doorbell> reply_bell_;
  std::unique_ptr<OutputPort> output_;
  std::unique_ptr<InputPort> input_;
  std::optional<Message> held_;
  std::uint64_t next_ = 0;
  std::string published_;
  std::jthread thread_;
};

}  // namespace
}  // namespace penstock::transport::testing

auto main(int count, char** arguments) -> int {
  using namespace penstock::transport::testing;
  ::alarm(200);  // an orphan of a failed test ends by itself
  if (count != 2) return 2;
  PeerMain(PeerShape::Parse(arguments[1])).Run();
  return 0;
}
