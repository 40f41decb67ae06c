// The client against the real engine.
#include "docker/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "docker/tar.h"
#include "docker/testing/engine_fixture.h"

namespace penstock::docker {
namespace {
using base::Deadline;
using base::ErrorCode;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using testing::Contains;
using testing::HasSubstr;

class EngineTest : public EngineFixture {
 protected:
  /// Runs a container to its end; its complete output by attachment.
  auto RunToEnd(const std::string& container) -> Output {
    Output output;
    const auto stream = engine_->Attach(
        container,
        [&](OutputStream from, std::string_view piece) {
          (from == OutputStream::kStdout ? output.out : output.err).append(piece);
        },
        nullptr, Soon());
    EXPECT_TRUE(stream) << stream.error().ToString();
    if (!stream) return output;
    const auto started = engine_->Start(container, Soon());
    EXPECT_TRUE(started) << started.error().ToString();
    const auto ended = stream->Wait(Soon().deadline);
    EXPECT_TRUE(ended) << ended.error().ToString();
    return output;
  }

  /// Starts it and waits until its program says "ready".
  void StartAndWaitUntilReady(const std::string& container) {
    std::promise<void> ready;
    std::string out;
    auto stream = engine_->Attach(
        container,
        [&](OutputStream, std::string_view piece) {
          const bool before = out.find("ready\n") != std::string::npos;
          out += piece;
          if (!before && out.find("ready\n") != std::string::npos) ready.set_value();
        },
        nullptr, Soon());
    ASSERT_TRUE(stream) << stream.error().ToString();
    const auto started = engine_->Start(container, Soon());
    ASSERT_TRUE(started) << started.error().ToString();
    ready.get_future().wait();
  }
};

TEST_F(EngineTest, SaysWhatItIs) {
  EXPECT_GE(engine_->api(), kOldestApi);
  EXPECT_LE(engine_->api(), kNewestApi);
  EXPECT_EQ(engine_->version().os, "linux");
  EXPECT_FALSE(engine_->version().kernel.empty());
  EXPECT_TRUE(engine_->Ping(Soon()));
  const auto info = engine_->Info(Soon());
  ASSERT_TRUE(info) << info.error().ToString();
  EXPECT_GT(info->cpus, 0);
  EXPECT_GT(info->memory_bytes, 0);
}

TEST_F(EngineTest, ImageIsImportedTaggedListedAndRemoved) {
  const auto found = engine_->InspectImage(image(), Soon());
  ASSERT_TRUE(found) << found.error().ToString();
  EXPECT_EQ(found->layers.size(), 1U);
  EXPECT_EQ(found->labels, labels());
  EXPECT_THAT(found->entrypoint, testing::ElementsAre("/probe"));
  const auto repository = image().substr(0, image().find(':'));
  ASSERT_TRUE(engine_->TagImage(image(), repository, "other", Soon()));
  const auto listed = engine_->ListImages({label()}, Soon());
  ASSERT_TRUE(listed) << listed.error().ToString();
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_EQ(listed->front().id, found->id);
  EXPECT_THAT(listed->front().tags, testing::UnorderedElementsAre(image(), repository + ":other"));
  ASSERT_TRUE(engine_->RemoveImage(repository + ":other", {}, Soon()));
  EXPECT_EQ(engine_->InspectImage(repository + ":other", Soon()).error().code(), ErrorCode::kNotFound);
}

TEST_F(EngineTest, ContainerLivesFromCreateToRemove) {
  const auto id = CreateProbe({"exit", "3"});
  const auto created = engine_->Inspect(id, Soon());
  ASSERT_TRUE(created) << created.error().ToString();
  EXPECT_EQ(created->state.status, "created");
  EXPECT_EQ(created->labels, labels());
  EXPECT_EQ(created->image, image());
  ASSERT_TRUE(engine_->Start(id, Soon()));
  EXPECT_EQ(engine_->Wait(id, WaitFor::kNotRunning, Soon()).value(), 3);
  const auto ended = engine_->Inspect(id, Soon());
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->state.status, "exited");
  EXPECT_EQ(ended->state.exit_code, 3);
  EXPECT_FALSE(ended->state.running);
  EXPECT_EQ(engine_->List({label()}, Soon())->size(), 1U);
  EXPECT_TRUE(engine_->Remove(id, Soon()));
  EXPECT_EQ(engine_->Inspect(id, Soon()).error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(engine_->List({label()}, Soon())->empty());
  EXPECT_TRUE(engine_->Remove(id, Soon())) << "what is gone is removed";
}

TEST_F(EngineTest, AttachmentBeforeStartLosesNothing) {
  constexpr int kLines = 20'000;
  const auto output = RunToEnd(CreateProbe({"lines", std::to_string(kLines)}));
  std::string out;
  std::string err;
  for (int i = 0; i < kLines; ++i) (i % 10 == 9 ? err : out) += fmt::format("line {}\n", i);
  EXPECT_EQ(output.out, out);
  EXPECT_EQ(output.err, err);
}

TEST_F(EngineTest, LogsAreReadAgainAfterTheEnd) {
  const auto id = CreateProbe({"lines", "20"});
  const auto attached = RunToEnd(id);
  ASSERT_TRUE(engine_->Wait(id, WaitFor::kNotRunning, Soon()));
  const auto logs = engine_->Logs(id, {}, Soon());
  ASSERT_TRUE(logs) << logs.error().ToString();
  EXPECT_EQ(logs->out, attached.out);
  EXPECT_EQ(logs->err, "line 9\nline 19\n");
  const auto tail = engine_->Logs(id, {.tail_lines = 1, .timestamps = true}, Soon());
  ASSERT_TRUE(tail);
  EXPECT_THAT(tail->out + tail->err, testing::MatchesRegex("[0-9T:.-]+Z line 1[0-9]\n"));
}

TEST_F(EngineTest, EventsBeginWithTheSubscription) {
  const auto id = CreateProbe({"exit", "5"});
  std::promise<Event> died;
  std::vector<std::string> actions;
  const auto stream = engine_->Events(
      {.types = {"container"}, .labels = {label()}},
      [&](const Event& event) {
        EXPECT_EQ(event.id, id);
        actions.push_back(event.action);
        if (event.action == "die") died.set_value(event);
      },
      nullptr, Soon());
  ASSERT_TRUE(stream) << stream.error().ToString();
  ASSERT_TRUE(engine_->Start(id, Soon()));
  const auto event = died.get_future().get();
  EXPECT_EQ(event.attributes.at("exitCode"), "5");
  EXPECT_GT(event.time.time_since_epoch().count(), 0);
  EXPECT_THAT(actions, testing::ElementsAre("start", "die"));
}

TEST_F(EngineTest, StopAsksBeforeItKills) {
  const auto polite = CreateProbe({"wait"});
  StartAndWaitUntilReady(polite);
  EXPECT_EQ(engine_->Stop(polite, 60s, Soon()).value(), 7);
  EXPECT_EQ(engine_->Stop(polite, 60s, Soon()).value(), 7) << "stopping again changes nothing";
  const auto stubborn = CreateProbe({"stubborn"});
  StartAndWaitUntilReady(stubborn);
  EXPECT_EQ(engine_->Stop(stubborn, 200ms, Soon()).value(), 137);
}

TEST_F(EngineTest, WaitEndsAtItsDeadlineOrWhenCancelled) {
  const auto id = CreateProbe({"wait"});
  StartAndWaitUntilReady(id);
  const auto late = engine_->Wait(id, WaitFor::kNotRunning, Deadline::In(50ms));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), ErrorCode::kDeadline);
  EXPECT_THAT(late.error().message(), HasSubstr("not finished after"));
  std::stop_source stop;
  auto waiting = std::async(std::launch::async, [&] {
    return engine_->Wait(id, WaitFor::kNotRunning, {Deadline::Never(), stop.get_token()});
  });
  stop.request_stop();
  EXPECT_EQ(waiting.get().error().code(), ErrorCode::kCancelled);
  EXPECT_TRUE(engine_->Inspect(id, Soon())->state.running) << "cancelling a wait leaves the container alone";
}

