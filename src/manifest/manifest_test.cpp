// The corpus: every good manifest loads and says the same when written out again; every bad one gives exactly the
// errors that its author expects, written in its `# error: line:column: text` lines (JSON: in a file beside it).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "manifest/load.h"

namespace penstock::manifest {
namespace {

namespace fs = std::filesystem;

auto CorpusFiles(const std::string& folder) -> std::vector<fs::path> {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(PENSTOCK_MANIFESTS) / folder)) {
    const auto extension = entry.path().extension();
    if (extension == ".yaml" || extension == ".json") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

auto ReadText(const fs::path& path) -> std::string {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

auto ExpectedErrors(const fs::path& path) -> std::vector<std::string> {
  static constexpr std::string_view kMark = "# error: ";
  const auto beside = fs::path(path.string() + ".errors");
  std::istringstream lines(ReadText(fs::exists(beside) ? beside : path));
  std::vector<std::string> expected;
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.starts_with(kMark)) expected.push_back(path.string() + ":" + line.substr(kMark.size()));
  }
  return expected;
}

auto TestName(const testing::TestParamInfo<fs::path>& info) -> std::string {
  auto name = info.param.filename().string();
  std::ranges::replace(name, '.', '_');
  return name;
}

auto Texts(const Errors& errors) -> std::vector<std::string> {
  std::vector<std::string> texts;
  for (const auto& error : errors) texts.push_back(error.ToString());
  return texts;
}

class GoodManifest : public testing::TestWithParam<fs::path> {};

TEST_P(GoodManifest, LoadsAndWritesOutAsTheSameModel) {
  const auto loaded = Load(GetParam());
  ASSERT_TRUE(loaded) << RenderErrors(loaded.error());

  const auto written = ToJson(*loaded);
  const auto again = Parse(written.dump(), "written.json", "/");

  ASSERT_TRUE(again) << written.dump(2) << "\n" << RenderErrors(again.error());
  EXPECT_EQ(ToJson(*again), written);
}

INSTANTIATE_TEST_SUITE_P(Corpus, GoodManifest, testing::ValuesIn(CorpusFiles("good")), TestName);

class BadManifest : public testing::TestWithParam<fs::path> {};

TEST_P(BadManifest, GivesExactlyTheExpectedErrors) {
  const auto expected = ExpectedErrors(GetParam());
  ASSERT_FALSE(expected.empty()) << "the manifest does not say what is wrong with it";

  const auto loaded = Load(GetParam());

  ASSERT_FALSE(loaded) << "accepted";
  EXPECT_THAT(Texts(loaded.error()), testing::ElementsAreArray(expected));
}

INSTANTIATE_TEST_SUITE_P(Corpus, BadManifest, testing::ValuesIn(CorpusFiles("bad")), TestName);

auto LoadGood(const std::string& name) -> Pipeline {
  auto loaded = Load(fs::path(PENSTOCK_MANIFESTS) / "good" / name);
  EXPECT_TRUE(loaded) << RenderErrors(loaded.error());
  return loaded ? *std::move(loaded) : Pipeline{};
}

TEST(Manifest, ParamsKeepTheirTypes) {
  const auto pipeline = LoadGood("params_of_every_kind.yaml");

  const auto expected = nlohmann::json::parse(R"({
    "text": "plain text with a colon, but no quotes", "block": "line one\nline two\n", "folded": "joined words",
    "hex": 31, "octal": 15, "negative": -7, "fraction": 0.5, "yes_is_text": "yes", "quoted": "012", "nothing": null,
    "truth": [true, false, true], "nested": {"list": [{"deep": [1, 2.5, null]}]}, "underscore": "1_000",
    "date": "2026-01-02", "infinity": ".inf", "tagged": "5"})");
  EXPECT_EQ(*pipeline.nodes.at(0).params, expected);
}

