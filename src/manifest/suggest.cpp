#include "manifest/suggest.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>
#include <vector>

#include "manifest/schema.h"

namespace penstock::manifest {
namespace {

/// Insertions, deletions, substitutions and swaps of neighbours between the two, letter case ignored.
auto Distance(std::string_view left, std::string_view right) -> std::size_t {
  const auto lower = [](char character) { return std::tolower(static_cast<unsigned char>(character)); };
  const auto width = right.size() + 1;
  std::vector<std::size_t> best((left.size() + 1) * width);
  const auto at = [&](std::size_t i, std::size_t j) -> std::size_t& { return best[i * width + j]; };
  for (std::size_t i = 0; i <= left.size(); ++i) {
    for (std::size_t j = 0; j <= right.size(); ++j) {
      if (i == 0 || j == 0) {
        at(i, j) = i + j;
        continue;
      }
      const auto same = lower(left[i - 1]) == lower(right[j - 1]);
      at(i, j) = std::min({at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (same ? 0 : 1)});
      if (i > 1 && j > 1 && lower(left[i - 1]) == lower(right[j - 2]) && lower(left[i - 2]) == lower(right[j - 1])) {
        at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
      }
    }
  }
  return best.back();
}

auto LengthDifference(std::string_view left, std::string_view right) -> std::size_t {
  return std::max(left.size(), right.size()) - std::min(left.size(), right.size());
}

/// What Compose files, Dockerfiles and other pipeline tools call what is meant.
constexpr std::array<std::pair<std::string_view, std::string_view>, 29> kOtherNames{{
    {"image", "base_image"},
    {"python", "python_version"},
    {"pip", "python_packages"},
    {"packages", "python_packages"},
    {"requirements", "python_packages"},
    {"apt", "system_dependencies"},
    {"apt_packages", "system_dependencies"},
    {"environment", "env"},
    {"mounts", "volumes"},
    {"limits", "resource_limits"},
    {"resources", "resource_limits"},
    {"memory", "memory_mb"},
    {"cpus", "cpu_cores"},
    {"type", "node_type"},
    {"class", "node_type"},
    {"name", "id"},
    {"config", "params"},
    {"parameters", "params"},
    {"edges", "connections"},
    {"links", "connections"},
    {"source", "from"},
    {"target", "to"},
    {"source", "host_path"},
    {"target", "container_path"},
    {"version", "package"},
    {"ro", "read_only"},
    {"readonly", "read_only"},
    {"queue_size", "depth"},
    {"restart", "on_failure"},
}};

auto OtherName(std::string_view key, std::span<const std::string_view> known) -> std::string_view {
  for (const auto& [other, name] : kOtherNames) {
    if (other == key && std::ranges::find(known, name) != known.end()) return name;
  }
  return {};
}

}  // namespace

auto Nearest(std::string_view name, std::span<const std::string_view> known) -> std::string_view {
  constexpr std::size_t kLongest = 64;  // beyond it nothing is a typing error, and the distance is quadratic
  if (name.size() > kLongest) return {};
  std::string_view nearest;
  // A third of the letters may be wrong; of one or two letters none, since then any name is near to any other.
  auto least = (name.size() < 3 ? 0 : std::max<std::size_t>(1, name.size() / 3)) + 1;
  for (const auto candidate : known) {
    if (LengthDifference(name, candidate) >= least) continue;  // so many letters at least are too many or missing
    const auto distance = Distance(name, candidate);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

auto Suggest(std::string_view name, std::span<const std::string_view> known) -> std::string {
  constexpr std::size_t kListed = 12;
  if (const auto nearest = Nearest(name, known); !nearest.empty()) return fmt::format("; did you mean '{}'?", nearest);
  if (known.empty() || known.size() > kListed) return {};
  return fmt::format("; known are '{}'", fmt::join(known, "', '"));
}

auto SuggestKey(std::string_view key, std::span<const std::string_view> known) -> std::string {
  constexpr std::size_t kMostPlaces = 2;  // of a key that is known in more places, none says what was meant
  if (const auto name = OtherName(key, known); !name.empty()) return fmt::format("; did you mean '{}'?", name);
  const auto places = PlacesOf(key);
  if (!places.empty() && places.size() <= kMostPlaces) {
    return fmt::format("; it belongs into {}", fmt::join(places, " or "));
  }
  return Suggest(key, known);
}

}  // namespace penstock::manifest
