#include "session/promises.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "base/testing/temporary_directory.h"
#include "session/control.h"

namespace penstock::session {
namespace {
namespace fs = std::filesystem;

class PromisesTest : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("XDG_RUNTIME_DIR", root_.c_str(), 1);
    loop_ = base::EventLoop::Create().value();
    server_ = ControlServer::Create(*loop_, "0190-a", {.status = {}, .stop = {}, .kill = {}}).value();
  }

  const base::testing::TemporaryDirectory directory_;
  const fs::path root_ = directory_.path();
  std::unique_ptr<base::EventLoop> loop_;
  std::unique_ptr<ControlServer> server_;
};

auto PlanOfOneContainer() -> plan::Plan {
  plan::Plan plan;
  plan.name = "talk";
  plan.nodes.resize(2);
  plan.nodes.front().id = "asr";
  plan.nodes.front().container = plan::ContainerSpec{.limits = {.memory_mb = 700, .cpu_cores = 1.5}, .rights = {}};
  return plan;
}

TEST_F(PromisesTest, AreSeenAsLongAsTheSessionIsThere) {
  ASSERT_TRUE(RunningSessions().value().empty());
  ASSERT_TRUE(WritePromises(server_->directory(), PlanOfOneContainer()));

  const auto running = RunningSessions().value();
  ASSERT_EQ(running.size(), 1U);
  EXPECT_EQ(running[0].id, "0190-a");
  EXPECT_EQ(running[0].pipeline, "talk");
  ASSERT_EQ(running[0].promises.size(), 1U);
  EXPECT_EQ(running[0].promises[0].node, "asr");
  EXPECT_EQ(running[0].promises[0].memory_mb, 700U);
  EXPECT_EQ(running[0].promises[0].cpu_cores, 1.5);
  EXPECT_FALSE(running[0].promises[0].shared_as.empty());

  server_.reset();
  EXPECT_TRUE(RunningSessions().value().empty());
  EXPECT_TRUE(fs::is_empty(root_ / "penstock" / "s"));
}

TEST_F(PromisesTest, ThatCannotBeReadHoldNothing) {
  for (const auto* text : {"", "[", "[]", R"({"containers": 1})", R"({"containers": [1, {"memory_mb": "many"}]})"}) {
    std::ofstream(server_->directory() / "promises.json") << text;
    const auto running = RunningSessions().value();
    for (const auto& session : running) {
      for (const auto& promise : session.promises) EXPECT_EQ(promise.memory_mb, 0U);
    }
  }
}

TEST_F(PromisesTest, AreWrittenByOneRuntimeAtATime) {
  const auto held = AdmissionLock();
  ASSERT_TRUE(held);
  EXPECT_FALSE(base::FileLock::TryAcquire(root_ / "penstock" / "admission.lock").value());
}

}  // namespace
}  // namespace penstock::session
