#include "image/difference.h"

#include <algorithm>

namespace penstock::image {
namespace {

auto Lines(const EnvironmentSpec& spec) -> std::vector<std::string> {
  std::vector<std::string> lines;
  for (const auto& package : spec.system_packages) lines.push_back("system package " + package);
  for (const auto& package : spec.python_packages) {
    lines.push_back(fmt::format("Python package {}{}", package.requirement,
                                package.no_deps ? " (without what it depends on)" : ""));
  }
  return lines;
}

}  // namespace

auto Differences(const Contents& there, const Contents& wanted) -> std::vector<std::string> {
  std::vector<std::string> lines;
  const auto changed = [&](const char* what, const std::string& from, const std::string& to) {
    if (from != to) lines.push_back(fmt::format("{}: {} → {}", what, from, to));
  };
  changed("Python", there.spec.python_version, wanted.spec.python_version);
  changed("base image", there.base_reference, wanted.base_reference);
  changed("architecture", there.base.arch, wanted.base.arch);
  if (there.base_reference == wanted.base_reference && there.base.layers != wanted.base.layers) {
    lines.push_back(fmt::format("the base image {} has other content than it had then", wanted.base_reference));
  }
  if (there.recipe != wanted.recipe) {
    lines.push_back(
        fmt::format("this Penstock makes environments in another way (recipe {} → {})", there.recipe, wanted.recipe));
  }
  const auto before = Lines(there.spec);
  const auto after = Lines(wanted.spec);
  for (const auto& line : before) {
    if (std::ranges::find(after, line) == after.end()) lines.push_back("- " + line);
  }
  for (const auto& line : after) {
    if (std::ranges::find(before, line) == before.end()) lines.push_back("+ " + line);
  }
  if (there.lock_digest != wanted.lock_digest) {
    lines.emplace_back(there.lock_digest.empty()    ? "+ a lock with exact versions"
                       : wanted.lock_digest.empty() ? "- the lock with exact versions"
                                                    : "the lock has other packages than it had then");
  }
  return lines;
}

auto Nearest(const std::vector<Entry>& entries, const Contents& wanted) -> const Entry* {
  const Entry* nearest = nullptr;
  std::size_t fewest = 0;
  for (const auto& entry : entries) {  // the one used last comes first
    if (entry.state != State::kAvailable || entry.contents.is_dockerfile()) continue;
    const auto count = Differences(entry.contents, wanted).size();
    if (nearest != nullptr && count >= fewest) continue;
    nearest = &entry;
    fewest = count;
  }
  return nearest;
}

}  // namespace penstock::image
