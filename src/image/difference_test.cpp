#include "image/difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "image/dockerfile.h"

namespace penstock::image {
namespace {
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

auto Of(std::vector<std::string> system, std::vector<manifest::PythonPackage> python) -> Contents {
  Contents contents;
  contents.recipe = 2;
  contents.spec = {"3.11", std::nullopt, std::move(system), std::move(python), {}};
  contents.base_reference = "penstock/base:3.11";
  contents.base = {{"sha256:aa"}, "amd64"};
  contents.base_path = "/usr/bin";
  return contents;
}

TEST(Differences, NameEveryPackageThatComesOrGoes) {
  EXPECT_THAT(Differences(Of({"ffmpeg"}, {{"numpy==1", false}}), Of({"tree"}, {{"numpy==1", true}})),
              ElementsAre("- system package ffmpeg", "- Python package numpy==1", "+ system package tree",
                          "+ Python package numpy==1 (without what it depends on)"));
  EXPECT_THAT(Differences(Of({"tree"}, {}), Of({"tree"}, {})), ElementsAre());
}

TEST(Differences, TellANewBaseFromANewContentOfTheSame) {
  auto changed = Of({}, {});
  changed.base.layers = {"sha256:bb"};
  EXPECT_THAT(Differences(Of({}, {}), changed), ElementsAre(HasSubstr("has other content than it had then")));
  changed.base_reference = "own:1";
  changed.spec.python_version = "3.10";
  EXPECT_THAT(Differences(Of({}, {}), changed),
              ElementsAre("Python: 3.11 → 3.10", "base image: penstock/base:3.11 → own:1"));
}

TEST(Differences, NameTheRecipeAndTheLock) {
  auto changed = Of({}, {});
  changed.recipe = 3;
  changed.lock_digest = "aa";
  EXPECT_THAT(Differences(Of({}, {}), changed), ElementsAre(HasSubstr("recipe 2 → 3"), "+ a lock with exact versions"));
}

TEST(Nearest, IsTheOneWithTheFewestDifferencesThatIsThere) {
  std::vector<Entry> entries(3);
  entries[0] = {.identity = "far", .contents = Of({"a", "b"}, {})};
  entries[1] = {.identity = "failed", .state = State::kFailed, .contents = Of({"c"}, {})};
  entries[2] = {.identity = "near", .contents = Of({"c", "d"}, {})};
  EXPECT_EQ(Nearest(entries, Of({"c"}, {}))->identity, "near");
  EXPECT_EQ(Nearest({}, Of({"c"}, {})), nullptr);
}

TEST(EquivalentDockerfile, InstallsTheExactPackagesAndLeavesOutWhatIsNotThere) {
  auto contents = Of({"tree"}, {});
  contents.resolved.apt = {{"tree", "2.1.0-1", {}}};
  EXPECT_THAT(EquivalentDockerfile(contents), HasSubstr("tree=2.1.0-1"));
  EXPECT_THAT(EquivalentDockerfile(contents), Not(HasSubstr("pip install")));
  contents.resolved = {{}, {{"six", "1.17.0", {}}}};
  EXPECT_THAT(EquivalentDockerfile(contents), HasSubstr("six==1.17.0"));
  EXPECT_THAT(EquivalentDockerfile(contents), HasSubstr("ENV PATH=/opt/venv/bin:/usr/bin\nUSER 1000:1000\n"));
}

}  // namespace
}  // namespace penstock::image
