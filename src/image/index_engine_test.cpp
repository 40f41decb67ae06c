// The index beside a real engine: what is remembered, and what happens when the two disagree.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>
#include <latch>

#include "base/paths.h"
#include "image/build_log.h"
#include "image/index.h"
#include "image/prune.h"
#include "image/reconcile.h"
#include "image/testing/environment_fixture.h"
#include "image/workspace.h"

namespace penstock::image {
namespace {
namespace fs = std::filesystem;
using base::ErrorCode;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class IndexEngineTest : public EnvironmentFixture {
 protected:
  void SetUp() override {
    EnvironmentFixture::SetUp();
    MakeWheel(scratch_ / "wheels", "1.0");
    UseOnlyWheelsOf(scratch_ / "wheels");
  }
  auto index() -> Index { return Index::OpenDefault(engine_->socket_path()).value(); }
  auto WheelSpec() -> EnvironmentSpec { return Spec({}, {{"penstock-test-wheel", false}}); }
  auto Find(const std::string& identity) -> std::optional<Entry> { return index().Find(identity).value(); }
};

TEST_F(IndexEngineTest, KnowsWhatAnEnvironmentHolds) {
  const auto environment = Ensure(Spec({"tree"}, {{"penstock-test-wheel", false}}));
  ASSERT_TRUE(environment) << environment.error().ToString();
  const auto entry = Find(environment->identity);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->state, State::kAvailable);
  EXPECT_EQ(entry->image, environment->image_id);
  EXPECT_GT(entry->size_bytes, 0);
  const auto& resolved = entry->contents.resolved;
  ASSERT_EQ(resolved.pip.size(), 1U);
  EXPECT_EQ(resolved.pip[0].name, "penstock-test-wheel");
  EXPECT_EQ(resolved.pip[0].version, "1.0");
  EXPECT_EQ(resolved.pip[0].sha256.size(), 64U);
  const auto tree = std::ranges::find(resolved.apt, "tree", &ResolvedPackage::name);
  ASSERT_NE(tree, resolved.apt.end());
  EXPECT_EQ(tree->sha256.size(), 64U);
  EXPECT_FALSE(tree->version.empty());

