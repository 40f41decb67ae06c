#include "nodes/memory_requests.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <vector>

namespace penstock::nodes {
namespace {
using base::Deadline;
using base::ErrorCode;

// The runtime's part is played by `answer`, called on a thread of its own for each request, as the wire thread would
// be.
class MemoryRequestsTest : public testing::Test {
 protected:
  void SetUp() override {
    ::alarm(60);
    requests_.SpeakThrough([this](const worker::Grow& request) -> base::Status {
      said_.push_back(request);
      if (answer_) wires_.emplace_back([this, request] { answer_(request); });
      return {};
    });
  }
  void TearDown() override {
    wires_.clear();
    ::alarm(0);
  }

  auto Grow(std::uint64_t bytes, Deadline deadline = Deadline::Never()) {
    return requests_.of(1).Grow(3, bytes, deadline);
  }
  void Grant(const worker::Grow& request, std::uint64_t every, std::uint64_t chunk) {
    requests_.OnGrown({.id = request.id, .output = request.output, .every = every, .chunk = chunk});
  }

  int waits_ = 0;
  MemoryRequests requests_{2, [this](const std::function<void()>& wait) {
                             ++waits_;
                             wait();
                           }};
  std::vector<worker::Grow> said_;
  std::function<void(const worker::Grow&)> answer_;
  std::vector<std::jthread> wires_;
};

TEST_F(MemoryRequestsTest, WhatWasPreparedIsNotAskedFor) {
  requests_.OnGrown({.id = 0, .output = 1, .every = 4096, .chunk = 4096});
  EXPECT_EQ(Grow(4096).value().every, 4096U);
  EXPECT_TRUE(said_.empty());
  EXPECT_EQ(waits_, 0);
}

TEST_F(MemoryRequestsTest, AnAnswerEndsTheWait) {
  answer_ = [this](const worker::Grow& request) { Grant(request, 4096, 9000); };
  const auto grant = Grow(9000).value();
  EXPECT_EQ(grant.every, 4096U);
  EXPECT_EQ(grant.chunk, 9000U);
  EXPECT_EQ(waits_, 1);
  ASSERT_EQ(said_.size(), 1U);
  EXPECT_EQ(said_[0].id, 1U);
  EXPECT_EQ(said_[0].output, 1U);
  EXPECT_EQ(said_[0].chunk, 3U);
  EXPECT_EQ(said_[0].bytes, 9000U);
}

TEST_F(MemoryRequestsTest, ARefusalIsATypedError) {
  answer_ = [this](const worker::Grow& request) { requests_.OnRefused({.id = request.id, .message = "nothing left"}); };
  const auto refused = Grow(9000);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kOverQuota);
  EXPECT_EQ(refused.error().message(), "nothing left");
}

TEST_F(MemoryRequestsTest, ADeadlineEndsTheWaitAndTheNextRequestComesAfterTheLateAnswer) {
  const auto late = Grow(9000, Deadline::In(std::chrono::milliseconds(1)));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), ErrorCode::kDeadline);
  // Nothing is asked as long as the first request is not answered.
  EXPECT_EQ(Grow(10'000, Deadline::In(std::chrono::milliseconds(1))).error().code(), ErrorCode::kDeadline);
  ASSERT_EQ(said_.size(), 1U);
  Grant(said_[0], 9000, 9000);
  EXPECT_EQ(Grow(9000).value().every, 9000U);  // what it granted counts
  answer_ = [this](const worker::Grow& request) { Grant(request, 12'000, 12'000); };
  EXPECT_EQ(Grow(10'000).value().every, 12'000U);
  EXPECT_EQ(said_.size(), 2U);
}

TEST_F(MemoryRequestsTest, AnswersToOtherRequestsEndNoWait) {
  answer_ = [this](const worker::Grow& request) {
    requests_.OnRefused({.id = request.id + 7, .message = "of somebody else"});
    requests_.OnGrown({.id = request.id, .output = 200, .every = 1, .chunk = 1});  // an output that is not there
    Grant(request, 9000, 9000);
  };
  EXPECT_EQ(Grow(9000).value().every, 9000U);
}

TEST_F(MemoryRequestsTest, AnInterruptEndsThisWaitAndAllLaterOnes) {
  answer_ = [this](const worker::Grow&) { requests_.Interrupt(); };
  EXPECT_EQ(Grow(9000).error().code(), ErrorCode::kCancelled);
  EXPECT_EQ(Grow(9000).error().code(), ErrorCode::kCancelled);
}

}  // namespace
}  // namespace penstock::nodes
