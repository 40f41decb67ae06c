#include "image/lock_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/uuid.h"

namespace penstock::image {
namespace {
namespace fs = std::filesystem;
using base::ErrorCode;
using testing::HasSubstr;

const std::string kHash(64, 'a');

auto SomeContents() -> Contents {
  Contents contents;
  contents.spec = {"3.11", std::nullopt, {"tree"}, {{"six", false}, {"torch", true}}, {}};
  contents.base_reference = "penstock/base:3.11";
  contents.base = {{"sha256:aa"}, "amd64"};
  contents.resolved = {{{"libc6:i386", "2.36-9+deb12u1", kHash}, {"tree", "1:2.1.0-1", kHash}},
                       {{"six", "1.17.0", kHash}}};
  return contents;
}

class LockFileTest : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(directory_); }
  void TearDown() override { fs::remove_all(directory_); }
  auto LoadText(const std::string& text) -> base::Expected<std::optional<LockFile>> {
    std::ofstream(path_) << text;
    return LockFile::Load(path_);
  }
  auto Written() -> std::string {
    LockFile lock(path_);
    EXPECT_TRUE(lock.Add(SomeContents()));
    EXPECT_TRUE(lock.Write());
    std::ifstream stream(path_);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  static auto Replace(std::string text, const std::string& from, const std::string& to) -> std::string {
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos);
    return text.replace(at, from.size(), to);
  }

  const fs::path directory_ = fs::temp_directory_path() / ("lock-" + base::NewUuidV7());
  const fs::path path_ = directory_ / "pipeline.lock";
};

TEST_F(LockFileTest, StandsBesideItsManifest) {
  EXPECT_EQ(LockFile::PathBeside("/a/pipeline.yaml"), "/a/pipeline.lock");
}

TEST_F(LockFileTest, FindsWhatWasAddedHoweverItIsAskedFor) {
  EXPECT_THAT(Written(), HasSubstr("six==1.17.0 --hash=sha256:" + kHash));
  const auto lock = LockFile::Load(path_).value().value();
  const auto found = lock.Find({"3.11", std::nullopt, {"tree"}, {{"torch", true}, {" Six ", false}}, {}});
  ASSERT_TRUE(found) << found.error().ToString();
  EXPECT_EQ(found->packages, SomeContents().resolved);
  EXPECT_EQ(found->base, SomeContents().base);
}

TEST_F(LockFileTest, AChangedListNoLongerFits) {
  static_cast<void>(Written());
  const auto lock = LockFile::Load(path_).value().value();
  for (const EnvironmentSpec& spec :
       {EnvironmentSpec{"3.10", std::nullopt, {"tree"}, {{"six", false}, {"torch", true}}, {}},
        EnvironmentSpec{"3.11", std::nullopt, {"tree"}, {{"six", false}, {"torch", false}}, {}},
        EnvironmentSpec{"3.11", "other", {"tree"}, {{"six", false}, {"torch", true}}, {}}}) {
    const auto found = lock.Find(spec);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(found.error().message(), HasSubstr("run `penstock lock` again"));
  }
}

TEST_F(LockFileTest, OnlyWhatLooksLikeAPackageIsTaken) {
  const auto text = Written();
  ASSERT_TRUE(LoadText(text));
  for (const auto* line :
       {"six==1.17.0; rm", "--index-url==x", "six==1.17.0 -r x", "six @ y==1", "six==$(x)", "six==`x`"}) {
    const auto bad = LoadText(Replace(text, "six==1.17.0", line));
    ASSERT_FALSE(bad) << line;
    EXPECT_EQ(bad.error().code(), ErrorCode::kInvalidArgument);
  }
  EXPECT_FALSE(LoadText(Replace(text, "tree=1:2.1.0-1", "tree=$(reboot)")));
  EXPECT_FALSE(LoadText(Replace(text, kHash, "short")));
  EXPECT_FALSE(LoadText(Replace(text, "\"version\": 1", "\"version\": 2")));
  EXPECT_FALSE(LoadText("[]"));
  EXPECT_FALSE(LoadText("{}"));
}

TEST_F(LockFileTest, WhatHasNoHashCannotBeLocked) {
  auto contents = SomeContents();
  contents.resolved.pip[0].sha256.clear();
  const auto unknown = LockFile(path_).Add(contents);
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message(), HasSubstr("'six' 1.17.0 cannot be locked"));

  contents = SomeContents();
  contents.spec.python_packages.push_back({"x @ git+https://example.com/x", false});
  const auto checkout = LockFile(path_).Add(contents);
  ASSERT_FALSE(checkout);
  EXPECT_THAT(checkout.error().message(), HasSubstr("a checkout has no hash"));
}

TEST_F(LockFileTest, NoFileIsNoLock) { EXPECT_EQ(LockFile::Load(path_).value().has_value(), false); }

}  // namespace
}  // namespace penstock::image
