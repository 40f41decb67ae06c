#include "manifest/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "manifest/pipeline.h"
#include "manifest/suggest.h"

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

auto CheckVersionClause(std::string_view clause) -> std::string {
  static constexpr std::array<std::string_view, 8> kOperators{"===", "==", "~=", "!=", "<=", ">=", "<", ">"};
  for (const auto comparison : kOperators) {
    if (!clause.starts_with(comparison)) continue;
    const auto version = Trim(clause.substr(comparison.size()));
    if (version.empty()) return fmt::format("has no version after '{}'", comparison);
    const auto allowed = [](char c) { return IsAlnum(c) || IsOneOf(c, {".*+!-_"}); };
    if (!std::ranges::all_of(version, allowed)) return fmt::format("has a version that is none: '{}'", version);
    return {};
  }
  if (clause.starts_with('=')) return "compares with '=': pip wants '=='";
  return fmt::format("is not a requirement line from '{}' on; write it as name==version", clause);
}

auto CheckVersions(std::string_view versions) -> std::string {
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
  if (rest.starts_with('-')) return "is an option of pip: only packages can be listed";
  if (rest.starts_with('.') || rest.starts_with('/') || rest.find('\n') != std::string_view::npos) {
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
    rest = Trim(rest.substr(end + 1));
  }
  if (rest.starts_with('@')) {
    return rest.find("://") == std::string_view::npos ? "has no url after '@'" : std::string{};
  }
  return CheckVersions(Trim(rest.substr(0, rest.find(';'))));
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
  const auto allowed = [](char c) { return IsAlnum(c) || IsOneOf(c, {"._-/:@"}); };
  if (image.empty() || image.size() > kLongest || !IsAlnum(image.front()) || !IsAlnum(image.back()) ||
      !std::ranges::all_of(image, allowed) || image.find("//") != std::string_view::npos) {
    return "is not an image reference such as 'registry/name:tag'";
  }
  const auto slash = image.find('/');
  const auto host = slash == std::string_view::npos ? std::string_view{} : image.substr(0, slash);
  const bool has_host = host.find_first_of(".:") != std::string_view::npos || host == "localhost";
  const auto path = has_host ? image.substr(slash + 1) : image;
  const auto name = path.substr(0, path.find_first_of(":@"));
  if (name.find_first_of(kUpper) != std::string_view::npos)
    return "is not an image reference: names of images are lower case";
  return {};
}

auto CheckEnvName(std::string_view name) -> std::string {
  if (!IsIdentifier(name))
    return "is not the name of a variable: use letters, digits and '_', not beginning with a digit";
  if (name.starts_with("PENSTOCK_")) return "is reserved: names that begin with PENSTOCK_ are set by Penstock itself";
  return {};
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
