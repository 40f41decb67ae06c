#include "image/pip_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace penstock::image {
namespace {

constexpr std::array<std::string_view, 16> kSourceSettings{
    "index-url",   "extra-index-url", "no-index", "find-links",    "trusted-host", "proxy",
    "timeout",     "default-timeout", "retries",  "cert",          "client-cert",  "prefer-binary",
    "only-binary", "no-binary",       "pre",      "use-deprecated"};

auto Trim(std::string_view text) -> std::string_view {
  const auto start = text.find_first_not_of(" \t\r");
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(" \t\r") - start + 1);
}

auto Key(std::string_view text) -> std::string {
  std::string key(text);
  std::ranges::transform(key, key.begin(), [](char c) {
    return c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return key;
}

}  // namespace

auto IsSourceSetting(std::string_view key) -> bool {
  return std::ranges::find(kSourceSettings, key) != kSourceSettings.end();
}

auto ParsePipConfig(std::string_view text) -> PipSettings {
  // A section for a command outranks [global], wherever it stands in the file.
  std::map<std::string, PipSettings, std::less<>> sections;
  PipSettings* section = nullptr;
  std::string* value = nullptr;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto content = Trim(line);
    if (content.empty() || content.front() == '#' || content.front() == ';') continue;
    if (line.front() == ' ' || line.front() == '\t') {
      if (value != nullptr) value->append(value->empty() ? "" : "\n").append(content);
      continue;
    }
    value = nullptr;
    if (content.front() == '[') {
      section = content.back() == ']' ? &sections[std::string(content.substr(1, content.size() - 2))] : nullptr;
      continue;
    }
    const auto separator = content.find_first_of("=:");
    if (section == nullptr || separator == std::string_view::npos) continue;
    const auto key = Key(Trim(content.substr(0, separator)));
    if (!IsSourceSetting(key)) continue;
    value = &(*section)[key];
    *value = Trim(content.substr(separator + 1));
  }
  PipSettings result;
  for (const auto* name : {"global", "download", "install", "wheel"}) {
    for (const auto& [key, setting] : sections[name]) result[key] = setting;
  }
  return result;
}

auto RenderPipConfig(const PipSettings& settings) -> std::string {
  std::string text = "[global]\n";
  for (const auto& [key, value] : settings) {
    std::string lines;
    for (const char c : value) {
      lines += c;
      if (c == '\n') lines += "    ";
    }
    text += fmt::format("{} = {}\n", key, lines);
  }
  return text;
}

auto SplitWords(std::string_view value) -> std::vector<std::string> {
  std::vector<std::string> words;
  constexpr auto kSpace = " \t\r\n";
  for (;;) {
    const auto start = value.find_first_not_of(kSpace);
    if (start == std::string_view::npos) return words;
    const auto end = std::min(value.find_first_of(kSpace, start), value.size());
    words.emplace_back(value.substr(start, end - start));
    value.remove_prefix(end);
  }
}

auto UrlHost(std::string_view url) -> std::string {
  if (const auto scheme = url.find("://"); scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  if (const auto login = url.rfind('@'); login != std::string_view::npos) url.remove_prefix(login + 1);
  if (url.starts_with('[')) return std::string(url.substr(1, url.find(']') - 1));
  return std::string(url.substr(0, url.find(':')));
}

auto IsLoopbackHost(std::string_view host) -> bool {
  return host == "localhost" || host.ends_with(".localhost") || host == "::1" || host.starts_with("127.");
}

}  // namespace penstock::image
