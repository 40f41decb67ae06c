// Locks against the real engine: the same lock gives the same packages, and nothing else gets in.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "image/dockerfile.h"
#include "image/index.h"
#include "image/lock_file.h"
#include "image/testing/environment_fixture.h"

namespace penstock::image {
namespace {
namespace fs = std::filesystem;
using testing::HasSubstr;

class LockEngineTest : public EnvironmentFixture {
 protected:
  void SetUp() override {
    EnvironmentFixture::SetUp();
    MakeWheel(scratch_ / "wheels", "1.0");
    UseOnlyWheelsOf(scratch_ / "wheels");
  }
  auto ContentsOf(const Environment& environment) -> Contents {
    return Index::OpenDefault(engine_->socket_path())->Find(environment.identity).value().value().contents;
  }
  // As another machine would: no state, no image, no download.
  void ForgetEverything(const Environment& environment, const std::string& name) {
    ASSERT_TRUE(engine_->RemoveImage(environment.image_id, {.force = true}, Soon()));
    ::setenv("XDG_STATE_HOME", (scratch_ / name / "state").c_str(), 1);
    ::setenv("XDG_CACHE_HOME", (scratch_ / name / "cache").c_str(), 1);
  }
};

TEST_F(LockEngineTest, TheSameLockGivesTheSamePackagesFromEmptyCaches) {
  auto spec = Spec({"tree"}, {{"penstock-test-wheel", false}});
  auto unlocked = Ensure(spec);
  ASSERT_TRUE(unlocked) << unlocked.error().ToString();
  const auto first = unlocked;
  const auto contents = ContentsOf(*first);
  LockFile lock(scratch_ / "pipeline.lock");
  ASSERT_TRUE(lock.Add(contents));
  ASSERT_TRUE(lock.Write());

  MakeWheel(scratch_ / "wheels", "2.0");  // what would be taken without a lock
  const auto loaded = LockFile::Load(scratch_ / "pipeline.lock");
  ASSERT_TRUE(loaded && *loaded) << loaded.error().ToString();
  spec.locked = (*loaded)->Find(spec).value().packages;
  EXPECT_EQ(*spec.locked, contents.resolved);
  for (const auto* name : {"one", "two"}) {
    ForgetEverything(*unlocked, name);
    auto again = Ensure(spec);
    ASSERT_TRUE(again) << again.error().ToString();
    EXPECT_EQ(again->origin, Origin::kBuilt);
    EXPECT_EQ(ContentsOf(*again).resolved, contents.resolved);
    EXPECT_NE(again->identity, first->identity);
    again->hold.reset();
    ASSERT_TRUE(engine_->RemoveImage(again->image_id, {.force = true}, Soon()));
    unlocked = Ensure(Spec({"tree"}, {{"penstock-test-wheel", false}}));
    ASSERT_TRUE(unlocked) << unlocked.error().ToString();
    EXPECT_EQ(ContentsOf(*unlocked).resolved.pip[0].version, "2.0");
  }
  ExpectNothingLeft();
}

TEST_F(LockEngineTest, AnotherContentThanLockedIsRefused) {
  auto spec = Spec({"tree"}, {{"penstock-test-wheel", false}});
  const auto first = Ensure(spec);
  ASSERT_TRUE(first) << first.error().ToString();
  const auto resolved = ContentsOf(*first).resolved;

  spec.locked = resolved;
  spec.locked->pip[0].sha256[0] = spec.locked->pip[0].sha256[0] == '0' ? '1' : '0';
  const auto python = Ensure(spec);
  ASSERT_FALSE(python);
  EXPECT_THAT(python.error().message(), HasSubstr("'penstock-test-wheel==1.0' has another content than the lock says"));

  spec.locked = resolved;
  for (auto& package : spec.locked->apt) package.sha256.assign(64, '0');
  const auto system = Ensure(spec);
  ASSERT_FALSE(system);
  EXPECT_THAT(system.error().message(), HasSubstr("the lock does not have 'tree "));
  EXPECT_EQ(EnvironmentImages(), 1U);
  ExpectNothingLeft();
}

TEST_F(LockEngineTest, TheEquivalentDockerfileNamesTheBaseAndTheExactPackages) {
  const auto environment = Ensure(Spec({"tree"}, {}));
  ASSERT_TRUE(environment) << environment.error().ToString();
  const auto text = EquivalentDockerfile(ContentsOf(*environment));
  EXPECT_THAT(text, HasSubstr("FROM " + base_));
  EXPECT_THAT(text, HasSubstr("\n      tree=" + ContentsOf(*environment).resolved.apt[0].version));
  EXPECT_THAT(text, HasSubstr("USER 1000:1000"));
}

}  // namespace
}  // namespace penstock::image
