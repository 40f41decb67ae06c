#include "image/ignore_file.h"

#include <filesystem>
#include <optional>
#include <ranges>

namespace penstock::image {
namespace {

auto Trim(std::string_view text) -> std::string_view {
  constexpr std::string_view kSpace = " \t\r\v\f";
  const auto begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// "./a//b/" and "/a/b" are "a/b"; the context itself is "".
auto Clean(std::string_view pattern) -> std::string {
  auto clean = std::filesystem::path(pattern).lexically_normal().string();
  while (clean.ends_with('/')) clean.pop_back();
  if (clean.starts_with('/')) clean.erase(0, 1);
  return clean == "." ? std::string() : clean;
}

/// The docker command's patterns (those of Go's path/filepath.Match, and `**`) as expressions of ECMAScript.
class Translator final {
 public:
  explicit Translator(std::string_view pattern) : rest_(pattern) {}

  /// nullopt: it is no pattern.
  auto Run() -> std::optional<std::string> {
    while (!rest_.empty()) {
      const bool good = rest_.starts_with('*') ? Stars() : rest_.starts_with('[') ? Class() : Character();
      if (!good) return std::nullopt;
    }
    return std::move(regex_);
  }

 private:
  auto Skip(std::string_view text) -> bool {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }

  // Two of them also match no folder at all, so that the slash behind them goes with them.
  auto Stars() -> bool {
    if (!Skip("**")) {
      rest_.remove_prefix(1);
      regex_ += "[^/]*";
      return true;
    }
    Skip("/");
    regex_ += rest_.empty() ? ".*" : "(.*/)?";
    return true;
  }

  auto Class() -> bool {
    Skip("[");
    regex_ += Skip("^") ? "[^" : "[";
    bool is_empty = true;
    while (!Skip("]")) {
      if (!ClassMember() || (Skip("-") && !Between())) return false;
      is_empty = false;
    }
    regex_ += ']';
    return !is_empty;
  }
  auto Between() -> bool {
    regex_ += '-';
    return ClassMember();
  }
  auto ClassMember() -> bool {
    if (rest_.starts_with('-') || rest_.starts_with(']')) return false;
    return Literal(R"(\^-[])");
  }

  auto Character() -> bool {
    if (!Skip("?")) return Literal(R"(.+(){}|^$\*?[])");
    regex_ += "[^/]";
    return true;
  }

  // A backslash takes away what the next character means.
  auto Literal(std::string_view special) -> bool {
    Skip("\\");
    if (rest_.empty()) return false;
    if (special.find(rest_.front()) != std::string_view::npos) regex_ += '\\';
    regex_ += rest_.front();
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view rest_;
  std::string regex_;
};

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
    const auto broken = [&] {
      return base::Fail(base::ErrorCode::kInvalidArgument, "line {}: '{}' is no pattern", number, Trim(raw));
    };
    if (line.empty() && exception) return broken();
    const auto clean = Clean(line);
    if (clean.empty()) continue;
    const auto regex = Translator(clean).Run();
    if (!regex) return broken();
    try {
      file.rules_.push_back({std::regex(*regex), !exception});
    } catch (const std::regex_error&) {  // "[b-a]"
      return broken();
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