TEST_F(EngineTest, RemovalCanBeAwaited) {
  const auto id = CreateProbe({"wait"});
  StartAndWaitUntilReady(id);
  auto waiting = std::async(std::launch::async, [&] { return engine_->Wait(id, WaitFor::kNotRunning, Soon()); });
  ASSERT_TRUE(engine_->Remove(id, Soon()));
  const auto result = waiting.get();
  // The wait may reach the engine before or after the removal.
  if (result) {
    EXPECT_EQ(*result, 137);
  } else {
    EXPECT_EQ(result.error().code(), ErrorCode::kNotFound) << result.error().ToString();
  }
}

TEST_F(EngineTest, LimitsAndLockdownArriveAtTheEngine) {
  auto spec = ProbeSpec({"env", "GREETING"});
  spec.env = {{"GREETING", "good day"}};
  spec.user = "1000:1000";
  spec.memory_bytes = 64 << 20;
  spec.nano_cpus = 500'000'000;
  spec.pids_limit = 16;
  spec.shm_bytes = 1 << 20;
  spec.ulimits = {{.name = "nofile", .soft = 64, .hard = 128}};
  spec.read_only_root = true;
  spec.cap_drop = {"ALL"};
  spec.security_options = {"no-new-privileges"};
  spec.tmpfs = {{.target = "/tmp", .size_bytes = 1 << 20, .options = "mode=1777"}};
  spec.mounts = {{.source = "/usr", .target = "/host"}};
  spec.extra_json = R"({"HostConfig": {"IpcMode": "private"}})";
  const auto created = engine_->Create(spec, Soon());
  ASSERT_TRUE(created) << created.error().ToString();
  EXPECT_EQ(RunToEnd(created->id).out, "good day\n");
  const auto raw = nlohmann::json::parse(engine_->Inspect(created->id, Soon())->raw);
  const auto& host = raw["HostConfig"];
  EXPECT_EQ(raw["Config"]["User"], "1000:1000");
  EXPECT_EQ(host["Memory"], 64 << 20);
  EXPECT_EQ(host["MemorySwap"], 64 << 20);
  EXPECT_EQ(host["NanoCpus"], 500'000'000);
  EXPECT_EQ(host["PidsLimit"], 16);
  EXPECT_EQ(host["ShmSize"], 1 << 20);
  EXPECT_EQ(host["Ulimits"][0]["Soft"], 64);
  EXPECT_EQ(host["ReadonlyRootfs"], true);
  EXPECT_EQ(host["CapDrop"][0], "ALL");
  EXPECT_EQ(host["SecurityOpt"][0], "no-new-privileges");
  EXPECT_EQ(host["NetworkMode"], "none");
  EXPECT_EQ(host["IpcMode"], "private");
  EXPECT_EQ(raw["Mounts"][0]["RW"], false);
}

