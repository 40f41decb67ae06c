#include "session/share_key.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "manifest/load.h"

namespace penstock::session {
namespace {
namespace fs = std::filesystem;

class Key : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "key-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    std::ofstream(directory_ / "nodes.py") << "one";
  }
  void TearDown() override { fs::remove_all(directory_); }
  auto Of(const std::string& node, const WorkerCommand& command = {}) const -> std::string {
    const auto text = "{version: v1, metadata: {name: t}, nodes: [" + node +
                      ", {id: s, node_type: \"nodes:S\"}], connections: [{from: n, to: s}]}";
    const auto pipeline = manifest::Parse(text, "test.yaml", directory_.string());
    const auto plan = plan::MakePlan(pipeline.value(), {.cpus = 4, .memory_bytes = 8ULL << 30U, .native_nodes = {}},
                                     plan::PlacementOverride::kAsDeclared)
                          .value();
    return ShareKey(plan, plan.nodes.at(0), command);
  }
  fs::path directory_;
};
constexpr const char* kNode = R"({id: n, node_type: "nodes:N", params: {size: 1}})";

TEST_F(Key, IsThatOfTheNextSession) {
  EXPECT_FALSE(Of(kNode).empty());
  EXPECT_EQ(Of(kNode), Of(kNode));
  fs::create_directory(directory_ / "out");
  std::ofstream(directory_ / "out/result.wav") << "what a session writes";
  EXPECT_EQ(Of(kNode), Of(kNode));
}

TEST_F(Key, DiffersWithTypeParamsCommandAndCode) {
  const auto key = Of(kNode);
  EXPECT_NE(key, Of(R"({id: n, node_type: "nodes:M", params: {size: 1}})"));
  EXPECT_NE(key, Of(R"({id: n, node_type: "nodes:N", params: {size: 2}})"));
  EXPECT_NE(key, Of(kNode, {.argv = {"python3.12"}, .env = {}, .cwd = {}}));
  EXPECT_NE(key, Of(kNode, {.argv = {}, .env = {{"A", "1"}}, .cwd = {}}));
  std::ofstream(directory_ / "nodes.py") << "other";
  EXPECT_NE(key, Of(kNode));
}

// As a deployment does it: the folder that holds the code is passed over by its name, the link to it is not.
TEST_F(Key, DiffersWithCodeBehindALinkedFolder) {
  fs::create_directories(directory_ / ".releases/1");
  std::ofstream(directory_ / ".releases/1/model.py") << "one";
  const auto before = Of(kNode);
  fs::create_directory_symlink(".releases/1", directory_ / "model");
  const auto linked = Of(kNode);
  EXPECT_NE(linked, before);
  EXPECT_EQ(linked, Of(kNode));
  std::ofstream(directory_ / ".releases/1/model.py") << "other";
  EXPECT_NE(linked, Of(kNode));
}

TEST_F(Key, DiffersWithTheTargetOfALink) {
  for (const auto* name : {"a", "b"}) {
    fs::create_directory(directory_ / name);
    std::ofstream(directory_ / name / "model.py") << "same";
  }
  fs::create_directory_symlink("a", directory_ / "current");
  const auto key = Of(kNode);
  fs::remove(directory_ / "current");
  fs::create_directory_symlink("b", directory_ / "current");
  EXPECT_NE(key, Of(kNode));
}

TEST_F(Key, IsFoundThoughLinksGoInCircles) {
  fs::create_directories(directory_ / ".a/deep");
  fs::create_directory(directory_ / ".b");
  fs::create_directory_symlink(".", directory_ / "self");
  fs::create_directory_symlink(".a", directory_ / "a");
  fs::create_directory_symlink("../../.b", directory_ / ".a/deep/b");
  fs::create_directory_symlink("../.a", directory_ / ".b/a");
  std::ofstream(directory_ / ".b/model.py") << "one";
  const auto key = Of(kNode);
  EXPECT_FALSE(key.empty());
  EXPECT_EQ(key, Of(kNode));
  std::ofstream(directory_ / ".b/model.py") << "other";
  EXPECT_NE(key, Of(kNode));
}

TEST_F(Key, DoesNotLookWhereALinkLeavesTheFolder) {
  fs::create_directory_symlink("/", directory_ / "everything");
  EXPECT_FALSE(Of(kNode).empty());
}

TEST_F(Key, DoesNotDifferWithWhatTheInterpreterCaches) {
  const auto key = Of(kNode);
  fs::create_directory(directory_ / "__pycache__");
  std::ofstream(directory_ / "__pycache__/x.py") << "";
  EXPECT_EQ(key, Of(kNode));
}

}  // namespace
}  // namespace penstock::session
