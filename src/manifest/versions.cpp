#include "manifest/versions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "manifest/suggest.h"

namespace penstock::manifest {
namespace {

auto IsDigit(char c) -> bool { return c >= '0' && c <= '9'; }
auto IsAlnum(char c) -> bool { return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

auto Trim(std::string_view text) -> std::string_view {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

auto Skip(std::string_view& text, std::string_view prefix) -> bool {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

auto SkipDigits(std::string_view& text) -> bool {
  const auto before = text.size();
  while (!text.empty() && IsDigit(text.front())) text.remove_prefix(1);
  return text.size() < before;
}

void SkipSeparator(std::string_view& text) {
  if (!text.empty() && (text.front() == '.' || text.front() == '-' || text.front() == '_')) text.remove_prefix(1);
}

/// One of `words`, with or without a separator before and a number after it.
template <std::size_t N>
void SkipPart(std::string_view& text, const std::array<std::string_view, N>& words) {
  auto rest = text;
  SkipSeparator(rest);
  if (!std::ranges::any_of(words, [&](auto word) { return Skip(rest, word); })) return;
  text = rest;
  SkipSeparator(rest);
  if (SkipDigits(rest)) text = rest;
}

struct Release {
  bool valid = false;
  std::size_t numbers = 0;  // of "1.26.4": 3
  bool wildcard = false;    // ends with ".*"
  bool local = false;       // ends with "+cu118"
};

void ReadLocal(std::string_view& text, Release& release) {
  auto rest = text;
  if (!Skip(rest, "+") || rest.empty() || !IsAlnum(rest.front()) || !IsAlnum(rest.back())) return;
  const auto allowed = [](char c) { return IsAlnum(c) || c == '.' || c == '-' || c == '_'; };
  if (!std::ranges::all_of(rest, allowed)) return;
  release.local = true;
  text = {};
}

auto ReadRelease(std::string_view version) -> Release {
  std::string lower(version);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  std::string_view text(lower);
  Release release;
  Skip(text, "v");
  if (auto epoch = text; SkipDigits(epoch) && Skip(epoch, "!")) text = epoch;
  if (!SkipDigits(text)) return release;
  release.numbers = 1;
  for (auto rest = text; Skip(rest, ".") && SkipDigits(rest); text = rest) ++release.numbers;
  if (text == ".*") {
    release.wildcard = release.valid = true;
    return release;
  }
  SkipPart(text, std::array<std::string_view, 8>{"alpha", "beta", "preview", "pre", "rc", "a", "b", "c"});
  if (auto post = text; Skip(post, "-") && SkipDigits(post)) text = post;
  SkipPart(text, std::array<std::string_view, 3>{"post", "rev", "r"});
  SkipPart(text, std::array<std::string_view, 1>{"dev"});
  ReadLocal(text, release);
  release.valid = text.empty();
  return release;
}

auto CheckVersion(std::string_view comparison, std::string_view version) -> std::string {
  if (version.empty()) return fmt::format("has no version after '{}'", comparison);
  if (comparison == "===") return {};  // any text
  const auto release = ReadRelease(version);
  const bool is_equality = comparison == "==" || comparison == "!=";
  if (!release.valid) return fmt::format("has a version that is none: '{}'; versions are like 1.26.4", version);
  if (release.wildcard && !is_equality) {
    return fmt::format("has '.*' after '{}', which only '==' and '!=' may have: write '{}'", comparison,
                       version.substr(0, version.size() - 2));
  }
  if (release.local && !is_equality) {
    return fmt::format("has a local version ('+…') after '{}', which only '==' and '!=' may have", comparison);
  }
  if (comparison == "~=" && release.numbers < 2) {
    return fmt::format("has '~={0}', which says nothing: write '~={0}.0' for any {0}.x, or '>={0}'", version);
  }
  return {};
}

auto CheckVersionClause(std::string_view clause) -> std::string {
  static constexpr std::array<std::string_view, 8> kOperators{"===", "==", "~=", "!=", "<=", ">=", "<", ">"};
  for (const auto comparison : kOperators) {
    if (clause.starts_with(comparison)) return CheckVersion(comparison, Trim(clause.substr(comparison.size())));
  }
  if (clause.starts_with('=')) return "compares with '=': pip wants '=='";
  return fmt::format("is not a requirement line from '{}' on; write it as name==version", clause);
}

constexpr std::array<std::string_view, 12> kVariables{
    "python_version",      "python_full_version",    "os_name",
    "sys_platform",        "platform_release",       "platform_system",
    "platform_version",    "platform_machine",       "platform_python_implementation",
    "implementation_name", "implementation_version", "extra"};

/// Walks a marker's grammar; the first problem stays.
class Marker final {
 public:
  explicit Marker(std::string_view text) : left_(text) {}

  auto Check() -> std::string {
    Or(0);
    if (problem_.empty() && !Trim(left_).empty())
      Complain(fmt::format("has '{}' left over in its marker", Trim(left_)));
    return problem_;
  }

 private:
  static constexpr int kDeepest = 32;
  static constexpr auto kTooEarly = "has a marker that ends too early; write it as python_version < '3.10'";

  void Complain(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
  }

  auto SkipToken(std::string_view token) -> bool {
    left_ = Trim(left_);
    return Skip(left_, token);
  }

  auto SkipWord(std::string_view word) -> bool {
    const auto text = Trim(left_);
    if (!text.starts_with(word) ||
        (text.size() > word.size() && (IsAlnum(text[word.size()]) || text[word.size()] == '_')))
      return false;
    left_ = text.substr(word.size());
    return true;
  }

  void Or(int depth) {
    do {
      And(depth);
    } while (problem_.empty() && SkipWord("or"));
  }

  void And(int depth) {
    do {
      Comparison(depth);
    } while (problem_.empty() && SkipWord("and"));
  }

  void Comparison(int depth) {
    if (SkipToken("(")) {
      if (depth == kDeepest) return Complain("has a marker that is nested too deep");
      Or(depth + 1);
      if (problem_.empty() && !SkipToken(")")) Complain("has a '(' without a ')' in its marker");
      return;
    }
    const bool named = Operand();
    if (!problem_.empty()) return;
    Operator();
    if (!problem_.empty()) return;
    if (!Operand() && !named) Complain("compares two texts in its marker: one side must be a variable");
  }

  void Operator() {
    static constexpr std::array<std::string_view, 8> kOperators{"===", "==", "~=", "!=", "<=", ">=", "<", ">"};
    if (std::ranges::any_of(kOperators, [&](auto comparison) { return SkipToken(comparison); })) return;
    if (Trim(left_).empty()) return Complain(kTooEarly);
    if (SkipWord("in") || (SkipWord("not") && SkipWord("in"))) return;
    Complain(
        fmt::format("has no comparison in its marker before '{}'; write it as python_version < '3.10'", Trim(left_)));
  }

  /// True: it is a variable.
  auto Operand() -> bool {
    left_ = Trim(left_);
    if (!left_.empty() && (left_.front() == '\'' || left_.front() == '"')) {
      const auto end = left_.find(left_.front(), 1);
      if (end == std::string_view::npos) {
        Complain("has a quote in its marker that does not end");
      } else {
        left_.remove_prefix(end + 1);
      }
      return false;
    }
    const auto end = std::ranges::find_if_not(left_, [](char c) { return IsAlnum(c) || c == '_' || c == '.'; });
    const auto name = left_.substr(0, static_cast<std::size_t>(end - left_.begin()));
    left_.remove_prefix(name.size());
    if (name.empty()) {
      Complain(kTooEarly);
    } else if (std::ranges::find(kVariables, name) == kVariables.end()) {
      Complain(IsDigit(name.front()) ? fmt::format("has {0} in its marker without quotes: write '{0}'", name)
                                     : fmt::format("has the variable '{}' in its marker, which there is not{}", name,
                                                   Nearest(name, kVariables).empty() ? "" : Suggest(name, kVariables)));
    }
    return true;
  }

  std::string_view left_;
  std::string problem_;
};

}  // namespace

auto CheckVersions(std::string_view versions) -> std::string {
  versions = Trim(versions);
  if (versions.starts_with('(') && versions.ends_with(')')) versions = versions.substr(1, versions.size() - 2);
  while (!versions.empty()) {
    const auto comma = versions.find(',');
    const auto clause = Trim(versions.substr(0, comma));
    if (clause.empty()) return "has a ',' without a version";
    if (auto problem = CheckVersionClause(clause); !problem.empty()) return problem;
    if (comma == std::string_view::npos) break;
    versions.remove_prefix(comma + 1);
    if (Trim(versions).empty()) return "has a ',' without a version";
  }
  return {};
}

auto CheckMarker(std::string_view marker) -> std::string { return Marker(marker).Check(); }

}  // namespace penstock::manifest