// Created only: to start it would take a driver for GPUs.
TEST_F(EngineTest, GpusAndDevicesArriveAtTheEngine) {
  auto spec = ProbeSpec({"true"});
  spec.devices = {{.host_path = "/dev/null", .container_path = "/dev/other", .permissions = "r"}};
  spec.gpus = GpuRequest{.count = -1};
  auto named = spec;
  named.gpus = GpuRequest{.ids = {"0", "GPU-1"}};

  const auto all = engine_->Create(spec, Soon());
  const auto some = engine_->Create(named, Soon());

  ASSERT_TRUE(all) << all.error().ToString();
  ASSERT_TRUE(some) << some.error().ToString();
  const auto host = nlohmann::json::parse(engine_->Inspect(all->id, Soon())->raw)["HostConfig"];
  EXPECT_EQ(host["DeviceRequests"][0]["Count"], -1);
  EXPECT_EQ(host["DeviceRequests"][0]["Capabilities"], nlohmann::json::parse(R"([["gpu"]])"));
  EXPECT_EQ(host["Devices"][0]["PathInContainer"], "/dev/other");
  EXPECT_EQ(host["Devices"][0]["CgroupPermissions"], "r");
  const auto chosen = nlohmann::json::parse(engine_->Inspect(some->id, Soon())->raw)["HostConfig"];
  EXPECT_EQ(chosen["DeviceRequests"][0]["DeviceIDs"], nlohmann::json::parse(R"(["0", "GPU-1"])"));
}

