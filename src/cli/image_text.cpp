#include "cli/image_text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "image/build_log.h"

namespace penstock::cli {
namespace {

auto TimeText(image::Time time) -> std::string {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

}  // namespace

auto ShortId(const image::Entry& entry) -> std::string {
  constexpr std::size_t kShown = 12;
  return entry.identity.substr(0, kShown);
}

auto SizeText(std::int64_t bytes) -> std::string {
  constexpr double kKilobyte = 1e3;
  constexpr double kMegabyte = 1e6;
  constexpr double kGigabyte = 1e9;
  if (static_cast<double>(bytes) < kMegabyte) return fmt::format("{:.0f} kB", static_cast<double>(bytes) / kKilobyte);
  if (static_cast<double>(bytes) < 10 * kGigabyte)
    return fmt::format("{:.0f} MB", static_cast<double>(bytes) / kMegabyte);
  return fmt::format("{:.0f} GB", static_cast<double>(bytes) / kGigabyte);
}

auto PackagesText(const image::Contents& contents) -> std::string {
  if (contents.is_dockerfile()) return fmt::format("({})", contents.base_reference);
  const auto& spec = contents.spec;
  std::string text;
  for (const auto& package : spec.system_packages) text += (text.empty() ? "" : " ") + package;
  for (const auto& package : spec.python_packages) text += (text.empty() ? "" : " ") + package.requirement;
  return text;
}

auto ToJson(const image::Entry& entry, bool in_use) -> nlohmann::json {
  const auto& contents = entry.contents;
  auto packages = nlohmann::json::array();
  for (const auto& package : contents.spec.python_packages) {
    packages.push_back({{"package", package.requirement}, {"no_deps", package.no_deps}});
  }
  nlohmann::json value{{"identity", entry.identity},
                       {"state", image::ToString(entry.state)},
                       {"python", contents.spec.python_version},
                       {"base", contents.base_reference},
                       {"system", contents.spec.system_packages},
                       {"packages", std::move(packages)},
                       {"locked", !contents.lock_digest.empty()},
                       {"size_bytes", entry.size_bytes},
                       {"created", TimeText(entry.created)},
                       {"last_used", TimeText(entry.last_used)},
                       {"uses", entry.uses},
                       {"pinned", entry.pinned},
                       {"in_use", in_use},
                       {"borrowed", entry.borrowed}};
  if (const auto& build = contents.spec.build) {
    value["build"] = {{"context", build->written}, {"dockerfile", build->dockerfile}};
  }
  if (entry.state == image::State::kAvailable) value["image"] = entry.image;
  if (entry.state == image::State::kFailed) value["failure"] = entry.failure;
  if (const auto log = image::BuildLogPath(entry.identity)) value["log"] = log->string();
  return value;
}

}  // namespace penstock::cli
