#include "image/requirement.h"

#include <algorithm>
#include <cctype>
#include <vector>

namespace penstock::image {
namespace {
using base::ErrorCode;
using base::Expected;
using base::Fail;

auto IsSpace(char c) -> bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
auto IsAlnum(char c) -> bool { return std::isalnum(static_cast<unsigned char>(c)) != 0; }
auto Lower(char c) -> char { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

auto Trim(std::string_view text) -> std::string_view {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

auto WithoutSpace(std::string_view text) -> std::string {
  std::string result(text);
  std::erase_if(result, IsSpace);
  return result;
}

// PEP 503: lower case, runs of '-', '_' and '.' are one '-'.
auto NormaliseName(std::string_view name) -> std::string {
  std::string result;
  for (const char c : name) {
    if (c != '-' && c != '_' && c != '.') {
      result.push_back(Lower(c));
    } else if (!result.empty() && result.back() != '-') {
      result.push_back('-');
    }
  }
  return result;
}

template <class Transform>
auto SortedList(std::string_view list, Transform transform) -> std::string {
  std::vector<std::string> items;
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (auto item = transform(list.substr(0, comma)); !item.empty()) items.push_back(std::move(item));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
  std::ranges::sort(items);
  items.erase(std::unique(items.begin(), items.end()), items.end());
  return fmt::format("{}", fmt::join(items, ","));
}

// White space between the parts of a marker is one blank; strings in quotes stay as they are.
auto NormaliseMarker(std::string_view marker) -> std::string {
  std::string result;
  char quote = 0;
  for (const char c : Trim(marker)) {
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (IsSpace(c)) {
      if (result.back() != ' ') result.push_back(' ');
      continue;
    }
    result.push_back(c);
  }
  return result;
}

}  // namespace

auto NormaliseRequirement(std::string_view line) -> Expected<std::string> {
  const auto text = Trim(line);
  if (text.empty()) return Fail(ErrorCode::kInvalidArgument, "a Python package is an empty line; remove it");
  if (text.find_first_of("\n\r") != std::string_view::npos) {
    return Fail(ErrorCode::kInvalidArgument, "'{}' has several lines; write one list item for each package", text);
  }
  if (text.front() == '-') {
    return Fail(ErrorCode::kInvalidArgument,
                "'{}' is an option of pip, not a package; indexes and proxies are taken from this host's pip "
                "configuration",
                text);
  }
  std::size_t size = 0;
  while (size < text.size() && (IsAlnum(text[size]) || text[size] == '-' || text[size] == '_' || text[size] == '.'))
    ++size;
  const auto name = text.substr(0, size);
  auto rest = Trim(text.substr(size));
  if (name.empty() || !IsAlnum(name.front()) || !IsAlnum(name.back()) || rest.starts_with('/') ||
      rest.starts_with(':')) {
    return Fail(ErrorCode::kInvalidArgument,
                "'{}' is not a requirement; write \"name\", \"name==1.2\", \"name[extra]>=1,<2\" or \"name @ URL\"",
                text);
  }

  auto result = NormaliseName(name);
  if (rest.starts_with('[')) {
    const auto end = rest.find(']');
    if (end == std::string_view::npos) return Fail(ErrorCode::kInvalidArgument, "'{}' lacks a closing ']'", text);
    const auto extras = SortedList(rest.substr(1, end - 1), [](auto item) { return NormaliseName(Trim(item)); });
    if (!extras.empty()) result += "[" + extras + "]";
    rest = Trim(rest.substr(end + 1));
  }
  if (rest.starts_with('@')) {
    // A URL ends at a blank, so " ;" starts its marker and ";" alone does not.
    const auto url = Trim(rest.substr(1));
    if (url.empty()) return Fail(ErrorCode::kInvalidArgument, "'{}' lacks a URL after '@'", text);
    const auto end = std::min(url.find_first_of(" \t"), url.size());
    result += fmt::format(" @ {}", url.substr(0, end));
    rest = Trim(url.substr(end));
    if (!rest.empty() && rest.front() != ';') {
      return Fail(ErrorCode::kInvalidArgument, "'{}' has '{}' after its URL; a marker starts with ' ;'", text, rest);
    }
    if (!rest.empty()) result += " ; " + NormaliseMarker(rest.substr(1));
    return result;
  }
  const auto semicolon = std::min(rest.find(';'), rest.size());
  auto specifiers = Trim(rest.substr(0, semicolon));
  if (specifiers.starts_with('(') && specifiers.ends_with(')'))
    specifiers = specifiers.substr(1, specifiers.size() - 2);
  if (!specifiers.empty() && std::string_view("<>=!~").find(specifiers.front()) == std::string_view::npos) {
    return Fail(ErrorCode::kInvalidArgument, "'{}' has '{}' where a version is expected, like \"{}==1.2\"", text,
                specifiers, name);
  }
  result += SortedList(specifiers, WithoutSpace);
  if (semicolon < rest.size()) result += "; " + NormaliseMarker(rest.substr(semicolon + 1));
  return result;
}

auto RequirementName(std::string_view normalised) -> std::string_view {
  return normalised.substr(0, normalised.find_first_of("[<>=!~; @"));
}

auto NormaliseSystemPackage(std::string_view package) -> Expected<std::string> {
  const auto text = Trim(package);
  const auto allowed = [](char c) {
    return IsAlnum(c) || std::string_view("+-.:=~").find(c) != std::string_view::npos;
  };
  if (text.empty() || !IsAlnum(text.front()) || !std::ranges::all_of(text, allowed)) {
    return Fail(ErrorCode::kInvalidArgument,
                "'{}' is not a system package; write Debian's name of it, like \"ffmpeg\" or \"libsndfile1=1.2.0-1\"",
                text);
  }
  const auto name_end = std::min(text.find('='), text.size());
  std::string result(text);
  std::ranges::transform(result.begin(), result.begin() + static_cast<std::ptrdiff_t>(name_end), result.begin(), Lower);
  return result;
}

}  // namespace penstock::image
