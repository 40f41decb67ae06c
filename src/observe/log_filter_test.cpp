#include "observe/log_filter.h"

#include <gtest/gtest.h>

namespace penstock::observe {
namespace {

auto Filter() -> LogFilter { return {}; }

TEST(LogFilter, LetsEverythingPassUnlessAsked) { EXPECT_TRUE(Filter().Matches({.level = base::LogLevel::kDebug})); }

TEST(LogFilter, SelectsByNodeTimeAndLevel) {
  auto filter = Filter();
  filter.nodes = {"vad", "asr"};
  filter.since_ns = 100;
  filter.level = base::LogLevel::kWarning;
  const LogRecord wanted{.time_ns = 100, .node = "asr", .level = base::LogLevel::kWarning};
  EXPECT_TRUE(filter.Matches(wanted));
  auto other = wanted;
  other.node = "print";
  EXPECT_FALSE(filter.Matches(other));
  other = wanted;
  other.time_ns = 99;
  EXPECT_FALSE(filter.Matches(other));
  other = wanted;
  other.level = base::LogLevel::kInfo;
  EXPECT_FALSE(filter.Matches(other));
}

TEST(LogFilter, SearchesInAnyBytesAndVeryLongLines) {
  auto filter = Filter();
  auto pattern = Pattern::Compile("frame [0-9]+ (lost|late)");
  ASSERT_TRUE(pattern);
  filter.pattern = std::move(*pattern);
  std::string text(std::size_t{1} << 20U, 'x');
  text += std::string("\0\xff", 2) + "frame 12 late";
  EXPECT_TRUE(filter.Matches({.text = text}));
  EXPECT_FALSE(filter.Matches({.text = "frame twelve late"}));
}

TEST(LogFilter, SaysWhatIsWrongWithAnExpression) {
  const auto pattern = Pattern::Compile("(open");
  ASSERT_FALSE(pattern);
  EXPECT_EQ(pattern.error().code(), base::ErrorCode::kInvalidArgument);
  EXPECT_NE(pattern.error().message().find("(open"), std::string::npos);
}

}  // namespace
}  // namespace penstock::observe
