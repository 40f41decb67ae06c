// docker/scripts/build-base-images.sh against the real engine.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>

#include "base/paths.h"
#include "base/uuid.h"
#include "docker/testing/engine_fixture.h"
#include "image/base_image.h"
#include "image/testing/background.h"

namespace penstock::image {
namespace {
namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class BaseScriptTest : public docker::EngineFixture {
 protected:
  void SetUp() override {
    EngineFixture::SetUp();
    fs::create_directories(scratch_);
  }
  void TearDown() override {
    for (const auto* version : {"3.9", "3.10", "3.11"}) {
      static_cast<void>(engine_->RemoveImage(Tag(version), {.force = true}, Soon()));
    }
    fs::remove_all(scratch_);
  }

  auto Script(std::vector<std::string> options, const std::vector<std::string>& environment = {}) const -> Finished {
    std::vector<std::string> command{"env", "DOCKER_HOST=unix://" + engine_->socket_path()};
    command.insert(command.end(), environment.begin(), environment.end());
    command.push_back(base::InstallDirectory().value() / "share/docker/scripts/build-base-images.sh");
    command.insert(command.end(), {"--repository", repository_});
    command.insert(command.end(), options.begin(), options.end());
    return RunToEnd(command);
  }
  auto Tag(const std::string& version) const -> std::string { return repository_ + ":" + version; }
  // The ordinary base, made when missing, under the name of this test's.
  void BorrowBase() {
    const auto base = EnsureBase(*engine_, "3.11", {}, Soon());
    ASSERT_TRUE(base) << base.error().ToString();
    ASSERT_TRUE(engine_->TagImage(base->id, repository_, "3.11", Soon()));
  }
  static auto HasPython(const std::string& version) -> bool {
    return RunToEnd({"bash", "-c",
                     "source \"$0/share/docker/scripts/lib/python_tree.sh\"; kPrefixes=(); find_python_prefix \"$1\"",
                     base::InstallDirectory().value(), version})
               .status == 0;
  }

  const std::string id_ = base::NewUuidV7();
  const std::string repository_ = "penstock-test-" + id_ + "/base";
  const fs::path scratch_ = fs::temp_directory_path() / ("base-script-" + id_);
};

TEST_F(BaseScriptTest, WithoutARegistryMakesTheSameLayersEachTimeAndTellsNothingOfTheHost) {
  const auto first = Script({"--offline", "--python", "3.11"});
  ASSERT_EQ(first.status, 0) << first.output;
  const auto image = engine_->InspectImage(Tag("3.11"), Soon()).value();
  EXPECT_EQ(image.user, "1000:1000");
  EXPECT_EQ(image.labels.at("penstock.base.from"), "local");

  const auto again = Script({"--offline", "--python", "3.11"});
  EXPECT_EQ(again.status, 0);
  EXPECT_EQ(again.output, fmt::format("base 3.11: {} is there\n", Tag("3.11")));

  const auto forced = Script({"--offline", "--python", "3.11", "--force"});
  ASSERT_EQ(forced.status, 0) << forced.output;
  const auto second = engine_->InspectImage(Tag("3.11"), Soon()).value();
  EXPECT_EQ(image.layers, second.layers);
  EXPECT_EQ(image.layers.size(), 1U);
  static_cast<void>(engine_->RemoveImage(image.id, {.force = true}, Soon()));

  // The mirrors' addresses, and this machine's name, are in no byte of it; the user is (the search works).
  const auto targets = RunToEnd({"apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"});
  ASSERT_EQ(targets.status, 0);
  ASSERT_THAT(targets.output, HasSubstr("://"));
  const auto addresses = scratch_ / "addresses";
  std::ofstream(addresses) << targets.output;
  const auto search = [&](const std::string& grep) {
    return RunToEnd({"bash", "-c", fmt::format("docker save '{}' | tar -xO | {} >/dev/null", second.id, grep)}).status;
  };
  EXPECT_EQ(search("grep -aF 'penstock:x:1000:1000:'"), 0);
  EXPECT_EQ(search(fmt::format("grep -aFf '{}'", addresses.string())), 1);
  for (const auto& output : {first.output, forced.output}) EXPECT_THAT(output, Not(HasSubstr("://")));
}

TEST_F(BaseScriptTest, TwoAtOnceMakeAnImageOnce) {
  if (!HasPython("3.10")) GTEST_SKIP() << "this host has no Python 3.10 to make the image from";
  BorrowBase();
  const auto build = [this] { return Script({"--offline", "--python", "3.10"}); };
  auto other = std::async(std::launch::async, build);
  const auto one = build();
  const auto two = other.get();
  EXPECT_EQ(one.status, 0) << one.output;
  EXPECT_EQ(two.status, 0) << two.output;
  const auto made = [](const Finished& run) {
    return run.output.find("copying the host's Python") != std::string::npos;
  };
  EXPECT_NE(made(one), made(two)) << one.output << two.output;
  EXPECT_EQ(engine_->InspectImage(Tag("3.10"), Soon()).value().layers.size(), 2U);
}

TEST_F(BaseScriptTest, AnInterpreterThatThisHostLacksIsOneSentence) {
  BorrowBase();
  const auto run =
      Script({"--offline", "--python", "3.9"}, {"HOME=" + scratch_.string(), "PYENV_ROOT=" + scratch_.string(),
                                                "PENSTOCK_PYTHON_PREFIXES=", "XDG_STATE_HOME=" + scratch_.string()});
  if (run.status == 0) GTEST_SKIP() << "this host has a Python 3.9 outside a user's home";
  EXPECT_EQ(run.status, 3) << run.output;
  EXPECT_THAT(run.output, HasSubstr("no Python 3.9 on this host"));
  EXPECT_THAT(run.output, HasSubstr("--from registry"));
  EXPECT_FALSE(engine_->InspectImage(Tag("3.9"), Soon()));
}

TEST_F(BaseScriptTest, ARegistryWhoseNameDoesNotResolveIsNotTried) {
  BorrowBase();
  const auto run = Script({"--registry", "registry.invalid/library", "--python", "3.9"},
                          {"HOME=" + scratch_.string(), "PYENV_ROOT=" + scratch_.string(),
                           "PENSTOCK_PYTHON_PREFIXES=", "XDG_STATE_HOME=" + scratch_.string()});
  EXPECT_THAT(run.output, HasSubstr("registry.invalid does not resolve"));
}

TEST_F(BaseScriptTest, AFailingRegistryLeavesNothingAndShowsItsLastLines) {
  const auto run = Script({"--from", "registry", "--registry", "127.0.0.1:1/library", "--python", "3.11"},
                          {"TMPDIR=" + scratch_.string()});
  EXPECT_EQ(run.status, 1) << run.output;
  EXPECT_THAT(run.output, HasSubstr("failed while building on python:3.11-slim-bookworm"));
  EXPECT_FALSE(engine_->InspectImage(Tag("3.11"), Soon()));
  EXPECT_TRUE(fs::is_empty(scratch_));
}

TEST_F(BaseScriptTest, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(Script({"--python", "2.7"}).status, 2);
  EXPECT_EQ(Script({"--from", "nowhere"}).status, 2);
  EXPECT_EQ(Script({"--frobnicate"}).status, 2);
}

TEST_F(BaseScriptTest, FromARegistryBuildsOnItsImage) {
  // Given a registry on loopback that has a python:3.11-slim-bookworm
  const auto config = scratch_ / "registry.yml";
  std::ofstream(config) << "version: 0.1\nlog: {level: info}\nstorage: {filesystem: {rootdirectory: "
                        << (scratch_ / "data").string() << "}}\nhttp: {addr: '127.0.0.1:0'}\n";
  const Background registry({"docker-registry", "serve", config}, R"(listening on 127\.0\.0\.1:(\d+))");
  ASSERT_NE(registry.found(), "") << "docker-registry did not start; ./dev setup installs it";
  const auto prefix = "127.0.0.1:" + registry.found() + "/library";
  const auto image = prefix + "/python:3.11-slim-bookworm";
  const auto base = EnsureBase(*engine_, "3.11", {}, Soon()).value();
  ASSERT_TRUE(engine_->TagImage(base.id, prefix + "/python", "3.11-slim-bookworm", Soon()));
  const auto pushed = RunToEnd({"docker", "push", image});
  ASSERT_EQ(pushed.status, 0) << pushed.output;
  ASSERT_TRUE(engine_->RemoveImage(image, {}, Soon()));

  // When the base is made from it
  const auto run = Script({"--registry", prefix, "--python", "3.11"});

  // Then the script has chosen the registry by itself, and the image is the registry's plus our user and labels.
  ASSERT_EQ(run.status, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("from the registry (127.0.0.1 resolves"));
  const auto made = engine_->InspectImage(Tag("3.11"), Soon()).value();
  EXPECT_EQ(made.labels.at("penstock.base.from"), "registry");
  EXPECT_EQ(made.layers.front(), base.content.layers.front());
  EXPECT_EQ(made.user, "1000:1000");
  const auto history = RunToEnd({"docker", "history", "--no-trunc", Tag("3.11")});
  EXPECT_THAT(history.output, Not(HasSubstr(registry.found()))) << "the registry's address is nobody's business";
  static_cast<void>(engine_->RemoveImage(image, {}, Soon()));
}

}  // namespace
}  // namespace penstock::image
