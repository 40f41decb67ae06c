#include "observe/log_record.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include "observe/json_text.h"
#include "observe/log_time.h"

namespace penstock::observe {
namespace {

auto LineOf(const LogRecord& record) -> std::string {
  std::string line;
  AppendJson(record, "0190", line);
  return line;
}

RC_GTEST_PROP(LogRecord, KeepsAnyBytes, (const std::string& text, const std::string& logger)) {
  const LogRecord record{.time_ns = *rc::gen::inRange<std::int64_t>(0, INT64_MAX / 2),
                         .node = "vad",
                         .stream = Stream::kStderr,
                         .text = text};
  const auto line = LineOf(record);
  RC_ASSERT(line.find('\n') == line.size() - 1);
  RC_ASSERT(nlohmann::json::parse(line).is_object());
  const auto again = ParseRecord(line);
  RC_ASSERT(again.has_value());
  RC_ASSERT(again->text == text);
  RC_ASSERT(again->time_ns == record.time_ns);
  RC_ASSERT(FromBase64(Base64(logger)) == logger);
}

TEST(LogRecord, SpellsWhatReadersRelyOn) {
  EXPECT_EQ(LineOf({.time_ns = 1'700'000'000'000'000'001,
                    .node = "vad",
                    .stream = Stream::kLog,
                    .level = base::LogLevel::kError,
                    .logger = "asr.model",
                    .text = "a \"b\"\n\x01 \xc3\xa9"}),
            "{\"time\":\"2023-11-14T22:13:20.000000001Z\",\"session\":\"0190\",\"node\":\"vad\",\"stream\":\"log\","
            "\"level\":\"error\",\"logger\":\"asr.model\",\"message\":\"a \\\"b\\\"\\n\\u0001 \xc3\xa9\"}\n");
}

TEST(LogRecord, KeepsBytesThatAreNoTextBesideWhatCanBeRead) {
  const auto json = nlohmann::json::parse(LineOf({.node = "cam", .text = "ab\xff\xed\xa0\x80"}));
  EXPECT_EQ(json["message"], "ab\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(json["base64"], "YWL/7aCA");
}

TEST(LogRecord, IsRefusedWhenItIsNone) {
  for (const auto* line : {"", "{", "[]", "{}", R"({"time":"yesterday","stream":"log","level":"info"})"})
    EXPECT_FALSE(ParseRecord(line)) << line;
}

TEST(LogRecord, OfAWorkerKeepsItsOwnTimeLevelAndLogger) {
  const auto record =
      RecordOfWorker(R"({"level":"warning","logger":"vad","message":"quiet","time_ns":2500000000})", "n", 7);
  EXPECT_EQ(record.time_ns, 2'500'000'000);
  EXPECT_EQ(record.level, base::LogLevel::kWarning);
  EXPECT_EQ(record.logger, "vad");
  EXPECT_EQ(record.text, "quiet");
}

TEST(LogRecord, OfAWorkerThatIsCutOffIsKeptAsText) {
  const auto record = RecordOfWorker(R"({"level":"warning","mess)", "n", 7);
  EXPECT_EQ(record.text, R"({"level":"warning","mess)");
  EXPECT_EQ(record.time_ns, 7);
}

TEST(LogTime, UnderstandsWhatPeopleType) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const auto morning = ParseTime("2026-01-31T08:15:00Z", 0);
  ASSERT_TRUE(morning);
  EXPECT_EQ(ParseTime("2026-01-31 08:15Z", 0), morning);
  EXPECT_EQ(ParseTime("08:15Z", *morning + 3600 * kSecond), morning);
  EXPECT_EQ(ParseTime("2026-01-31Z", 0), *morning - (8 * 3600 + 15 * 60) * kSecond);
  EXPECT_EQ(ParseTime("2026-01-31T08:15:00.5Z", 0), *morning + kSecond / 2);
  for (const auto* text : {"", "soon", "2026-01-31T08:15:00Zulu", "25:00", "2026-13-01"})
    EXPECT_FALSE(ParseTime(text, 0)) << text;
}

}  // namespace
}  // namespace penstock::observe
