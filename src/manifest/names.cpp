#include "manifest/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "manifest/mounts.h"
#include "manifest/pipeline.h"
#include "manifest/versions.h"

namespace penstock::manifest {
namespace {

constexpr std::size_t kMaxName = 64;
constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kDigits = "0123456789";

auto IsOneOf(char character, std::initializer_list<std::string_view> sets) -> bool {
  return std::ranges::any_of(sets, [&](auto set) { return set.find(character) != std::string_view::npos; });
}

auto IsAlnum(char character) -> bool { return IsOneOf(character, {kLower, kUpper, kDigits}); }

auto IsIdentifier(std::string_view text) -> bool {
  return !text.empty() && !IsOneOf(text.front(), {kDigits}) &&
         std::ranges::all_of(text, [](char c) { return IsAlnum(c) || c == '_'; });
}

auto IsDottedPath(std::string_view text) -> bool {
  for (;;) {
    const auto dot = text.find('.');
    if (!IsIdentifier(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

auto Trim(std::string_view text) -> std::string_view {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// The name that a requirement begins with, as written.
auto LeadingName(std::string_view requirement) -> std::string_view {
  const auto end =
      std::ranges::find_if_not(requirement, [](char c) { return IsAlnum(c) || c == '-' || c == '_' || c == '.'; });
  return requirement.substr(0, static_cast<std::size_t>(end - requirement.begin()));
}

auto HasControl(std::string_view text) -> bool {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

auto CheckExtras(std::string_view extras) -> std::string {
  for (;;) {
    const auto comma = extras.find(',');
    const auto extra = Trim(extras.substr(0, comma));
    if (extra.empty() || LeadingName(extra) != extra || !IsAlnum(extra.front()) || !IsAlnum(extra.back()))
      return fmt::format("has the extra '{}', which is no name", extra);
    if (comma == std::string_view::npos) return {};
    extras.remove_prefix(comma + 1);
  }
}

auto CheckUrl(std::string_view url) -> std::string {
  if (url.find("://") == std::string_view::npos) return "has no url after '@'";
  if (url.starts_with("file:"))
    return "is a file of this host, which cannot be installed: put the code beside the manifest";
  if (url.find_first_of(" \t") != std::string_view::npos) return "has a space in its url";
  return {};
}

auto CheckTag(std::string_view tag) -> std::string {
  constexpr std::size_t kLongest = 128;
  const auto allowed = [](char c) { return IsAlnum(c) || IsOneOf(c, {"_.-"}); };
  if (tag.empty()) return "has no tag after ':'";
  if (tag.size() > kLongest || IsOneOf(tag.front(), {".-"}) || !std::ranges::all_of(tag, allowed)) {
    return fmt::format(
        "has the tag '{}', which is none: up to 128 letters, digits, '_', '.' and '-', not beginning "
        "with '.' or '-'",
        tag);
  }
  return {};
}

auto CheckDigest(std::string_view digest) -> std::string {
  constexpr std::size_t kLength = 64;
  const auto is_hex = [](char c) { return IsOneOf(c, {"0123456789abcdef"}); };
  const auto digits = digest.substr(std::min(digest.size(), std::string_view("sha256:").size()));
  if (digest.starts_with("sha256:") && digits.size() == kLength && std::ranges::all_of(digits, is_hex)) return {};
  return fmt::format("has the digest '{}', which is none: 'sha256:' and 64 digits of 0-9 and a-f", digest);
}

/// Lower case letters and digits, with single '.', one or two '_' or any number of '-' between them.
auto IsPathComponent(std::string_view text) -> bool {
  const auto in_name = [](char c) { return IsOneOf(c, {kLower, kDigits}); };
  if (text.empty() || !in_name(text.front()) || !in_name(text.back())) return false;
  while (!text.empty()) {
    const auto start = static_cast<std::size_t>(std::ranges::find_if_not(text, in_name) - text.begin());
    const auto rest = text.substr(start);
    const auto end = static_cast<std::size_t>(std::ranges::find_if(rest, in_name) - rest.begin());
    const auto between = rest.substr(0, end);
    if (!between.empty() && between != "." && between != "_" && between != "__" &&
        between.find_first_not_of('-') != std::string_view::npos)
      return false;
    text = rest.substr(end);
  }
  return true;
}

auto IsHost(std::string_view host) -> bool {
  const auto colon = host.find(':');
  const auto name = host.substr(0, colon);
  const auto port = colon == std::string_view::npos ? "0" : host.substr(colon + 1);
  const auto in_name = [](char c) { return IsAlnum(c) || c == '-' || c == '.'; };
  return !name.empty() && !port.empty() && std::ranges::all_of(name, in_name) &&
         std::ranges::all_of(port, [](char c) { return IsOneOf(c, {kDigits}); });
}

}  // namespace

auto CheckNodeId(std::string_view id) -> std::string {
  const auto allowed = [](char c) { return IsAlnum(c) || c == '-' || c == '_'; };
  if (id.empty() || id.size() > kMaxName || !IsAlnum(id.front()) || !std::ranges::all_of(id, allowed)) {
    return "is not a node id: use up to 64 letters, digits, '-' and '_', beginning with a letter or digit";
  }
  return {};
}

auto CheckPort(std::string_view port) -> std::string {
  if (port.size() <= kMaxName && IsIdentifier(port)) return {};
  return "is not a port name: use up to 64 letters, digits and '_', not beginning with a digit";
}

auto CheckNodeType(std::string_view node_type) -> std::string {
  if (ClassifyNodeType(node_type)) return {};
  if (node_type.find('/') != std::string_view::npos || node_type.find(".py") != std::string_view::npos) {
    return "is a path: name the module as Python imports it, 'nodes.asr:Recognizer' for class Recognizer in "
           "nodes/asr.py";
  }
  return "is not a node type: write a native node's name ('media.source'), a class ('nodes.asr:Recognizer') or a name "
         "that "
         "one of 'modules' registers ('Recognizer')";
}

auto CheckModule(std::string_view module) -> std::string {
  if (module.ends_with(".py")) return "is a file: name the module as Python imports it, without '.py'";
  if (IsDottedPath(module)) return {};
  return "is not a module name such as 'nodes.asr'";
}

auto CheckRequirement(std::string_view requirement) -> std::string {
  auto rest = Trim(requirement);
  if (rest.empty()) return "is empty";
  if (HasControl(requirement)) return "is not one line of text: it contains a control character";
  if (rest.starts_with('-')) return "is an option of pip: only packages can be listed";
  if (rest.starts_with('.') || rest.starts_with('/')) {
    return "is not a requirement line; local paths cannot be installed, put the code beside the manifest";
  }
  if (rest.starts_with("git+") || rest.starts_with("http")) {
    if (rest.find("://") != std::string_view::npos) return "has no name: write 'name @ url'";
  }
  const auto name = LeadingName(rest);
  if (name.empty() || !IsAlnum(name.front()) || !IsAlnum(name.back())) return "does not begin with a package name";
  rest = Trim(rest.substr(name.size()));
  if (rest.starts_with('[')) {
    const auto end = rest.find(']');
    if (end == std::string_view::npos) return "has a '[' without a ']'";
    if (auto problem = CheckExtras(rest.substr(1, end - 1)); !problem.empty()) return problem;
    rest = Trim(rest.substr(end + 1));
  }
  // What ends a url before a marker is a space and a ';', as a url may contain one.
  const auto is_url = rest.starts_with('@');
  const auto semicolon = is_url ? rest.find(" ;") : rest.find(';');
  const auto before = Trim(rest.substr(0, semicolon));
  if (auto problem = is_url ? CheckUrl(Trim(before.substr(1))) : CheckVersions(before); !problem.empty())
    return problem;
  if (semicolon == std::string_view::npos) return {};
  return CheckMarker(rest.substr(semicolon + (is_url ? 2 : 1)));
}

auto RequirementName(std::string_view requirement) -> std::string {
  std::string name;
  for (const char character : LeadingName(Trim(requirement))) {
    const bool separates = character == '-' || character == '_' || character == '.';
    if (separates && name.ends_with('-')) continue;
    const bool upper = kUpper.find(character) != std::string_view::npos;
    name += separates ? '-' : upper ? static_cast<char>(character - 'A' + 'a') : character;
  }
  return name;
}

auto CheckSystemPackage(std::string_view package) -> std::string {
  const auto end = package.find_first_of("=:");
  const auto name = package.substr(0, end);
  const auto in_name = [](char c) { return IsOneOf(c, {kLower, kDigits, "+-."}); };
  const auto in_rest = [](char c) { return IsAlnum(c) || IsOneOf(c, {"+-.~:="}); };
  if (name.size() < 2 || !IsOneOf(name.front(), {kLower, kDigits}) || !std::ranges::all_of(name, in_name) ||
      (end != std::string_view::npos && !std::ranges::all_of(package.substr(end), in_rest))) {
    return "is not a Debian package name such as 'libsndfile1' or 'ffmpeg=7:5.1.6-0+deb12u1'";
  }
  return {};
}

auto CheckImage(std::string_view image) -> std::string {
  constexpr std::size_t kLongest = 255;
  constexpr std::string_view kExample = "is not an image reference such as 'registry/name:tag'";
  if (image.find("://") != std::string_view::npos) return "is a URL: write the image's name alone, 'registry/name:tag'";
  const auto at = image.find('@');
  const auto tagged = image.substr(0, at);
  const auto slash = tagged.find('/');
  const auto host = slash == std::string_view::npos ? std::string_view{} : tagged.substr(0, slash);
  const bool has_host = host.find_first_of(".:") != std::string_view::npos || host == "localhost";
  auto path = has_host ? tagged.substr(slash + 1) : tagged;
  const auto colon = path.find(':');
  const auto name = path.substr(0, colon);
  if (name.find_first_of(kUpper) != std::string_view::npos)
    return "is not an image reference: names of images are lower case";
  if (tagged.size() > kLongest || (has_host && !IsHost(host))) return std::string(kExample);
  for (auto left = name;;) {
    const auto end = left.find('/');
    if (!IsPathComponent(left.substr(0, end))) return std::string(kExample);
    if (end == std::string_view::npos) break;
    left.remove_prefix(end + 1);
  }
  if (colon != std::string_view::npos) {
    if (auto problem = CheckTag(path.substr(colon + 1)); !problem.empty()) return problem;
  }
  return at == std::string_view::npos ? std::string{} : CheckDigest(image.substr(at + 1));
}

auto CheckEnvName(std::string_view name) -> std::string {
  if (!IsIdentifier(name))
    return "is not the name of a variable: use letters, digits and '_', not beginning with a digit";
  if (name.starts_with("PENSTOCK_")) return "is reserved: names that begin with PENSTOCK_ are set by Penstock itself";
  return {};
}

auto CheckInterpreter(std::string_view python) -> std::string {
  constexpr int kOldestMinor = 9;
  if (python.find('/') != std::string_view::npos) return CheckHostPath(python);
  const auto in_number = [](char c) { return IsOneOf(c, {kDigits, "."}); };
  if (!std::ranges::all_of(python, in_number)) {
    const auto in_name = [](char c) { return IsAlnum(c) || IsOneOf(c, {"._-"}); };
    if (IsAlnum(python.front()) && std::ranges::all_of(python, in_name)) return {};
    return "is neither a version such as '3.11' nor the path or the name of an interpreter";
  }
  const auto dot = python.find('.');
  const auto rest = dot == std::string_view::npos ? std::string_view{} : python.substr(dot + 1);
  int minor = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), minor);
  if (python.substr(0, dot) != "3" || error != std::errc() || minor < kOldestMinor)
    return "is not a version of Python that nodes run in: write '3.9' or newer";
  if (end == rest.data() + rest.size()) return {};
  return fmt::format("names a patch release: write '3.{}'", minor);
}

auto CheckPythonVersion(std::string_view version) -> std::string {
  static constexpr std::array<std::string_view, 5> kVersions{"3.9", "3.10", "3.11", "3.12", "3.13"};
  if (std::ranges::find(kVersions, version) != kVersions.end()) return {};
  const auto minor = version.substr(0, version.rfind('.'));
  if (std::ranges::find(kVersions, minor) != kVersions.end()) {
    return fmt::format("names a patch release: write '{}'", minor);
  }
  return "is not a version that Penstock has images for: 3.9, 3.10, 3.11, 3.12 and 3.13";
}

}  // namespace penstock::manifest
