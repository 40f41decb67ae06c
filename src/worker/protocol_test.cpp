#include "worker/protocol.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <random>

#include "base/mapping.h"

namespace penstock::worker {
namespace {
using base::Deadline;
using base::ErrorCode;
using base::PacketSocket;
using testing::HasSubstr;

// A random message of every kind; descriptors are all `fd`.
class Random {
 public:
  Random(std::uint64_t seed, int fd) : engine_(seed), fd_(fd) {}

  auto Below(std::uint64_t limit) -> std::uint64_t {
    return std::uniform_int_distribution<std::uint64_t>(0, limit - 1)(engine_);
  }
  auto Small() -> std::uint32_t { return static_cast<std::uint32_t>(Below(1U << 31U)); }
  auto Signed() -> int { return static_cast<int>(Small()); }
  auto Large() -> std::uint64_t { return engine_(); }
  auto Text() -> std::string {
    static const std::vector<std::string> kPieces{"a", "Z", "\"", "\\", "\n", "é", "漢", "\x01", "/", "{", "->", " "};
    std::string text;
    for (auto left = Below(12); left > 0; --left) text += kPieces[Below(kPieces.size())];
    return text;
  }
  auto Texts() -> std::vector<std::string> {
    std::vector<std::string> texts(Below(4));
    for (auto& text : texts) text = Text();
    return texts;
  }
  auto Map() -> std::map<std::string, std::string> {
    std::map<std::string, std::string> map;
    for (auto left = Below(4); left > 0; --left) map[Text()] = Text();
    return map;
  }
  auto Edge() -> EdgeHandle { return {.edge = Text(), .control = fd_, .bell = fd_}; }

