// Environments against the real engine: built once, found again, without a trace of the host.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <future>

#include "base/paths.h"
#include "image/base_image.h"
#include "image/testing/environment_fixture.h"

namespace penstock::image {
namespace {
namespace fs = std::filesystem;
using base::ErrorCode;
using testing::HasSubstr;
using testing::Not;

constexpr auto kSecret = "s3cr3t-0f-the-h0st";

class BuilderEngineTest : public EnvironmentFixture {
 protected:
  // Serves the wheel with a login in the index's address.
  auto ServeIndex() -> std::unique_ptr<Background> {
    const auto directory = scratch_ / "simple/penstock-test-wheel";
    MakeWheel(directory, "1.0", "penstock-test-never-there");
    auto server = std::make_unique<Background>(std::vector<std::string>{"python3", "-u", "-m", "http.server", "0",
                                                                        "--bind", "127.0.0.1", "--directory", scratch_},
                                               R"(port (\d+))");
    ::setenv("PIP_INDEX_URL", fmt::format("http://user:{}@127.0.0.1:{}/simple", kSecret, server->found()).c_str(), 1);
    return server;
  }
};

TEST_F(BuilderEngineTest, TwoAtOnceBuildOnceAndLaterRunsFindIt) {
  const auto spec = Spec({"tree"}, {{"six==1.17.0", false}});
  auto other = std::async(std::launch::async, [&] { return Ensure(spec); });
  const auto one = Ensure(spec);
  const auto two = other.get();
  ASSERT_TRUE(one) << one.error().ToString();
  ASSERT_TRUE(two) << two.error().ToString();
  EXPECT_EQ(one->image_id, two->image_id);
  EXPECT_EQ(std::ranges::count(steps_, "saving the image"), 1);
  EXPECT_EQ(EnvironmentImages(), 1U);

  steps_.clear();
  const auto later = Ensure(Spec({"tree", "tree"}, {{" Six == 1.17.0", false}}));
  ASSERT_TRUE(later) << later.error().ToString();
  EXPECT_EQ(later->origin, Origin::kCached);
  EXPECT_EQ(later->image_id, one->image_id);
  EXPECT_TRUE(steps_.empty());

  EXPECT_EQ(one->interpreter, "/opt/venv/bin/python3");
  const auto run = InContainer(*one,
                               "import os, six, subprocess, sys\nprint(six.__version__, os.getuid(), sys.prefix)\n"
                               "print(subprocess.run(['tree', '--version'], capture_output=True, text=True).stdout)");
  EXPECT_EQ(run.status, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("1.17.0 1000 /opt/venv"));
  EXPECT_THAT(run.output, HasSubstr("tree v"));
  ExpectNothingLeft();
}

TEST_F(BuilderEngineTest, NothingOfTheHostsConfigurationIsInTheImage) {
  const auto server = ServeIndex();
  const auto environment = Ensure(Spec({}, {{"penstock-test-wheel", true}}));
  ASSERT_TRUE(environment) << environment.error().ToString();
  EXPECT_EQ(InContainer(*environment, "import penstock_test_wheel; print(penstock_test_wheel.ANSWER)").output, "42\n");

  // `docker save` has every layer, the configuration and the history.
  const auto search = [](const std::string& image, const std::string& text) {
    return RunToEnd({"bash", "-c", fmt::format("docker save '{}' | tar -xO | grep -aF '{}' >/dev/null", image, text)})
        .status;
  };
  EXPECT_EQ(search(environment->image_id, kSecret), 1);
  EXPECT_EQ(search(environment->image_id, "127.0.0.1:" + server->found()), 1);
  EXPECT_EQ(search(environment->image_id, label()), 0) << "the search finds what is there";
  ExpectNothingLeft();
}

TEST_F(BuilderEngineTest, APackageThatDoesNotExistIsNamedWithTheLastLines) {
  const auto server = ServeIndex();
  const auto python = Ensure(Spec({}, {{"penstock-test-no-such-package", false}}));
  ASSERT_FALSE(python);
  EXPECT_EQ(python.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(python.error().message(), HasSubstr("downloading Python packages failed"));
  EXPECT_THAT(python.error().message(), HasSubstr("there is no Python package 'penstock-test-no-such-package'"));
  EXPECT_THAT(python.error().message(), HasSubstr("\n    ERROR: No matching distribution found"));
  EXPECT_THAT(python.error().message(), Not(HasSubstr(kSecret)));

  const auto dependency = Ensure(Spec({}, {{"penstock-test-wheel", false}}));
  ASSERT_FALSE(dependency);
  EXPECT_THAT(dependency.error().message(), HasSubstr("'penstock-test-never-there'"));

  const auto system = Ensure(Spec({"penstock-test-no-such-package", "tree"}, {}));
  ASSERT_FALSE(system);
  EXPECT_THAT(system.error().message(), HasSubstr("downloading system packages failed"));
  EXPECT_THAT(system.error().message(), HasSubstr("no package 'penstock-test-no-such-package'"));
  EXPECT_EQ(EnvironmentImages(), 0U);
  ExpectNothingLeft();
}

TEST_F(BuilderEngineTest, StoppedInTheMiddleItLeavesNothing) {
  std::stop_source stop;
  const auto stopped = EnsureEnvironment(
      *engine_, Spec({}, {{"six", false}}),
      [&](const Progress& progress) {
        if (progress.step == "downloading Python packages") stop.request_stop();
      },
      docker::Call(base::Deadline::Never(), stop.get_token()));
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code(), ErrorCode::kCancelled) << stopped.error().ToString();
  EXPECT_EQ(EnvironmentImages(), 0U);
  ExpectNothingLeft();
}

// This test starts itself once more, with these variables set, as the process that it kills in the middle of a build.
TEST_F(BuilderEngineTest, WhatAKilledBuildLeftIsRemovedByTheNext) {
  if (const char* base = std::getenv("PENSTOCK_TEST_BASE")) {
    ::setenv("XDG_RUNTIME_DIR", std::getenv("PENSTOCK_TEST_RUNTIME"), 1);
    ::setenv("XDG_STATE_HOME", std::getenv("PENSTOCK_TEST_STATE"), 1);
    base_ = base;
    static_cast<void>(EnsureEnvironment(
        *engine_, Spec({}, {{"six==1.17.0", false}}),
        [](const Progress& progress) {
          if (progress.step == "downloading Python packages") fmt::print(stderr, "in the middle\n");
        },
        docker::Call(base::Deadline::Never())));
    return;
  }
  ::setenv("PENSTOCK_TEST_BASE", base_.c_str(), 1);
  ::setenv("PENSTOCK_TEST_RUNTIME", (scratch_ / "run").c_str(), 1);
  ::setenv("PENSTOCK_TEST_STATE", (scratch_ / "state").c_str(), 1);
  {
    const auto self = fs::read_symlink("/proc/self/exe");
    const Background killed({self, "--gtest_filter=*WhatAKilledBuildLeftIsRemovedByTheNext"}, "in (the middle)");
    ASSERT_EQ(killed.found(), "the middle");
  }  // killed by a signal that nothing handles
  ASSERT_FALSE(engine_->List({label()}, Soon()).value().empty()) << "the build was not killed in the middle";
  ASSERT_FALSE(fs::is_empty(base::RuntimeDirectory().value() / "builds"));

  const auto environment = Ensure(Spec({}, {{"six==1.17.0", false}}));
  ASSERT_TRUE(environment) << environment.error().ToString();
  EXPECT_EQ(environment->origin, Origin::kBuilt);
  ExpectNothingLeft();
}

TEST_F(BuilderEngineTest, WithoutPackagesTheBaseImageIsTheEnvironment) {
  const auto environment = Ensure({"3.11", std::nullopt, {}, {}});
  ASSERT_TRUE(environment) << environment.error().ToString();
  EXPECT_EQ(environment->origin, Origin::kBase);
  EXPECT_EQ(environment->image_id, EnsureBase(*engine_, "3.11", {}, Soon())->id);
  EXPECT_EQ(InContainer(*environment, "import sys; print(sys.version_info[:2])").output, "(3, 11)\n");
}

TEST_F(BuilderEngineTest, ABaseImageThatDoesNotFitIsRefusedWithTheReason) {
  const auto other_python = Ensure({"3.10", base_, {}, {}});
  ASSERT_FALSE(other_python);
  EXPECT_EQ(other_python.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(other_python.error().message(), HasSubstr("3.10 was asked for"));

  const auto no_python = Ensure({"3.11", image(), {}, {}});
  ASSERT_FALSE(no_python);
  EXPECT_EQ(no_python.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(no_python.error().message(), HasSubstr("there is no python3 in its PATH"));

  const auto missing = Ensure({"3.11", "127.0.0.1:1/penstock-test/no-such-image:1", {}, {}});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound) << missing.error().ToString();
  ExpectNothingLeft();
}

}  // namespace
}  // namespace penstock::image