  // The same from the image alone: the index was lost.
  fs::remove_all(scratch_ / "state/penstock");
  auto anew = index();
  ASSERT_TRUE(Reconcile(*engine_, anew, Soon()));
  const auto adopted = anew.Find(environment->identity).value();
  ASSERT_TRUE(adopted);
  EXPECT_EQ(adopted->contents, entry->contents);
  EXPECT_EQ(adopted->size_bytes, entry->size_bytes);
  EXPECT_FALSE(adopted->borrowed);
}

TEST_F(IndexEngineTest, AnImageRemovedBehindOurBackIsForgottenAndBuiltAgain) {
  const auto environment = Ensure(WheelSpec());
  ASSERT_TRUE(environment) << environment.error().ToString();
  ASSERT_TRUE(engine_->RemoveImage(environment->image_id, {.force = true}, Soon()));
  auto reconciled = index();
  ASSERT_TRUE(Reconcile(*engine_, reconciled, Soon()));
  EXPECT_FALSE(Find(environment->identity));
  const auto again = Ensure(WheelSpec());
  ASSERT_TRUE(again) << again.error().ToString();
  EXPECT_EQ(again->origin, Origin::kBuilt);

  // Also without anybody having looked in between.
  ASSERT_TRUE(engine_->RemoveImage(again->image_id, {.force = true}, Soon()));
  const auto third = Ensure(WheelSpec());
  ASSERT_TRUE(third) << third.error().ToString();
  EXPECT_EQ(third->origin, Origin::kBuilt);
}

TEST_F(IndexEngineTest, AnotherStateDirectoryUsesTheImageAndNeverPrunesIt) {
  const auto environment = Ensure(WheelSpec());
  ASSERT_TRUE(environment) << environment.error().ToString();
  ::setenv("XDG_STATE_HOME", (scratch_ / "other").c_str(), 1);
  auto other = index();
  ASSERT_TRUE(Reconcile(*engine_, other, Soon()));
  EXPECT_FALSE(Find(environment->identity));
  const auto found = Ensure(WheelSpec());
  ASSERT_TRUE(found) << found.error().ToString();
  EXPECT_EQ(found->origin, Origin::kCached);
  EXPECT_TRUE(Find(environment->identity)->borrowed);
  const auto pruned = Prune(*engine_, other, {.keep = 0}, Now(), Soon());
  ASSERT_TRUE(pruned) << pruned.error().ToString();
  EXPECT_TRUE(pruned->removed.empty());
  EXPECT_TRUE(engine_->InspectImage(environment->image_id, Soon()));
}

TEST_F(IndexEngineTest, WhoWaitsSeesHowFarTheBuilderIs) {
  std::latch downloading(1);
  std::latch seen(1);
  std::vector<std::string> waiting;
  // Progress is told on the client's I/O thread, which waits below: it must not be the other one's.
  const auto engine_of_builder = docker::Engine::Connect({}, Soon());
  ASSERT_TRUE(engine_of_builder) << engine_of_builder.error().ToString();
  auto builder = std::async(std::launch::async, [&] {
    return EnsureEnvironment(
        **engine_of_builder, WheelSpec(),
        [&](const Progress& progress) {
          if (progress.step != "downloading Python packages" || !progress.line.empty()) return;
          downloading.count_down();
          seen.wait();  // the build goes on when the other one has seen this step
        },
        Soon());
  });
  downloading.wait();
  bool told = false;
  const auto waited = EnsureEnvironment(
      *engine_, WheelSpec(),
      [&](const Progress& progress) {
        if (told || progress.step.find(": downloading Python packages") == std::string::npos) return;
        told = true;
        waiting.push_back(progress.step);
        seen.count_down();
      },
      Soon());
  const auto built = builder.get();
  ASSERT_TRUE(built) << built.error().ToString();
  ASSERT_TRUE(waited) << waited.error().ToString();
  EXPECT_EQ(waited->image_id, built->image_id);
  EXPECT_EQ(built->origin, Origin::kBuilt);
  EXPECT_EQ(waited->origin, Origin::kAwaited);
  EXPECT_THAT(waiting, Contains("waiting for another process that makes it: downloading Python packages"));
}

TEST_F(IndexEngineTest, AFailureIsToldAtOnceUntilSomethingChanges) {
  const auto spec = Spec({}, {{"penstock-test-wheel==2.0", false}});
  const auto first = Ensure(spec);
  ASSERT_FALSE(first);
  EXPECT_THAT(first.error().message(), HasSubstr("there are: 1.0"));
  const auto log = fs::path(first.error().message().substr(first.error().message().rfind(": ") + 2));
  std::ifstream stream(log);
  EXPECT_THAT(std::string(std::istreambuf_iterator<char>(stream), {}), HasSubstr("No matching distribution found"));

  steps_.clear();
  const auto second = Ensure(spec);
  ASSERT_FALSE(second);
  EXPECT_TRUE(steps_.empty()) << "it was built again";
  EXPECT_THAT(second.error().message(), HasSubstr("nothing has changed since; use --retry"));
  EXPECT_THAT(second.error().message(), HasSubstr("there are: 1.0"));
  EXPECT_THAT(second.error().message(), HasSubstr(log.string()));

  const auto third = Ensure(spec, {.retry_failed = true});
  ASSERT_FALSE(third);
  EXPECT_THAT(steps_, Contains("downloading Python packages"));
  EXPECT_THAT(third.error().message(), Not(HasSubstr("nothing has changed")));

  MakeWheel(scratch_ / "wheels", "2.0");
  const auto fourth = Ensure(spec);
  ASSERT_TRUE(fourth) << fourth.error().ToString();
  EXPECT_EQ(Find(fourth->identity)->state, State::kAvailable);
  ExpectNothingLeft();
}

TEST_F(IndexEngineTest, AStoppedBuildIsTriedAgain) {
  std::stop_source stop;
  const auto stopped = EnsureEnvironment(
      *engine_, WheelSpec(),
      [&](const Progress& progress) {
        if (progress.step == "downloading Python packages") stop.request_stop();
      },
      docker::Call(base::Deadline::Never(), stop.get_token()));
  ASSERT_FALSE(stopped);
  EXPECT_TRUE(index().List()->empty()) << "that it was stopped says nothing about it";
  const auto again = Ensure(WheelSpec());
  EXPECT_TRUE(again) << again.error().ToString();
}

TEST_F(IndexEngineTest, ABuildWhoseProcessIsDeadIsKnownByItsLock) {
  auto entries = index();
  ASSERT_TRUE(entries.BeginBuild("dead", {}, Now()));
  ASSERT_TRUE(entries.BeginBuild("alive", {}, Now()));
  const auto lock = base::FileLock::TryAcquire(Workspace::LockFile("alive").value());
  ASSERT_TRUE(lock && *lock);
  ASSERT_TRUE(Reconcile(*engine_, entries, Soon()));
  EXPECT_EQ(Find("dead")->state, State::kFailed);
  EXPECT_EQ(Find("alive")->state, State::kBuilding);
}

TEST_F(IndexEngineTest, PruneLeavesWhatIsInUseOrPinnedAndSaysWhatItFreed) {
  MakeWheel(scratch_ / "wheels", "2.0");
  MakeWheel(scratch_ / "wheels", "3.0");
  std::vector<Environment> made;
  for (const auto* version : {"1.0", "2.0", "3.0"}) {
    auto environment = Ensure(Spec({}, {{fmt::format("penstock-test-wheel=={}", version), false}}));
    ASSERT_TRUE(environment) << environment.error().ToString();
    made.push_back(std::move(*environment));
  }
  auto entries = index();
  const auto prune = [&] { return Prune(*engine_, entries, {.keep = 0}, Now(), Soon()).value(); };
  EXPECT_TRUE(prune().removed.empty()) << "somebody is about to start a container from each";
  for (auto& environment : made) environment.hold.reset();

  docker::ContainerSpec stopped = ProbeSpec({});
  stopped.image = made[0].image_id;
  const auto container = engine_->Create(stopped, Soon());
  ASSERT_TRUE(container) << container.error().ToString();
  ASSERT_TRUE(entries.SetPinned(made[1].identity, true));

  const auto pruned = prune();
  ASSERT_EQ(pruned.removed.size(), 1U);
  EXPECT_EQ(pruned.removed[0].identity, made[2].identity);
  EXPECT_GT(pruned.freed_bytes, 0);
  EXPECT_FALSE(engine_->InspectImage(made[2].image_id, Soon()));
  EXPECT_TRUE(engine_->InspectImage(made[0].image_id, Soon()));
  EXPECT_TRUE(engine_->InspectImage(made[1].image_id, Soon()));

  ASSERT_TRUE(engine_->Remove(container->id, Soon()));
  ASSERT_TRUE(entries.SetPinned(made[1].identity, false));
  EXPECT_EQ(prune().removed.size(), 2U);
  EXPECT_EQ(EnvironmentImages(), 0U);
}

}  // namespace
}  // namespace penstock::image
