#include "image/ignore_file.h"

#include <filesystem>
#include <ranges>

namespace penstock::image {
namespace {

auto Trim(std::string_view text) -> std::string_view {
  constexpr std::string_view kSpace = " \t\r\v\f";
  const auto begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// "./a//b/" and "/a/b" are "a/b".
auto Clean(std::string_view pattern) -> std::string {
  auto clean = std::filesystem::path(fmt::format("/{}", pattern)).lexically_normal().string();
  while (clean.size() > 1 && clean.back() == '/') clean.pop_back();
  return clean.substr(1);
}

auto ToRegex(std::string_view pattern) -> std::string {
  std::string regex;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (pattern.substr(i).starts_with("**/")) {
      regex += "(.*/)?";
      i += 2;
    } else if (pattern.substr(i).starts_with("**")) {
      regex += ".*";
      ++i;
    } else if (c == '*') {
      regex += "[^/]*";
    } else if (c == '?') {
      regex += "[^/]";
    } else if (c == '[' || c == ']') {
      regex += c;
    } else {
      if (c == '\\' && i + 1 < pattern.size()) ++i;
      if (std::string_view(R"(.+(){}|^$\*?[])").find(pattern[i]) != std::string_view::npos &&
          !(c == '^' && i > 0 && pattern[i - 1] == '[')) {
        regex += '\\';
      }
      regex += pattern[i];
    }
  }
  return regex;
}

// The path itself, and every folder above it.
auto Matches(const std::regex& pattern, const std::string& path) -> bool {
  if (std::regex_match(path, pattern)) return true;
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (std::regex_match(path.substr(0, slash), pattern)) return true;
  }
  return false;
}

}  // namespace

auto IgnoreFile::Parse(std::string_view text) -> base::Expected<IgnoreFile> {
  IgnoreFile file;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  int number = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto raw = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (raw.starts_with('#')) continue;
    auto line = Trim(raw);
    const bool exception = line.starts_with('!');
    if (exception) line = Trim(line.substr(1));
    if (line.empty()) continue;
    const auto clean = Clean(line);
    if (clean.empty()) continue;
    try {
      file.rules_.push_back({std::regex(ToRegex(clean)), !exception});
    } catch (const std::regex_error&) {
      return base::Fail(base::ErrorCode::kInvalidArgument, "line {}: '{}' is no pattern", number, line);
    }
    file.has_exceptions_ = file.has_exceptions_ || exception;
  }
  return file;
}

auto IgnoreFile::Ignores(const std::string& path) const -> bool {
  for (const auto& rule : std::views::reverse(rules_)) {
    if (Matches(rule.pattern, path)) return rule.ignore;
  }
  return false;
}

}  // namespace penstock::image
