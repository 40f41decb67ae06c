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

TEST_F(Key, DoesNotDifferWithWhatTheInterpreterCaches) {
  const auto key = Of(kNode);
  fs::create_directory(directory_ / "__pycache__");
  std::ofstream(directory_ / "__pycache__/x.py") << "";
  EXPECT_EQ(key, Of(kNode));
}

}  // namespace
}  // namespace penstock::session
