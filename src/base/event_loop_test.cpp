#include "base/event_loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>

#include <thread>

#include "base/packet_socket.h"

namespace penstock::base {
namespace {
using namespace std::chrono_literals;

TEST(EventLoop, RunsTimersInOrderOfTheirTime) {
  auto loop = EventLoop::Create().value();
  std::string order;
  loop->After(2ms, [&] { order += 'b'; });
  loop->After(1ms, [&] { order += 'a'; });
  const auto cancelled = loop->After(1ms, [&] { order += 'x'; });
  loop->After(3ms, [&] { loop->Stop(); });
  loop->Cancel(cancelled);
  loop->Run();
  EXPECT_EQ(order, "ab");
}

TEST(EventLoop, CallsTheHandlerOfAReadableDescriptorUntilUnwatched) {
  auto loop = EventLoop::Create().value();
  auto [here, there] = PacketSocket::Pair().value();
  int calls = 0;
  ASSERT_TRUE(loop->Watch(here.fd().get(), EPOLLIN, [&, socket = &here](std::uint32_t) {
    EXPECT_TRUE(socket->Receive(Deadline::In(0ns)));
    if (++calls < 2) return;
    loop->Unwatch(socket->fd().get());
    loop->Stop();
  }));
  ASSERT_TRUE(there.Send("1"));
  ASSERT_TRUE(there.Send("2"));
  ASSERT_TRUE(there.Send("3"));
  loop->Run();
  EXPECT_EQ(calls, 2);
}

TEST(EventLoop, PostedWorkFromAnotherThreadRunsOnTheLoop) {
  auto loop = EventLoop::Create().value();
  std::thread::id ran_on;
  const std::jthread other([&] {
    loop->Post([&] {
      ran_on = std::this_thread::get_id();
      loop->Stop();
    });
  });
  loop->Run();
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

}  // namespace
}  // namespace penstock::base
