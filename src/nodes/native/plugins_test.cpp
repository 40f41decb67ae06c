#include "nodes/native/plugins.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace penstock::nodes::native {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

auto Variable(const char* name) -> std::string {
  const char* const value = std::getenv(name);
  return value == nullptr ? "run by ctest, which sets the paths of the plugins" : value;
}

class PluginsTest : public testing::Test {
 protected:
  PluginsTest() {
    fs::create_directories(folder_);
    ::setenv("PENSTOCK_HOME", folder_.c_str(), 1);
  }
  ~PluginsTest() override {
    ::unsetenv(kPluginPath);
    ::unsetenv("PENSTOCK_HOME");
    fs::remove_all(folder_);
  }
  auto File(const fs::path& name) const -> fs::path {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << "no library";
    return folder_ / name;
  }
  auto Problem(const fs::path& path) -> base::Error {
    const auto loaded = registry_.Load(path);
    return loaded ? base::Error(base::ErrorCode::kInternal, "no problem") : loaded.error();
  }

  fs::path folder_ = fs::temp_directory_path() / fmt::format("penstock-plugins-test-{}", ::getpid());
  PluginRegistry registry_;
};

TEST_F(PluginsTest, APluginBringsItsNodes) {
  EXPECT_EQ(registry_.Find("test.lines"), nullptr);
  ASSERT_TRUE(registry_.Load(Variable("PENSTOCK_TEST_PLUGIN")));
  ASSERT_NE(registry_.Find("test.lines"), nullptr);
  EXPECT_STREQ(registry_.Find("test.lines")->name, "test.lines");
  EXPECT_NE(registry_.Find("text.sink"), nullptr);
}

TEST_F(PluginsTest, OneOfAnotherVersionIsRefusedWithBothVersions) {
  const auto path = Variable("PENSTOCK_OLD_PLUGIN");
  const auto problem = Problem(path);
  EXPECT_EQ(problem.code(), base::ErrorCode::kUnsupported);
  EXPECT_EQ(problem.message(),
            fmt::format("the plugin '{}' was built for version {} of the plugin interface, this worker has version {}: "
                        "rebuild it",
                        path, Plugin::kAbiVersion - 1, Plugin::kAbiVersion));
}

TEST_F(PluginsTest, ANameThatExistsAlreadyIsRefused) {
  const auto path = Variable("PENSTOCK_TEST_PLUGIN");
  ASSERT_TRUE(registry_.Load(path));
  EXPECT_EQ(Problem(path).message(), "'" + path + "' brings a node 'test.lines', which exists already");
}

TEST_F(PluginsTest, WhatIsNoPluginIsRefusedWithTheReason) {
  EXPECT_THAT(Problem(File("a.so")).message(), HasSubstr("cannot load the plugin '" + folder_.string() + "/a.so'"));
  EXPECT_THAT(Problem(folder_ / "none.so").message(), HasSubstr("No such file"));
  EXPECT_THAT(Problem("libdl.so.2").message(),
              HasSubstr("'libdl.so.2' is not a plugin: it has no symbol penstock_plugin"));
}

TEST_F(PluginsTest, AreLookedForInTheInstallationAndThenWhereThePathNamesThem) {
  EXPECT_THAT(FindPlugins(), IsEmpty());
  const auto installed = File("lib/penstock/media.so");
  const auto b = File("more/b.so");
  const auto a = File("more/a.so");
  File("more/readme.txt");
  const auto file = File("other/c.plugin");
  const auto none = folder_ / "none";
  ::setenv(kPluginPath, fmt::format("{}::{}:{}", (folder_ / "more").string(), file.string(), none.string()).c_str(), 1);
  EXPECT_THAT(FindPlugins(), ElementsAre(installed, a, b, file, none));
}

}  // namespace
}  // namespace penstock::nodes::native
