// The start of a container whose engine is lost in the middle.
#include "container/boot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <future>
#include <mutex>
#include <thread>

#include "base/packet_socket.h"
#include "base/testing/temporary_directory.h"
#include "docker/testing/fake_engine.h"
#include "worker/protocol.h"

namespace penstock::container {
namespace {
namespace fs = std::filesystem;
using base::Deadline;
using docker::FakeConnection;
using docker::Then;
using testing::HasSubstr;

constexpr std::chrono::seconds kWatchdog{60};

class BootTest : public testing::Test {
 protected:
  void SetUp() override {
    boot_ = ListenForBoot(root_ / "boot").value();
    agent_ = base::ListenPacket((root_ / "agent.sock").string(), 0600).value();
  }

  // Starts what it is asked to. Who waits for the container's end gets `answer_wait`.
  auto Engine(docker::FakeHandler answer_wait) -> std::unique_ptr<docker::Engine> {
    fake_ = std::make_unique<docker::FakeEngine>(
        [answer_wait = std::move(answer_wait)](const std::string& request, const FakeConnection& connection) {
          if (request.find("/wait") != std::string::npos) return answer_wait(request, connection);
          if (request.find("/attach") != std::string::npos) {
            connection.Send("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n");
            connection.WaitForClose();
            return Then::kClose;
          }
          connection.Answer(204, "");
          return Then::kKeepOpen;
        });
    return docker::Engine::Connect({.host = fake_->path()}, docker::Call(Deadline::In(kWatchdog))).value();
  }
  auto Start(const docker::Engine& engine) -> base::Status {
    return StartAndBoot(engine, "c0ffee", boot_, agent_, docker::Call(Deadline::In(kWatchdog)));
  }

  const base::testing::TemporaryDirectory directory_;
  const fs::path root_ = directory_.path();
  base::UniqueFd boot_;
  base::UniqueFd agent_;
  std::unique_ptr<docker::FakeEngine> fake_;
};

TEST_F(BootTest, GoesOnWhenTheEngineIsLostAndTheAgentAnswers) {
  std::promise<void> lost;
  std::once_flag once;  // the client asks a second time when a connection that it reused is closed
  const auto engine = Engine([&](const std::string&, const FakeConnection&) {
    std::call_once(once, [&] { lost.set_value(); });
    return Then::kClose;
  });
  const std::jthread agent([&] {
    lost.get_future().wait();
    const auto socket = base::PacketSocket::Connect(root_ / "boot" / kBootSocket, Deadline::In(kWatchdog)).value();
    EXPECT_TRUE(worker::ParseListen(socket.Receive(Deadline::In(kWatchdog)).value()));
  });
  const auto started = Start(*engine);
  EXPECT_TRUE(started) << started.error().ToString();
}

TEST_F(BootTest, SaysThatTheEngineWasLostWhenNoAgentAnswers) {
  const auto engine = Engine([](const std::string&, const FakeConnection&) { return Then::kClose; });
  const auto started = Start(*engine);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), base::ErrorCode::kPeerGone);
  EXPECT_THAT(started.error().message(), HasSubstr("closed the connection"));
}

TEST_F(BootTest, AContainerThatTheEngineDoesNotKnowAnyMoreHasEnded) {
  const auto engine = Engine([](const std::string&, const FakeConnection& connection) {
    connection.Answer(404, R"({"message": "No such container: c0ffee"})");
    return Then::kKeepOpen;
  });
  const auto started = Start(*engine);
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message(), HasSubstr("ended before its agent answered"));
}

}  // namespace
}  // namespace penstock::container
