#include "nodes/media/source_params.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace penstock::nodes::media {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

auto Parse(const char* text) { return SourceParams::Parse(json::parse(text), "/manifest"); }

auto ProblemOf(const char* text) -> std::string {
  const auto params = Parse(text);
  return params ? "no problem" : params.error().message();
}

TEST(SourceParamsTest, ManifestExampleIsRead) {
  const auto params = Parse(R"({"url": "demo.wav", "audio": {"rate": 16000, "frame_ms": 20}})");
  ASSERT_TRUE(params) << params.error().ToString();
  EXPECT_THAT(params->reader.files, ElementsAre("/manifest/demo.wav"));
  EXPECT_EQ(params->reader.rate, 16000);
  EXPECT_EQ(params->reader.channels, std::nullopt);
  EXPECT_EQ(params->reader.frame_duration, 20ms);
  EXPECT_FALSE(params->realtime);
}

TEST(SourceParamsTest, ListWithPausesIsRead) {
  const auto params = Parse(
      R"({"urls": ["a.g722", "/b.g722", "file:///c.wav", "file:d.wav"], "pause_ms": 800, "format": "g722", "realtime": true, "audio": {"channels": 1, "frame_ms": 2.5}})");
  ASSERT_TRUE(params) << params.error().ToString();
  EXPECT_THAT(params->reader.files, ElementsAre("/manifest/a.g722", "/b.g722", "/c.wav", "/manifest/d.wav"));
  EXPECT_EQ(params->reader.pause, 800ms);
  EXPECT_EQ(params->reader.format, "g722");
  EXPECT_EQ(params->reader.channels, 1);
  EXPECT_EQ(params->reader.frame_duration, 2500us);
  EXPECT_TRUE(params->realtime);
}

TEST(SourceParamsTest, UnknownKeysAreNamedWithTheNearestKnownOne) {
  EXPECT_THAT(ProblemOf(R"({"url": "a.wav", "audo": {}})"), AllOf(HasSubstr("params.audo"), HasSubstr("'audio'")));
  EXPECT_THAT(ProblemOf(R"({"url": "a.wav", "audio": {"sample_rate": 1, "frame": 20}})"),
              AllOf(HasSubstr("params.audio.sample_rate"), HasSubstr("'rate'"), HasSubstr("params.audio.frame"),
                    HasSubstr("'frame_ms'")));
}

TEST(SourceParamsTest, AllProblemsAreToldAtOnce) {
  EXPECT_THAT(ProblemOf(R"({"url": 7, "pause_ms": -1, "realtime": "yes", "audio": {"rate": 16000.5, "channels": 0}})"),
              AllOf(HasSubstr("params.url: must be a text that is not empty, not 7"), HasSubstr("params.pause_ms"),
                    HasSubstr("params.realtime"), HasSubstr("params.audio.rate"), HasSubstr("params.audio.channels")));
}

TEST(SourceParamsTest, ExactlyOneOfUrlAndUrlsIsNeeded) {
  EXPECT_THAT(ProblemOf("{}"), HasSubstr("give one of url"));
  EXPECT_THAT(ProblemOf(R"({"url": "a", "urls": ["b"]})"), HasSubstr("give one of url"));
  EXPECT_THAT(ProblemOf(R"({"urls": []})"), HasSubstr("at least one file"));
  EXPECT_THAT(ProblemOf("null"), HasSubstr("url"));
}

TEST(SourceParamsTest, NetworkAddressesAreRefused) {
  EXPECT_THAT(ProblemOf(R"({"url": "https://example.org/a.wav"})"), AllOf(HasSubstr("'https'"), HasSubstr("download")));
}

}  // namespace
}  // namespace penstock::nodes::media
