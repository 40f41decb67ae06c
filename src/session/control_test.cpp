#include "session/control.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/paths.h"
#include "base/testing/temporary_directory.h"

namespace penstock::session {
namespace {
namespace fs = std::filesystem;
using base::Deadline;

constexpr std::chrono::seconds kWatchdog{20};

class ControlTest : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("XDG_RUNTIME_DIR", root_.c_str(), 1);
    loop_ = base::EventLoop::Create().value();
  }

  auto Serve() -> std::unique_ptr<ControlServer> {
    return ControlServer::Create(*loop_, "0190-a",
                                 {.status =
                                      [this](const ControlServer::Reply& reply) {
                                        loop_->After(status_takes_, [reply] {
                                          reply({{"v", 1}, {"type", "status"}, {"phase", "running"}});
                                        });
                                        if (on_status_) on_status_();
                                      },
                                  .stop = [this] { ++stops_; },
                                  .kill = [this] { loop_->Stop(); }})
        .value();
  }

  const base::testing::TemporaryDirectory directory_;
  const fs::path root_ = directory_.path();
  std::unique_ptr<base::EventLoop> loop_;
  std::chrono::milliseconds status_takes_{0};
  std::function<void()> on_status_;
  int stops_ = 0;
};

TEST_F(ControlTest, ASessionIsFoundAskedAndEnded) {
  auto server = Serve();
  EXPECT_EQ(LiveSessions().value(), std::vector<std::string>{"0190-a"});
  std::jthread client([] {
    const auto control = ControlClient::Connect("0190-a", Deadline::In(kWatchdog)).value();
    EXPECT_EQ(control.Ask("status", Deadline::In(kWatchdog)).value().at("phase"), "running");
    EXPECT_EQ(control.Ask("stop", Deadline::In(kWatchdog)).value().at("type"), "ok");
    EXPECT_TRUE(control.Ask("kill", Deadline::In(kWatchdog)));
    EXPECT_TRUE(control.AwaitEnd(Deadline::In(kWatchdog)));
  });
  loop_->Run();
  server.reset();
  EXPECT_EQ(stops_, 1);
  EXPECT_TRUE(LiveSessions().value().empty());
  EXPECT_TRUE(fs::is_empty(root_ / "penstock" / "s"));
}

TEST_F(ControlTest, AnAnswerThatFitsIntoNoPacketArrivesWhole) {
  const std::string much(3 * base::PacketSocket::kMaxPacketBytes, 'x');
  const auto server =
      ControlServer::Create(
          *loop_, "0190-a",
          {.status = [&](const ControlServer::Reply& reply) { reply({{"v", 1}, {"type", "status"}, {"nodes", much}}); },
           .stop = [] {},
           .kill = [this] { loop_->Stop(); }})
          .value();
  std::jthread client([&] {
    const auto control = ControlClient::Connect("0190-a", Deadline::In(kWatchdog)).value();
    const auto answer = control.Ask("status", Deadline::In(kWatchdog));
    EXPECT_TRUE(answer && answer->at("nodes") == much);
    EXPECT_TRUE(control.Ask("kill", Deadline::In(kWatchdog)));
  });
  loop_->Run();
}

TEST_F(ControlTest, AnAnswerToWhoHasGoneIsLeftOut) {
  status_takes_ = std::chrono::milliseconds(50);
  const auto server = Serve();
  std::promise<void> asked;
  on_status_ = [&] {
    on_status_ = {};
    asked.set_value();
  };
  std::jthread client([&asked] {
    {
      const auto path = base::RuntimeDirectory().value() / "s" / "0190-a" / "control.sock";
      const auto socket = base::PacketSocket::Connect(path.string(), Deadline::In(kWatchdog)).value();
      EXPECT_TRUE(socket.Send(R"({"v":1,"type":"status"})"));
      asked.get_future().wait();
    }
    // On the same descriptor of the server, which must not take the first one's answer for its own.
    const auto control = ControlClient::Connect("0190-a", Deadline::In(kWatchdog)).value();
    EXPECT_EQ(control.Ask("stop", Deadline::In(kWatchdog)).value().at("type"), "ok");
    EXPECT_EQ(control.Ask("status", Deadline::In(kWatchdog)).value().at("phase"), "running");
    EXPECT_TRUE(control.Ask("kill", Deadline::In(kWatchdog)));
  });
  loop_->Run();
}

TEST_F(ControlTest, NonsenseEndsTheConnectionOnly) {
  const auto server = Serve();
  std::jthread client([] {
    for (const auto* packet : {"{", "[]", R"({"v":"1","type":"stop"})", R"({"v":1,"type":5})", R"({"v":2})"}) {
      const auto path = base::RuntimeDirectory().value() / "s" / "0190-a" / "control.sock";
      const auto socket = base::PacketSocket::Connect(path.string(), Deadline::In(kWatchdog)).value();
      EXPECT_TRUE(socket.Send(packet));
      EXPECT_FALSE(socket.Receive(Deadline::In(kWatchdog)));
    }
    for (const auto* type : {"", "reboot"}) {
      const auto control = ControlClient::Connect("0190-a", Deadline::In(kWatchdog)).value();
      EXPECT_FALSE(control.Ask(type, Deadline::In(kWatchdog)));
    }
    const auto control = ControlClient::Connect("0190-a", Deadline::In(kWatchdog)).value();
    EXPECT_TRUE(control.Ask("kill", Deadline::In(kWatchdog)));
  });
  loop_->Run();
}

TEST_F(ControlTest, WhatAKilledRuntimeLeftIsNoLiveSession) {
  const auto child = ::fork();
  if (child == 0) {
    const auto server = Serve();
    ::kill(::getpid(), SIGKILL);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(LiveSessions().value().empty());
  EXPECT_FALSE(fs::exists(root_ / "penstock" / "s" / "0190-a"));
}

}  // namespace
}  // namespace penstock::session
