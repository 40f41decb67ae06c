#include "base/packet_socket.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mapping.h"

namespace penstock::base {
namespace {
using namespace std::chrono_literals;

TEST(PacketSocket, KeepsPacketBoundariesAndDescriptors) {
  auto [here, there] = PacketSocket::Pair().value();
  const auto memory = CreateSealedMemfd("test", 4096).value();
  ASSERT_TRUE(here.Send("first", std::array{memory.get(), memory.get()}));
  ASSERT_TRUE(here.Send("second"));
  const auto first = there.Receive(Deadline::In(5s)).value();
  EXPECT_EQ(first.data, "first");
  ASSERT_EQ(first.fds.size(), 2U);
  EXPECT_TRUE(HasSealedSize(first.fds[1]));
  EXPECT_EQ(there.Receive(Deadline::In(5s)).value().data, "second");
}

TEST(PacketSocket, SaysThatThereAreNoNumbersForItsDescriptors) {
  auto [here, there] = PacketSocket::Pair().value();
  const auto memory = CreateSealedMemfd("test", 4096).value();
  ASSERT_TRUE(here.Send("first", std::array{memory.get(), memory.get()}));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const UniqueFd next(::dup(memory.get()));  // the lowest number: room for one more
  rlimit tight{.rlim_cur = static_cast<rlim_t>(next.get()) + 2, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  const auto received = there.Receive(Deadline::In(5s));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(received);
  EXPECT_EQ(received.error().code(), ErrorCode::kExhausted);
}

TEST(PacketSocket, CarriesThePacketOfTheLargestSize) {
  auto [here, there] = PacketSocket::Pair().value();
  ASSERT_TRUE(here.Send(std::string(PacketSocket::kMaxPacketBytes, 'x')));
  EXPECT_EQ(there.Receive(Deadline::In(5s)).value().data.size(), PacketSocket::kMaxPacketBytes);
  EXPECT_EQ(here.Send(std::string(PacketSocket::kMaxPacketBytes + 1, 'x')).error().code(), ErrorCode::kInvalidArgument);
}

TEST(PacketSocket, ReportsAClosedPeerAndAPassedDeadlineApart) {
  auto [here, there] = PacketSocket::Pair().value();
  EXPECT_EQ(here.Receive(Deadline::In(0ns)).error().code(), ErrorCode::kDeadline);
  there.Close();
  EXPECT_EQ(here.Receive(Deadline::Never()).error().code(), ErrorCode::kPeerGone);
  EXPECT_EQ(here.Send("x").error().code(), ErrorCode::kPeerGone);
}

TEST(PacketSocket, TellsWhoIsAtTheOtherEnd) {
  const auto pair = PacketSocket::Pair().value();
  EXPECT_EQ(pair.first.Credentials().value().pid, ::getpid());
  EXPECT_EQ(pair.first.Credentials().value().uid, ::getuid());
}

}  // namespace
}  // namespace penstock::base
