// Input that was made to hurt, and input that was damaged at random: always an answer, never a crash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "manifest/load.h"

namespace penstock::manifest {
namespace {

auto FirstError(const std::string& text) -> std::string {
  const auto parsed = Parse(text, "x.yaml", "/");
  return parsed ? "accepted" : parsed.error().at(0).ToString();
}

TEST(HostileManifest, DeepNestingIsRefused) {
  EXPECT_THAT(FirstError(std::string(100'000, '[') + std::string(100'000, ']')),
              testing::HasSubstr("nested more than 64 levels deep"));
  EXPECT_NE(FirstError(std::string(100'000, '[')), "accepted");
  EXPECT_NE(FirstError(std::string(100'000, '{')), "accepted");
}

TEST(HostileManifest, DeepBlockNestingIsRefused) {
  std::string text;
  for (std::size_t depth = 0; depth < 1000; ++depth) text += std::string(depth, ' ') + "a:\n";

  EXPECT_THAT(FirstError(text), testing::HasSubstr("nested more than 64 levels deep"));
}

TEST(HostileManifest, AliasesThatMultiplyAreRefused) {
  std::string text = "a0: &a0 [1,1,1,1,1,1,1,1,1]\n";
  for (int level = 1; level < 12; ++level) {
    text += fmt::format("a{0}: &a{0} [*a{1},*a{1},*a{1},*a{1},*a{1},*a{1},*a{1},*a{1},*a{1}]\n", level, level - 1);
  }

  EXPECT_THAT(FirstError(text), testing::HasSubstr("with aliases expanded"));
}

TEST(HostileManifest, NestingThroughAliasesIsRefusedLikeAnyOther) {
  const auto nested = [](int levels, const std::string& inner) {
    return std::string(static_cast<std::size_t>(levels), '[') + inner +
           std::string(static_cast<std::size_t>(levels), ']');
  };
  const auto text = [&](int levels) { return fmt::format("a: &a {}\nb: {}\n", nested(levels, "1"), nested(30, "*a")); };

  EXPECT_EQ(FirstError(text(34)), "x.yaml:2:34: nested more than 64 levels deep, with aliases expanded");
  EXPECT_THAT(FirstError(text(33)), testing::HasSubstr("the manifest has no"));
}

/// Whatever is read once for each alias is told once, and quadratic in none of it.
TEST(HostileManifest, ErrorsOfValuesWithManyAliasesAreKeptOnce) {
  std::string text = "version: v1\nmetadata: {name: x}\nnodes:\n  - &n {id: n, node_type: \"a:A\", join: {on: time}}\n";
  for (int count = 0; count < 20'000; ++count) text += "  - *n\n";
  text += "connections:\n  - &c {from: m, to: n}\n";
  for (int count = 0; count < 20'000; ++count) text += "  - *c\n";

  const auto parsed = Parse(text, "x.yaml", "/");

  ASSERT_FALSE(parsed);
  EXPECT_THAT(RenderErrors(parsed.error()), testing::EndsWith("4 errors\n")) << RenderErrors(parsed.error());
}

TEST(HostileManifest, KeysThatCouldNotBeWrittenAsJsonAreRefused) {
  const auto with_key = [](const std::string& key) {
    return fmt::format(
        "version: v1\nmetadata: {{name: x}}\nnodes:\n  - id: a\n    node_type: a:A\n    params:\n      ? {}\n      : "
        "1\n",
        key);
  };

  EXPECT_EQ(FirstError(with_key(std::string(998, 'k'))), "accepted");
  EXPECT_EQ(FirstError(with_key(std::string(999, 'k'))),
            "x.yaml:7:9: a key of 999 bytes; at most 1000 are possible, as JSON writes them");
}

TEST(HostileManifest, CharactersThatJsonDoesNotEscapeAreReadInIt) {
  const auto parsed =
      Parse("version: v1\nmetadata: {name: \"a\\x7f\\0b\"}\nnodes: [{id: a, node_type: \"a:A\"}]\n", "x.yaml", "/");
  ASSERT_TRUE(parsed) << RenderErrors(parsed.error());
  const auto written = ToJson(*parsed).dump();

  const auto again = Parse(written, "again.json", "/");

  ASSERT_TRUE(again) << RenderErrors(again.error());
  EXPECT_EQ(again->metadata.name, std::string("a\x7f\0b", 4));
}

TEST(HostileManifest, PositionsNeverStandBehindTheEndOfTheirLine) {
  EXPECT_EQ(FirstError("a: \"\\u{"), "x.yaml:1:8: not readable as YAML: bad character found while scanning hex number");
  EXPECT_EQ(FirstError("b: 1\na: \"\\U00e"),
            "x.yaml:2:10: not readable as YAML: bad character found while scanning hex number");
}

TEST(HostileManifest, EveryEscapeGivesWholeCharacters) {
  const auto parsed = Parse(R"(version: v1
metadata: {name: "ä\N\_\L\P\e\xA0é\_"}
nodes: [{id: a, node_type: "a:A", params: {"k\_": 1}}]
)",
                            "x.yaml", "/");

  ASSERT_TRUE(parsed) << RenderErrors(parsed.error());
  EXPECT_EQ(parsed->metadata.name, "ä\u0085\u00a0\u2028\u2029\u001b\u00a0é\u00a0");
  EXPECT_THAT(ToJson(*parsed).dump(), testing::HasSubstr("k\u00a0"));
}

TEST(HostileManifest, HugeTextIsRefused) {
  EXPECT_THAT(FirstError(std::string(9 * 1024 * 1024, 'a')), testing::HasSubstr("a manifest has at most"));
}

TEST(HostileManifest, ControlCharactersAreRefusedWhereTheyAre) {
  EXPECT_EQ(FirstError(std::string("a: ä\nb: \0", 10)),
            "x.yaml:2:4: the control character 0x00 does not belong into a manifest");
}

TEST(HostileManifest, WhatIsNotUtf8IsRefusedWhereItIs) {
  for (const auto* bytes : {"\x80", "\xFF", "\xC3", "\xC0\xAF", "\xE0\x9F\x80", "\xED\xA0\x80", "\xF0\x8F\x80\x80",
                            "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82"}) {
    EXPECT_THAT(FirstError(fmt::format("a: ä\nb: ü{}\n", bytes)),
                testing::MatchesRegex("x.yaml:2:5: the byte 0x.. is not UTF-8: save the file as UTF-8"))
        << testing::PrintToString(bytes);
  }
  // The first and the last of each length.
  EXPECT_THAT(FirstError("a: \u007e\u0080\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff\n"),
              testing::Not(testing::HasSubstr("UTF-8")));
}

TEST(HostileManifest, AnEndlessFileIsNotReadToItsEnd) {
  const auto loaded = Load("/dev/zero");

  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().at(0).message(), testing::HasSubstr("a manifest has at most"));
}

auto GoodTexts() -> const std::vector<std::string>& {
  static const auto kTexts = [] {
    std::vector<std::string> texts;
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(PENSTOCK_MANIFESTS) / "good")) {
      std::ifstream stream(entry.path(), std::ios::binary);
      std::ostringstream text;
      text << stream.rdbuf();
      texts.push_back(text.str());
    }
    return texts;
  }();
  return kTexts;
}

struct Mutation {
  std::size_t at;
  std::size_t removed;
  std::string inserted;
};

auto Mutations() -> rc::Gen<std::vector<Mutation>> {
  const auto pieces = rc::gen::element<std::string>(
      "", " ", "\n", "\t", ":", "- ", "{", "}", "[", "]", ",", "\"", "'", "#", "&a ", "*a", "<<: ", "|", ">", "!", "%",
      "@", "~", "0", "-1", "1e999", "null", "\\", "\\u", "\xC3", "\xFF", "?", "---\n", "...\n", "id", "docker: ");
  const auto mutation =
      rc::gen::apply([](std::size_t at, std::size_t removed,
                        std::string inserted) { return Mutation{at, removed, std::move(inserted)}; },
                     rc::gen::inRange<std::size_t>(0, 4096), rc::gen::inRange<std::size_t>(0, 12), pieces);
  return rc::gen::nonEmpty(rc::gen::container<std::vector<Mutation>>(mutation));
}

RC_GTEST_PROP(HostileManifest, DamagedManifestsGiveModelsOrSortedErrorsWithPositions, ()) {
  auto text = *rc::gen::elementOf(GoodTexts());
  for (const auto& mutation : *rc::gen::noShrink(Mutations())) {
    const auto at = text.empty() ? 0 : mutation.at % text.size();
    text.replace(at, std::min(mutation.removed, text.size() - at), mutation.inserted);
  }

  const auto parsed = Parse(text, "x.yaml", "/");

  if (parsed) {
    const auto written = ToJson(*parsed);
    const auto again = Parse(written.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), "again.json", "/");
    RC_ASSERT(again.has_value());
    return;
  }
  RC_ASSERT(!parsed.error().empty());
  std::pair<int, int> last{0, 0};
  for (const auto& error : parsed.error()) {
    RC_ASSERT(error.position().has_value());
    const std::pair at{error.position()->line, error.position()->column};
    RC_ASSERT(at >= last);
    RC_ASSERT(at.first >= 1 && at.second >= 1);
    last = at;
  }
}

}  // namespace
}  // namespace penstock::manifest
