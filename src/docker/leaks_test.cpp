// Thousands of calls that fail leave no descriptor and no memory behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "docker/testing/engine_calls.h"
#include "docker/testing/fake_engine.h"

namespace penstock::docker {
namespace {
using base::Deadline;
using base::ErrorCode;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

// With a sanitizer a call takes ten times as long or more, and what is leaked is known exactly: fewer calls show it.
#if defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
constexpr int kWarmUp = 100;
constexpr int kCalls = 400;
#elif defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
constexpr int kWarmUp = 300;
constexpr int kCalls = 1'500;
#else
constexpr bool kSanitized = false;
constexpr int kWarmUp = 2'000;
constexpr int kCalls = 10'000;
#endif
constexpr int kThreads = 4;
constexpr int kRound = 16;  // every so many calls is one that an engine never answers

// What may be there once more or less: connections that are kept, rooms of libcurl and of the threads that end.
constexpr std::size_t kHeapSlack = 512UL * 1024;
constexpr std::size_t kResidentSlack = 8UL * 1024 * 1024;

auto Descriptors() -> std::size_t {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// Bytes that are allocated and not given back.
auto HeapBytes() -> std::size_t {
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

auto ResidentBytes() -> std::size_t {
  ::malloc_trim(0);
  std::size_t all = 0;
  std::size_t resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// Answers every request wrongly, each in another way.
class WrongEngine final {
 public:
  auto operator()(const std::string& request, const FakeConnection& connection) -> Then {
    if (request.find("silent") != std::string::npos) {
      connection.WaitForClose();
      return Then::kClose;
    }
    const auto turn = turn_++;
    if (turn % ways_.size() == 0) return Then::kClose;
    connection.Send(ways_[turn % ways_.size()]);
    return Then::kClose;
  }

 private:
  const Strings ways_ = {"",
                         "HTTP/1.1 200 OK\r\nConte",
                         "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
                         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{",
                         "HTTP/1.1 200 OK\r\nX: " + std::string(200'000, 'x') + "\r\n\r\n",
                         WithLength({.status = 500, .body = R"({"message": "broken"})"}),
                         WithLength({.status = 500, .body = std::string(100'000, 'x')}),
                         WithLength({.body = "{\"Id\": \"a\", "}),
                         WithLength({.body = R"({"Id": ["a"], "StatusCode": {}})"}),
                         "SSH-2.0-OpenSSH_9.2\r\n\r\n"};
  std::atomic<std::size_t> turn_ = 0;
};

class Failing final {
 public:
  Failing() {
    for (const auto& call : EngineCalls()) {
      if (!call.connects) calls_.push_back(&call);
    }
  }

  auto internal_errors() const -> int { return internal_errors_; }

  void Run(int count) {
    std::vector<std::jthread> threads;
    std::atomic<int> next = 0;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (int turn = next++; turn < count; turn = next++) Fail(static_cast<std::size_t>(turn));
      });
    }
  }

 private:
  void Fail(std::size_t turn) {
    const Call soon(Deadline::In(120s));
    base::Status outcome;
    if (turn % kRound == 0) {
      outcome = engine_->Start("silent", Deadline::In(1ms));
    } else if (turn % kRound == 1) {
      if (const auto connected = Engine::Connect({.host = no_engine_.path()}, soon); !connected) {
        outcome = tl::unexpected(connected.error());
      }
    } else if (turn % kRound == 2) {
      std::stop_source stop;
      const std::jthread canceller([&] { stop.request_stop(); });
      outcome = engine_->Start("silent", {soon.deadline, stop.get_token()});
    } else {
      outcome = calls_.at(turn % calls_.size())->run(engine_.get(), {.host = fake_.path()}, soon);
    }
    if (!outcome && outcome.error().code() == ErrorCode::kInternal) {
      ++internal_errors_;
      ADD_FAILURE() << outcome.error().ToString();
    }
  }

  WrongEngine wrong_;
  FakeEngine fake_{[this](const auto& request, const auto& connection) { return wrong_(request, connection); },
                   {.keeps_requests = false}};
  FakeEngine no_engine_{[](const std::string&, const FakeConnection&) { return Then::kClose; },
                        {.negotiates = false, .keeps_requests = false}};
  std::unique_ptr<Engine> engine_ = Engine::Connect({.host = fake_.path()}, Call(Deadline::In(120s))).value();
  std::vector<const EngineCall*> calls_;
  std::atomic<int> internal_errors_ = 0;
};

TEST(FailingCalls, LeaveNoDescriptorAndNoMemory) {
  const auto descriptors = Descriptors();
  {
    Failing failing;
    failing.Run(kWarmUp);
    const auto heap = HeapBytes();
    const auto resident = ResidentBytes();
    failing.Run(kCalls - kWarmUp);
    // A sanitizer keeps freed memory back, and says itself at the end what was leaked.
    if (!kSanitized) {
      EXPECT_LE(HeapBytes(), heap + kHeapSlack);
      EXPECT_LE(ResidentBytes(), resident + kResidentSlack);
    }
    EXPECT_EQ(failing.internal_errors(), 0);
  }
  EXPECT_EQ(Descriptors(), descriptors);
}

// Not only after their engine's end.
TEST(FailingCalls, CloseTheirConnectionsWhileTheEngineLives) {
  const FakeEngine fake([](const std::string&, const FakeConnection& connection) {
    connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{");
    return Then::kClose;
  });
  const auto engine = Engine::Connect({.host = fake.path()}, Call(Deadline::In(120s))).value();
  const auto before = Descriptors();
  for (int i = 0; i < 200; ++i) EXPECT_FALSE(engine->Inspect("c1", Deadline::In(120s)));
  // Of the engine's own ends one may not be closed yet, for each of the two that are ever open at once.
  EXPECT_LE(Descriptors(), before + 2);
}

}  // namespace
}  // namespace penstock::docker