TEST(Manifest, EveryFieldReachesTheModel) {
  const auto pipeline = LoadGood("every_field.json");

  ASSERT_EQ(pipeline.nodes.size(), 2);
  EXPECT_EQ(pipeline.metadata.description, "ä 😀 \"quoted\" / \\");
  const auto& process = pipeline.nodes[0];
  EXPECT_EQ(process.params->at("i"), 9007199254740993);
  EXPECT_EQ(process.runtime_hint, RuntimeHint::kRustPython);
  EXPECT_EQ(process.python, "/usr/bin/python3.11");
  EXPECT_EQ(process.start_timeout, std::chrono::milliseconds(2500));
  EXPECT_EQ(pipeline.nodes[1].on_failure, OnFailure::kRestart);
  ASSERT_TRUE(pipeline.nodes[1].retry);
  EXPECT_EQ(pipeline.nodes[1].retry->max_attempts, 2);
  EXPECT_EQ(pipeline.nodes[1].retry->backoff, std::chrono::minutes(1));
  EXPECT_EQ(pipeline.nodes[1].retry->window, std::chrono::hours(1));
  EXPECT_EQ(pipeline.nodes[1].process_timeout, std::chrono::seconds(30));
  const auto& docker = *pipeline.nodes[1].docker;
  EXPECT_EQ(docker.resource_limits.memory_mb, 128);
  EXPECT_EQ(docker.resource_limits.cpu_cores, 0.1);
  EXPECT_EQ(docker.network, Network::kBridge);
  EXPECT_EQ(docker.env, (std::map<std::string, std::string>{{"A", "b"}, {"N", "1"}}));
  const auto& edge = pipeline.connections.at(0);
  EXPECT_EQ(edge.policy, Policy::kDropOldest);
  EXPECT_EQ(edge.max_message_bytes, 1536 * 1024);
  EXPECT_EQ(pipeline.session.start_timeout, std::chrono::hours(1));
}

TEST(Manifest, AJoinReachesTheModelWithItsTolerance) {
  const auto pipeline = LoadGood("joins.yaml");

  EXPECT_FALSE(pipeline.nodes.at(1).join);
  EXPECT_FALSE(pipeline.nodes.at(2).join->tolerance);
  EXPECT_EQ(pipeline.nodes.at(3).join->tolerance, std::chrono::milliseconds(20));
  EXPECT_EQ(pipeline.nodes.at(4).join->tolerance, Duration::zero());
}

TEST(Manifest, MergedKeysGiveWayToGivenOnesAndEarlierMergesToNone) {
  const auto pipeline = LoadGood("anchors_and_merges.yaml");

  const auto& merged = *pipeline.nodes.at(1).docker;
  EXPECT_EQ(merged.python_version, "3.11");
  EXPECT_EQ(merged.resource_limits.memory_mb, 512);
  EXPECT_EQ(merged.resource_limits.cpu_cores, 1);
  EXPECT_EQ(pipeline.nodes.at(2).docker->python_version, "3.9");
}

TEST(Manifest, AnUnquotedVersionIsReadAsWritten) {
  const auto docker = *LoadGood("flat_docker_spelling.yaml").nodes.at(0).docker;

  EXPECT_EQ(docker.python_version, "3.10");
  EXPECT_EQ(docker.resource_limits.memory_mb, 256);
  EXPECT_EQ(docker.system_dependencies, std::vector<std::string>{"libgomp1"});
}

TEST(Manifest, MissingFileSaysWhich) {
  const auto loaded = Load("/nonexistent/pipeline.yaml");

  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().at(0).code(), base::ErrorCode::kNotFound);
  EXPECT_THAT(loaded.error().at(0).message(), testing::HasSubstr("/nonexistent/pipeline.yaml"));
}

TEST(Manifest, NodeCodeIsBesideTheManifest) {
  const auto pipeline = LoadGood("single_node.yaml");

  EXPECT_EQ(pipeline.directory, fs::canonical(fs::path(PENSTOCK_MANIFESTS) / "good"));
}

TEST(Manifest, TheExamplesLoad) {
  std::size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(PENSTOCK_EXAMPLES)) {
    if (entry.path().extension() != ".yaml") continue;
    const auto loaded = Load(entry.path());
    EXPECT_TRUE(loaded) << RenderErrors(loaded.error());
    ++count;
  }
  EXPECT_GE(count, 2);
}

TEST(Manifest, SeveralErrorsRenderWithTheirNumber) {
  const auto parsed = Parse("version: v1\n", "p.yaml", "/");

  ASSERT_FALSE(parsed);
  EXPECT_EQ(RenderErrors(parsed.error()),
            "p.yaml:1:1: the manifest has no 'metadata'\np.yaml:1:1: the manifest has no 'nodes'\n2 errors\n");
}

}  // namespace
}  // namespace penstock::manifest