TEST_F(EngineTest, RefusalsCarryTheEnginesWords) {
  const auto no_image = engine_->Create({.image = "penstock-test-does-not-exist:1", .labels = labels()}, Soon());
  ASSERT_FALSE(no_image);
  EXPECT_EQ(no_image.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(no_image.error().message(), HasSubstr("No such image: penstock-test-does-not-exist:1"));
  const auto id = CreateProbe({"exit", "0"});
  const auto not_running = engine_->Kill(id, "SIGTERM", Soon());
  ASSERT_FALSE(not_running);
  EXPECT_EQ(not_running.error().code(), ErrorCode::kConflict);
  EXPECT_THAT(not_running.error().message(), HasSubstr("is not running"));
  auto spec = ProbeSpec({"exit", "0"});
  spec.mounts = {{.source = "/does/not/exist", .target = "/x"}};
  const auto bad_mount = engine_->Create(spec, Soon());
  ASSERT_FALSE(bad_mount);
  EXPECT_EQ(bad_mount.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(bad_mount.error().message(), HasSubstr("/does/not/exist"));
  EXPECT_EQ(engine_->Inspect("../images", Soon()).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(engine_->Inspect("", Soon()).error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(EngineTest, NameThatIsTakenIsAConflict) {
  auto spec = ProbeSpec({"exit", "0"});
  spec.name = image().substr(0, image().find(':'));
  ASSERT_TRUE(engine_->Create(spec, Soon()));
  EXPECT_EQ(engine_->Create(spec, Soon()).error().code(), ErrorCode::kConflict);
}

TEST_F(EngineTest, CommitKeepsFilesAndAddsLabels) {
  const auto id = CreateProbe({"exit", "0"});
  const auto repository = image().substr(0, image().find(':'));
  const auto committed = engine_->Commit({.container = id,
                                          .repository = repository,
                                          .tag = "committed",
                                          .labels = {{"extra", "1"}},
                                          .changes = {"WORKDIR /srv"},
                                          .command = {"exit", "4"}},
                                         Soon());
  ASSERT_TRUE(committed) << committed.error().ToString();
  const auto made = engine_->InspectImage(*committed, Soon());
  ASSERT_TRUE(made);
  EXPECT_THAT(made->tags, Contains(repository + ":committed"));
  EXPECT_EQ(made->labels.at("extra"), "1");
  EXPECT_EQ(made->labels.at("penstock.test"), labels().at("penstock.test"));
  EXPECT_EQ(made->working_dir, "/srv");
  EXPECT_THAT(made->command, testing::ElementsAre("exit", "4"));
}

TEST_F(EngineTest, BuildReportsItsStepsAndItsImage) {
  const auto context = MakeTar(
      {{.path = "Dockerfile", .content = fmt::format("FROM {}\nRUN [\"/probe\", \"lines\", \"3\"]\n", image())}});
  ASSERT_TRUE(context);
  std::string said;
  const auto repository = image().substr(0, image().find(':'));
  const auto built = engine_->Build(
      {.context = *context, .tags = {repository + ":built"}, .labels = labels(), .network = "none"},
      [&](const Progress& line) { said += line.text; }, Soon());
  ASSERT_TRUE(built) << built.error().ToString();
  EXPECT_EQ(engine_->InspectImage(repository + ":built", Soon())->id, *built);
  EXPECT_THAT(said, HasSubstr("Step 2/"));
  EXPECT_THAT(said, HasSubstr("line 2"));
}

TEST_F(EngineTest, BuildReadsItsContextPieceByPiece) {
  std::vector<TarEntry> entries = {{.path = "Dockerfile", .content = fmt::format("FROM {}\nCOPY big /big\n", image())},
                                   {.path = "big", .content = std::string(3UL << 20, 'x')}};
  const auto built = engine_->Build(
      {.context_reader = ReaderOf(MakeTar(std::move(entries)).value()), .labels = labels()}, nullptr, Soon());
  ASSERT_TRUE(built) << built.error().ToString();
  EXPECT_EQ(engine_->InspectImage(*built, Soon())->layers.size(), 2U);
}

TEST_F(EngineTest, FailingBuildsSayWhy) {
  const auto build = [&](const std::string& dockerfile) {
    return engine_->Build(
        {.context = MakeTar({{.path = "Dockerfile", .content = dockerfile}}).value(), .labels = labels()}, nullptr,
        Soon());
  };
  const auto step = build(fmt::format("FROM {}\nRUN [\"/probe\", \"exit\", \"9\"]\n", image()));
  ASSERT_FALSE(step);
  EXPECT_THAT(step.error().message(), HasSubstr("returned a non-zero code: 9"));
  const auto syntax = build("NONSENSE\n");
  ASSERT_FALSE(syntax);
  EXPECT_EQ(syntax.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(syntax.error().message(), HasSubstr("NONSENSE"));
}

TEST_F(EngineTest, PullFromAnUnreachableRegistryFails) {
  // Nobody listens on port 1 of the loopback interface.
  const auto pulled = engine_->PullImage("127.0.0.1:1/none", nullptr, Soon());
  ASSERT_FALSE(pulled);
  EXPECT_THAT(pulled.error().message(), HasSubstr("cannot pull image '127.0.0.1:1/none'"));
}

TEST_F(EngineTest, CallsFromManyThreadsRunInParallel) {
  const auto id = CreateProbe({"exit", "0"});
  std::vector<std::jthread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int turn = 0; turn < 25; ++turn) {
        const auto found = engine_->Inspect(id, Soon());
        if (found && found->id == id) ++good;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(good, 200);
}

TEST_F(EngineTest, ManyStreamsAtOnceLoseNothing) {
  constexpr int kContainers = 4;
  constexpr int kLines = 5'000;
  std::vector<std::string> ids;
  std::vector<std::size_t> counts(kContainers, 0);
  std::vector<Stream> streams;
  for (std::size_t i = 0; i < kContainers; ++i) {
    ids.push_back(CreateProbe({"lines", std::to_string(kLines)}));
    auto stream = engine_->Attach(
        ids.back(),
        [&counts, i](OutputStream, std::string_view piece) {
          counts.at(i) += static_cast<std::size_t>(std::count(piece.begin(), piece.end(), '\n'));
        },
        nullptr, Soon());
    ASSERT_TRUE(stream) << stream.error().ToString();
    streams.push_back(std::move(*stream));
  }
  for (const auto& id : ids) ASSERT_TRUE(engine_->Start(id, Soon()));
  for (const auto& stream : streams) ASSERT_TRUE(stream.Wait(Soon().deadline));
  EXPECT_THAT(counts, testing::Each(kLines));
}

}  // namespace
}  // namespace penstock::docker
