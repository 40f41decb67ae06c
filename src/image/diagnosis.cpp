#include "image/diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <regex>
#include <vector>

#include "image/requirement.h"

namespace penstock::image {
namespace {

using Lines = std::deque<std::string>;

// The first group of every match of `pattern`, in order, once each.
auto Matches(const Lines& lines, const char* pattern) -> std::vector<std::string> {
  const std::regex expression(pattern);
  std::vector<std::string> found;
  for (const auto& line : lines) {
    std::smatch match;
    if (line.size() > 4000 || !std::regex_search(line, match, expression))
      continue;  // std::regex recurses per character
    auto text = match.size() > 1 ? match[1].str() : match[0].str();
    if (std::find(found.begin(), found.end(), text) == found.end()) found.push_back(std::move(text));
  }
  return found;
}

auto Contains(const Lines& lines, std::string_view text) -> bool {
  for (const auto& line : lines) {
    if (line.find(text) != std::string::npos) return true;
  }
  return false;
}

auto Quoted(const std::vector<std::string>& names) -> std::string {
  return fmt::format("'{}'", fmt::join(names, "', '"));
}

// What pip says before each new try.
constexpr auto kUnreachable = "after connection broken by";

auto NoDistribution(const Lines& lines, std::string_view python_version) -> std::optional<std::string> {
  const auto missing = Matches(lines, "No matching distribution found for (.+)$");
  // Nor does an index have a package that could not be asked.
  if (missing.empty() || Contains(lines, kUnreachable)) return std::nullopt;
  const auto& requirement = missing.front();
  const auto name = std::string(RequirementName(requirement));
  const auto known = Matches(lines, "satisfies the requirement .*\\(from versions: (.*)\\)");
  if (!Matches(lines, "Ignored the following versions that require a different python version: (.+)$").empty()) {
    return fmt::format("'{}' is not offered for Python {}: choose a version that is, or another python_version",
                       requirement, python_version);
  }
  if (known.empty() || known.front() == "none") {
    return fmt::format("there is no Python package '{}' for Python {} on this platform; check its name", name,
                       python_version);
  }
  // The newest ones are last.
  auto versions = known.front();
  constexpr std::size_t kShown = 60;
  if (versions.size() > kShown) {
    const auto start = versions.find(", ", versions.size() - kShown);
    if (start != std::string::npos) versions = "… " + versions.substr(start + 2);
  }
  return fmt::format("'{}' is not there for Python {}; there are: {}", requirement, python_version, versions);
}

struct Known {
  const char* text;
  const char* sentence;
};

// In what apt, pip and the C library say when a server cannot be reached or has no answer, or the disk is full.
constexpr std::array kPassing{"name resolution",
                              "Temporary failure",
                              "Name or service not known",
                              "No space left",
                              "Connection refused",
                              "Connection reset",
                              "timed out",
                              "Could not connect",
                              "Network is unreachable",
                              "Read timed out",
                              "RemoteDisconnected",
                              "ProtocolError",
                              "500 Server Error",
                              "502 ",
                              "503 ",
                              "504 "};

constexpr std::array kKnown{
    Known{"CERTIFICATE_VERIFY_FAILED",
          "the index's certificate is not trusted; point SSL_CERT_FILE or PIP_CERT to the bundle with your CA"},
    Known{"Temporary failure in name resolution",
          "a name could not be resolved inside the container; check DNS and the proxy settings of this host"},
    Known{"Temporary failure resolving",
          "a name could not be resolved inside the container; check DNS and the proxy settings of this host"},
    Known{"Name or service not known", "a name could not be resolved; check DNS and the proxy settings of this host"},
    Known{"No space left on device", "the disk is full; 'docker system df' shows what images and containers take"},
    Known{"401 Error", "the index asks for a login; put it into the index URL of pip.conf or into ~/.netrc"},
    Known{"403 Error", "the index refuses; check the login in pip.conf or ~/.netrc"},
    Known{kUnreachable,
          "the package index could not be reached, so that it is not known whether it has the package; check the "
          "network, "
          "and this host's index and proxy settings"},
};

}  // namespace

auto RedactUrls(std::string_view text) -> std::string {
  std::string result;
  for (;;) {
    const auto separator = text.find("://");
    if (separator == std::string_view::npos) return result.append(text);
    auto start = separator;
    while (start > 0 && (std::isalnum(static_cast<unsigned char>(text[start - 1])) != 0 || text[start - 1] == '+'))
      --start;
    auto end = text.find_first_of(" \t'\"<>),", separator);
    if (end == std::string_view::npos) end = text.size();
    const auto url = text.substr(separator + 3, end - separator - 3);
    const auto slash = url.rfind('/');
    result.append(text.substr(0, start)).append("[…]");
    if (slash != std::string_view::npos) result.append(url.substr(slash));
    text.remove_prefix(end);
  }
}

void Tail::Add(std::string_view line) {
  lines_.emplace_back(line);
  if (lines_.size() > kKept) lines_.pop_front();
}

auto Tail::Show() const -> std::string {
  std::string text;
  const auto skipped = lines_.size() > kLines ? lines_.size() - kLines : 0;
  for (std::size_t i = skipped; i < lines_.size(); ++i) text += fmt::format("    {}\n", lines_[i]);
  return text;
}

auto Diagnose(const Lines& lines, std::string_view python_version) -> std::optional<std::string> {
  if (const auto names = Matches(lines, "E: Unable to locate package (\\S+)"); !names.empty()) {
    return fmt::format("the image's Debian has no package {}; check the name in system_dependencies", Quoted(names));
  }
  if (const auto names = Matches(lines, "E: Package '(.+)' has no installation candidate"); !names.empty()) {
    return fmt::format("the image's Debian knows {} but cannot install it; look for the package that replaces it",
                       Quoted(names));
  }
  if (const auto names = Matches(lines, "E: Version '.*' for '(.+)' was not found"); !names.empty()) {
    return fmt::format("the image's Debian has no such version of {}", Quoted(names));
  }
  if (const auto names = Matches(lines, "E: not as locked: system package (.+)$"); !names.empty()) {
    return fmt::format(
        "the lock does not have {} with this content; run `penstock lock` again if that is the package you want",
        Quoted(names));
  }
  if (Contains(lines, "DO NOT MATCH THE HASHES")) {
    const auto names = Matches(lines, "^\\s*(\\S+) from \\S+");
    return fmt::format(
        "{} has another content than the lock says; run `penstock lock` again if that is the package you want",
        names.empty() ? "a Python package" : Quoted(names));
  }
  if (auto sentence = NoDistribution(lines, python_version)) return sentence;
  if (Contains(lines, "ResolutionImpossible") || Contains(lines, "conflicting dependencies")) {
    return "the Python packages contradict each other; the lines below say which";
  }
  // Only what builds from source asks for these.
  if (const auto headers = Matches(lines, "fatal error: (\\S+\\.h\\S*): No such file"); !headers.empty()) {
    if (headers.front().ends_with("Python.h")) {
      return fmt::format(
          "a package has no wheel for Python {} and its build lacks Python's headers; add \"python3-dev\" to "
          "system_dependencies, or choose a version with a wheel",
          python_version);
    }
    return fmt::format(
        "a package has no wheel for Python {} and its build lacks the header {}; add the -dev package that has it to "
        "system_dependencies, or choose a version with a wheel",
        python_version, Quoted(headers));
  }
  constexpr auto kNotExecuted =
      "(?:command|unable to execute|No such file or directory:) '([\\w-]*(?:gcc|g\\+\\+|clang|cc))'";
  constexpr auto kNotFound = "\\b(gcc|g\\+\\+|cc|make): (?:command )?not found";
  if (!Matches(lines, kNotExecuted).empty() || !Matches(lines, kNotFound).empty() ||
      Contains(lines, "Unknown compiler(s)") || Contains(lines, "No CMAKE_CXX_COMPILER")) {
    return fmt::format(
        "a package has no wheel for Python {} and building it needs a compiler; add \"build-essential\" and "
        "\"python3-dev\" to system_dependencies, or choose a version with a wheel",
        python_version);
  }
  for (const auto& known : kKnown) {
    if (Contains(lines, known.text)) return known.sentence;
  }
  return std::nullopt;
}

auto IsPassing(const Lines& lines) -> bool {
  return std::ranges::any_of(kPassing, [&](const char* text) { return Contains(lines, text); });
}

}  // namespace penstock::image
