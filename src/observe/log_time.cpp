#include "observe/log_time.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

namespace penstock::observe {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::size_t kUtcLength = std::string_view("2026-01-31T08:15:30.123456789Z").size();

auto Broken(std::time_t seconds, bool utc) -> std::tm {
  std::tm fields{};
  if (utc) {
    ::gmtime_r(&seconds, &fields);
  } else {
    ::localtime_r(&seconds, &fields);
  }
  return fields;
}

// Nanoseconds of ".123"; nullopt for anything else but nothing.
auto Fraction(std::string_view text) -> std::optional<std::int64_t> {
  constexpr std::size_t kDigits = 9;
  if (text.empty()) return 0;
  if (text.front() != '.' || text.size() < 2 || text.size() > kDigits + 1) return std::nullopt;
  std::string digits(text.substr(1));
  digits.resize(kDigits, '0');
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

// What strptime leaves of the text; nullptr when it does not begin so. Fields that the format does not name stay.
auto Parse(const std::string& text, const char* format, std::tm& fields) -> const char* {
  return ::strptime(text.c_str(), format, &fields);
}

}  // namespace

void AppendUtc(std::int64_t time_ns, std::string& out) {
  // Lines come many a second: the part up to the second is kept.
  thread_local std::int64_t cached_second = -1;
  thread_local std::string cached;
  const auto second = time_ns / kSecond;
  if (second != cached_second) {
    const auto fields = Broken(second, true);
    cached = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.", fields.tm_year + 1900, fields.tm_mon + 1,
                         fields.tm_mday, fields.tm_hour, fields.tm_min, fields.tm_sec);
    cached_second = second;
  }
  out += cached;
  fmt::format_to(std::back_inserter(out), "{:09}Z", time_ns % kSecond);
}

auto ParseUtc(std::string_view text) -> std::optional<std::int64_t> {
  if (text.size() != kUtcLength || text.back() != 'Z') return std::nullopt;
  return ParseTime(text, 0);
}

auto LocalClock(std::int64_t time_ns) -> std::string {
  const auto fields = Broken(time_ns / kSecond, false);
  return fmt::format("{:02}:{:02}:{:02}.{:03}", fields.tm_hour, fields.tm_min, fields.tm_sec,
                     time_ns % kSecond / 1'000'000);
}

auto ParseTime(std::string_view given, std::int64_t now_ns) -> std::optional<std::int64_t> {
  std::string text(given);
  const bool utc = text.ends_with('Z');
  if (utc) text.pop_back();
  constexpr std::array kFormats{"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M",
                                "%Y-%m-%d",          "%H:%M:%S",          "%H:%M"};
  for (const auto* format : kFormats) {
    auto fields = Broken(now_ns / kSecond, utc);
    fields.tm_hour = fields.tm_min = fields.tm_sec = 0;
    fields.tm_isdst = -1;
    const char* rest = Parse(text, format, fields);
    if (rest == nullptr) continue;
    const bool has_seconds = std::string_view(format).ends_with("%S");
    const auto fraction = Fraction(rest);
    if (!fraction || (!has_seconds && *rest != '\0')) continue;
    const auto seconds = utc ? ::timegm(&fields) : ::mktime(&fields);
    constexpr std::int64_t kLast = INT64_MAX / kSecond - 1;
    if (seconds < 0 || seconds > kLast) return std::nullopt;
    return seconds * kSecond + *fraction;
  }
  return std::nullopt;
}

auto ParseAge(std::string_view text) -> std::optional<std::chrono::duration<double>> {
  struct Unit {
    std::string_view name;
    double seconds;
  };
  constexpr std::array<Unit, 7> kUnits{
      {{"", 1}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}}};
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  double number = 0;
  const auto* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number, std::chars_format::fixed);
  if (error != std::errc()) return std::nullopt;
  std::string_view name(end, static_cast<std::size_t>(last - end));
  if (name.starts_with(' ')) name.remove_prefix(1);
  const auto* const unit = std::ranges::find(kUnits, name, &Unit::name);
  if (unit == kUnits.end()) return std::nullopt;
  return std::chrono::duration<double>(number * unit->seconds);
}

}  // namespace penstock::observe