  auto Configuration() -> Configure {
    Configure configure{.session = Text(),
                        .node = Text(),
                        .node_type = Text(),
                        .params_json = R"({"a":[1,2.5,"x"],"b":{"c":null}})",
                        .modules = Texts(),
                        .code = Text(),
                        .attempt = Small(),
                        .measure_cpu = Below(2) == 1,
                        .bell = fd_,
                        .realms = {},
                        .outputs = {},
                        .inputs = {}};
    for (auto left = Below(4); left > 0; --left) configure.realms.push_back({.number = Signed(), .fd = fd_});
    for (auto left = Below(4); left > 0; --left) {
      OutputSpec output{.port = Text(),
                        .service = Text(),
                        .realm = Signed(),
                        .max_message_bytes = Large(),
                        .history = Small(),
                        .buffer = Small(),
                        .max_held = Small(),
                        .epoch = Small(),
                        .edges = {}};
      for (auto edges = Below(3); edges > 0; --edges) output.edges.push_back(Edge());
      configure.outputs.push_back(output);
    }
    for (auto left = Below(4); left > 0; --left) {
      configure.inputs.push_back({.port = Text(),
                                  .edge = Edge(),
                                  .service = Text(),
                                  .realm = Signed(),
                                  .max_message_bytes = Large(),
                                  .history = Small(),
                                  .buffer = Small(),
                                  .max_held = Small()});
    }
    if (Below(2) == 0)
      configure.quarantine =
          Quarantine{.input = static_cast<std::uint32_t>(Below(9)), .sequence = Below(99), .fd = fd_};
    if (Below(2) == 0) configure.join_tolerance_ns = static_cast<std::int64_t>(Below(1'000'000'000));
    if (Below(2) == 0) configure.restart = Restartable{.state = fd_};
    return configure;
  }

  auto ForWorker() -> ToWorker {
    switch (Below(8)) {
      case 0:
        return OpenInputs{};
      case 1:
        return Connect{};
      case 2:
        return Start{};
      case 3:
        return Stop{};
      case 4:
        return Peer{.edge = Text(), .state = Below(2) == 0 ? Peer::State::kAttached : Peer::State::kGone};
      case 5:
        return Grown{.id = Large(), .output = Small(), .every = Large(), .chunk = Large()};
      case 6:
        return Refused{.id = Large(), .message = Text()};
      default:
        return Configuration();
    }
  }
  auto OfWorker() -> FromWorker {
    switch (Below(8)) {
      case 0:
        return Hello{.pid = Signed(), .language = Text(), .version = Text(), .sdk = Text(), .executable = Text()};
      case 1: {
        OutputsOpen opened;
        for (auto left = Below(4); left > 0; --left) {
          opened.segments.push_back(
              {.fd = fd_, .first = Large(), .stride = Large(), .header_bytes = Large(), .chunks = Small()});
        }
        return opened;
      }
      case 2:
        return InputsOpen{};
      case 3:
        return Connected{};
      case 4:
        return Ready{.inputs = Map(), .outputs = Map()};
      case 5:
        return Finished{};
      case 6:
        return Grow{.id = Large(), .output = Small(), .chunk = Small(), .bytes = Large()};
      default: {
        Failed failed{
            .phase = Text(), .error = Text(), .message = Text(), .traceback = Text(), .edge = {}, .sequence = {}};
        if (Below(2) == 0) failed.edge = Text();
        if (Below(2) == 0) failed.sequence = Large();
        return failed;
      }
    }
  }
  auto ForAgent() -> ToAgent {
    switch (Below(3)) {
      case 0:
        return Lease{.session = Text(),
                     .keep_warm_ms = static_cast<std::int64_t>(Below(1'000'000)),
                     .max_sessions = static_cast<std::uint32_t>(1 + Below(100))};
      case 1:
        return Kill{.id = Large(), .signal = Signed()};
      default: {
        Spawn spawn{.id = Large(), .argv = Texts(), .env = Map(), .cwd = Text(), .targets = {}, .fds = {}};
        if (Below(2) == 0) spawn.share = Text();
        for (auto left = Below(5); left > 0; --left) {
          spawn.targets.push_back(Signed());
          spawn.fds.push_back(fd_);
        }
        return spawn;
      }
    }
  }
  auto OfAgent() -> FromAgent {
    switch (Below(4)) {
      case 0:
        return Granted{.agent = Text(),
                       .pid = Signed(),
                       .uid = Small(),
                       .architecture = Text(),
                       .glibc = Text(),
                       .landlock = Signed()};
      case 1:
        return Spawned{.id = Large(), .pid = Signed()};
      case 2:
        return SpawnFailed{.id = Large(), .error = Text(), .saved_errno = Signed()};
      default: {
        Exited exited{.id = Large(),
                      .code = {},
                      .signal = {},
                      .core = Below(2) == 0,
                      .user_ms = Signed(),
                      .system_ms = Signed(),
                      .max_rss_kb = Signed(),
                      .full = {}};
        for (auto left = Below(3); left > 0; --left) exited.full.push_back({.path = Text(), .bytes = Large()});
        (Below(2) == 0 ? exited.code : exited.signal) = Signed();
        if (Below(2) == 0) exited.others = Small();
        exited.keeps = Below(2) == 0;
        if (Below(2) == 0) exited.beside = Small();
        return exited;
      }
    }
  }

  // Flips, cuts, inserts or repeats at a few places.
  auto Mutated(std::string text) -> std::string {
    for (auto left = 1 + Below(4); left > 0 && !text.empty(); --left) {
      const auto at = Below(text.size());
      switch (Below(5)) {
        case 0:
          text[at] = static_cast<char>(Below(256));
          break;
        case 1:
          text.erase(at, 1 + Below(20));
          break;
        case 2:
          text.insert(at, std::string(1 + Below(3), static_cast<char>(Below(256))));
          break;
        case 3:
          text.insert(at, text.substr(Below(text.size()), Below(30)));
          break;
        default:
          text.resize(at);
          break;
      }
    }
    return text;
  }

 private:
  std::mt19937_64 engine_;
  int fd_;
};

class Protocol : public testing::Test {
 protected:
  template <class Message>
  auto Sent(const Message& message, int fd = -1) -> base::Packet {
    if constexpr (std::is_same_v<Message, FromAgent>) {
      EXPECT_TRUE(Send(here_, message, fd));
    } else {
      EXPECT_TRUE(Send(here_, message));
    }
    return there_.Receive(Deadline::Never()).value();
  }
  auto SentRaw(const std::string& text, std::size_t fd_count = 0) -> base::Packet {
    base::Packet packet{.data = text, .fds = {}};
    for (std::size_t i = 0; i < fd_count; ++i) packet.fds.push_back(memory_.Duplicate().value());
    return packet;
  }

  base::UniqueFd memory_ = base::CreateSealedMemfd("test", 4096).value();
  std::pair<PacketSocket, PacketSocket> pair_ = PacketSocket::Pair().value();
  PacketSocket& here_ = pair_.first;
  PacketSocket& there_ = pair_.second;
};

// What is sent equals what is received when packing the received message again gives the same packet.
TEST_F(Protocol, RandomMessagesSurviveTheWireUnchanged) {
  Random random(1, memory_.get());
  for (int i = 0; i < 500; ++i) {
    auto received = ParseToWorker(Sent(ToWorker(random.ForWorker())));
    ASSERT_TRUE(received) << received.error().ToString();
    auto worker_again = ParseFromWorker(Sent(random.OfWorker()));
    ASSERT_TRUE(worker_again) << worker_again.error().ToString();
    if (auto* opened = std::get_if<OutputsOpen>(&worker_again->message)) {
      for (auto& segment : opened->segments)
        segment.fd = worker_again->fds.at(static_cast<std::size_t>(segment.fd)).get();
    }
    const auto first = Sent(worker_again->message).data;
    EXPECT_EQ(Sent(ParseFromWorker(SentRaw(first, worker_again->fds.size())).value().message).data, first);

    const auto from_agent = random.OfAgent();
    const int attached = std::holds_alternative<Spawned>(from_agent) ? memory_.get() : -1;
    auto packet = Sent(from_agent, attached);
    const auto agent_first = packet.data;
    auto agent_again = ParseFromAgent(std::move(packet));
    ASSERT_TRUE(agent_again) << agent_again.error().ToString();
    EXPECT_EQ(Sent(agent_again->message, attached).data, agent_first);

    auto to_agent_packet = Sent(random.ForAgent());
    const auto to_agent_first = to_agent_packet.data;
    auto to_agent = ParseToAgent(std::move(to_agent_packet));
    ASSERT_TRUE(to_agent) << to_agent.error().ToString();
    if (auto* spawn = std::get_if<Spawn>(&to_agent->message)) {
      for (const auto& fd : to_agent->fds) spawn->fds.push_back(fd.get());
    }
    EXPECT_EQ(Sent(to_agent->message).data, to_agent_first);
  }
}

TEST_F(Protocol, AConfigurationArrivesWithEachDescriptorInItsPlace) {
  Random random(2, memory_.get());
  for (int i = 0; i < 200; ++i) {
    const auto sent = random.Configuration();
    auto received = ParseToWorker(Sent(ToWorker(sent)));
    ASSERT_TRUE(received) << received.error().ToString();
    auto& configure = std::get<Configure>(received->message);
    // Given real descriptors again in place of the indices, it packs to the same bytes.
    const auto real = [&](int& index) { index = received->fds.at(static_cast<std::size_t>(index)).get(); };
    real(configure.bell);
    for (auto& realm : configure.realms) real(realm.fd);
    for (auto& output : configure.outputs) {
      for (auto& edge : output.edges) real(edge.control), real(edge.bell);
    }
    for (auto& input : configure.inputs) real(input.edge.control), real(input.edge.bell);
    if (configure.quarantine) real(configure.quarantine->fd);
    if (configure.restart) real(configure.restart->state);
    EXPECT_EQ(Sent(ToWorker(configure)).data, Sent(ToWorker(sent)).data);
  }
}

TEST_F(Protocol, MutatedPacketsAreRefusedOrUnderstoodButNeverCrash) {
  Random random(3, memory_.get());
  int refused = 0;
  const auto check = [&](const auto& received) {
    if (received) return;
    ++refused;
    EXPECT_EQ(received.error().code(), ErrorCode::kPeerCorrupt);
    EXPECT_FALSE(received.error().message().empty());
  };
  for (int i = 0; i < 3000; ++i) {
    auto to_worker = Sent(random.ForWorker());
    auto to_agent = Sent(random.ForAgent());
    auto from_worker = Sent(random.OfWorker());
    auto from_agent = Sent(random.OfAgent(), memory_.get());
    for (auto* packet : {&to_worker, &to_agent, &from_worker, &from_agent}) packet->data = random.Mutated(packet->data);
    check(ParseToWorker(std::move(to_worker)));
    check(ParseToAgent(std::move(to_agent)));
    check(ParseFromWorker(std::move(from_worker)));
    check(ParseFromAgent(std::move(from_agent)));
  }
  EXPECT_GT(refused, 6000);
}

TEST_F(Protocol, RefusalsSayWhatIsWrong) {
  const auto refusal = [&](const std::string& text, std::size_t fds = 0) {
    return ParseToAgent(SentRaw(text, fds)).error().message();
  };
  EXPECT_THAT(refusal("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal("{"), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal(R"({"type":"lease"})"), HasSubstr("'v' is missing"));
  EXPECT_THAT(refusal(R"({"v":2,"type":"lease","session":"s"})"), HasSubstr("version is 2, this side speaks 1"));
  EXPECT_THAT(refusal(R"({"v":1,"type":"dance"})"), HasSubstr("'dance' packet is malformed: its type is unknown"));
  EXPECT_THAT(refusal(R"({"v":1,"type":""})"), HasSubstr("type is unknown"));
  EXPECT_THAT(refusal(R"({"v":1,"type":"lease"})"), HasSubstr("'session' is missing"));
  EXPECT_THAT(refusal(R"({"v":1,"type":"lease","session":3})"), HasSubstr("'session' is not a string"));
  EXPECT_THAT(refusal(R"({"v":1,"type":"kill","id":-1})"), HasSubstr("'id' is not a whole number in range"));
  EXPECT_THAT(refusal(R"({"v":1,"type":"kill","id":1.0})"), HasSubstr("'id' is not a whole number in range"));
  EXPECT_THAT(refusal(R"({"v":1,"type":"spawn","id":1,"argv":["x"],"env":{},"cwd":"/","targets":[1,2]})", 1),
              HasSubstr("1 descriptors instead of 2"));
  EXPECT_THAT(refusal(std::string(100'000, '[')), HasSubstr("nested deeper"));
}

TEST_F(Protocol, ADescriptorCanBeNeitherMissingNorUsedTwice) {
  const auto refusal = [&](const std::string& realms) {
    const auto text =
        R"({"v":1,"type":"configure","session":"s","node":"n","node_type":"t","params":{},"modules":[],"code":"","attempt":0,)"
        R"("measure_cpu":false,"bell":0,"outputs":[],"inputs":[],"realms":)" +
        realms + "}";
    return ParseToWorker(SentRaw(text, 2)).error().message();
  };
  EXPECT_THAT(refusal(R"([{"number":600,"fd":2}])"), HasSubstr("'realms[0].fd' names descriptor 2 of 2"));
  EXPECT_THAT(refusal(R"([{"number":600,"fd":1},{"number":601,"fd":1}])"),
              HasSubstr("'realms[1].fd' names descriptor 1, which is used already"));
  EXPECT_THAT(refusal(R"([{"number":600}])"), HasSubstr("'realms[0].fd' is missing"));
  EXPECT_THAT(Send(here_, ToWorker(Configure{})).error().message(), HasSubstr("doorbell has no descriptor"));
}

TEST_F(Protocol, UnknownKeysAreIgnoredSoThatANewerPeerCanSayMore) {
  EXPECT_TRUE(ParseToAgent(SentRaw(R"({"v":1,"type":"kill","id":7,"why":"because"})")));
}

TEST_F(Protocol, AnEndlessTracebackOfAnyBytesStillFitsAPacket) {
  const Failed failed{.phase = "process",
                      .error = std::string(1'000'000, '\x01'),
                      .message = std::string(1'000'000, '\x02'),
                      .traceback = std::string(1'000'000, '\xff') + "last line",
                      .edge = {},
                      .sequence = {}};
  const auto received = ParseFromWorker(Sent(FromWorker(failed)));
  ASSERT_TRUE(received) << received.error().ToString();
  EXPECT_THAT(std::get<Failed>(received->message).traceback, testing::EndsWith("last line"));
}

TEST_F(Protocol, ASharedProcessIsToldWhoComesAndGoes) {
  ASSERT_TRUE(Send(here_, ToHosted(Join{.number = 7}), {memory_.get(), memory_.get()}));
  const auto join = there_.Receive(Deadline::Never()).value();
  EXPECT_EQ(join.data, R"({"number":7,"type":"join","v":1})");
  EXPECT_EQ(join.fds.size(), 2U);
  ASSERT_TRUE(Send(here_, ToHosted(End{.number = 7}), {}));
  EXPECT_EQ(there_.Receive(Deadline::Never()).value().data, R"({"number":7,"type":"end","v":1})");
}

TEST_F(Protocol, ASharedProcessSaysLittleAndAttachesNothing) {
  const auto parsed = [&](const std::string& text, std::size_t fds = 0) { return ParseFromHosted(SentRaw(text, fds)); };
  EXPECT_TRUE(std::get<Decided>(parsed(R"({"v":1,"type":"shared"})").value()).shared);
  EXPECT_FALSE(std::get<Decided>(parsed(R"({"v":1,"type":"own"})").value()).shared);
  const auto left = std::get<Left>(parsed(R"({"v":1,"type":"left","number":3,"code":70,"keeps":true})").value());
  EXPECT_EQ(left.number, 3U);
  EXPECT_EQ(left.code, 70);
  EXPECT_TRUE(left.keeps);
  for (const auto* text : {"", "[]", R"({"v":1,"type":"join","number":1})", R"({"v":1,"type":"left","number":3})",
                           R"({"v":1,"type":"left","number":3,"code":256,"keeps":false})",
                           R"({"v":1,"type":"left","number":3,"code":70})", R"({"v":2,"type":"own"})"}) {
    EXPECT_EQ(parsed(text).error().code(), ErrorCode::kPeerCorrupt) << text;
  }
  EXPECT_THAT(parsed(R"({"v":1,"type":"own"})", 1).error().message(), HasSubstr("1 descriptors instead of 0"));
}

TEST_F(Protocol, TheListenerTravelsWithItsPacket) {
  ASSERT_TRUE(Send(here_, Listen{}, memory_.get()));
  const auto received = ParseListen(there_.Receive(Deadline::Never()).value());
  ASSERT_TRUE(received) << received.error().ToString();
  EXPECT_TRUE(base::HasSealedSize(received->fds.at(0)));
  EXPECT_EQ(ParseListen(SentRaw(R"({"v":1,"type":"listen"})")).error().code(), ErrorCode::kPeerCorrupt);
}

}  // namespace
}  // namespace penstock::worker
