// The Docker engine, and what is left of sessions.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/locked_directory.h"
#include "base/paths.h"
#include "cli/doctor.h"
#include "cli/doctor_disk.h"
#include "container/entry.h"
#include "container/orphans.h"
#include "docker/decode.h"

namespace penstock::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kRoomForImages = 5'000'000'000;

auto Soon() -> docker::Call { return base::Deadline::In(std::chrono::seconds(10)); }

// Folders of `parent` that nobody uses and behind which no agent runs.
auto CountUnused(const fs::path& parent) -> std::size_t {
  std::size_t unused = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(parent, error)) {
    if (!entry.is_directory(error) || container::AgentAnswers(entry.path())) continue;
    if (base::LockedDirectory::Claim(entry.path())) ++unused;
  }
  return unused;
}

auto Count(std::size_t number, std::string_view noun) -> std::string {
  return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

}  // namespace

auto LookAtEngine(const docker::Engine* engine, std::string_view error) -> Finding {
  if (engine == nullptr) {
    return {.name = "engine",
            .health = Health::kProblem,
            .found = "none that can be used",
            .meaning = "nodes with a docker section cannot run; those without one can",
            .remedy = std::string(error)};
  }
  return {.name = "engine",
          .health = Health::kGood,
          .found = fmt::format("Docker {} at {}, API {}", engine->version().engine, engine->socket_path(),
                               docker::ToString(engine->api())),
          .meaning = "containers are made by it; whoever may use it can become root",
          .remedy = {}};
}

auto LookAtEngineSettings(const docker::Engine& engine) -> Finding {
  const auto info = engine.Info(Soon());
  Finding finding{.name = "engine's settings",
                  .health = Health::kGood,
                  .found = {},
                  .meaning = "limits and walls of containers are the engine's",
                  .remedy = {}};
  if (!info) {
    finding.health = Health::kWarning;
    finding.found = info.error().ToString();
    finding.remedy = "see the engine's log";
    return finding;
  }
  finding.found = fmt::format("storage {}, control groups version {} by {}", info->storage_driver,
                              info->cgroup_version.empty() ? "1" : info->cgroup_version, info->cgroup_driver);
  for (const auto* mode : {"name=rootless", "name=userns"}) {
    const bool is_on = std::ranges::any_of(info->security_options,
                                           [&](const std::string& option) { return option.starts_with(mode); });
    if (!is_on) continue;
    finding.health = Health::kWarning;
    finding.found += fmt::format(", {}", std::string_view(mode).substr(5));
    finding.meaning =
        "users of containers are not those of the host, who own the shared memory: nodes may not reach it";
    finding.remedy = "use an engine without rootless mode and without userns-remap";
  }
  const auto limits = std::ranges::find_if(
      info->warnings, [](const std::string& warning) { return warning.find("limit") != std::string::npos; });
  if (finding.remedy.empty() && limits != info->warnings.end()) {
    finding.health = Health::kNote;
    finding.found += fmt::format("; the engine says: {}", fmt::join(info->warnings, "; "));
    finding.remedy = "only if you rely on the limit that it names: enable it in the kernel";
  }
  return finding;
}

auto LookAtEngineDisk(const docker::Engine& engine) -> Finding {
  const auto info = engine.Info(Soon());
  const std::string name = "engine's disk";
  if (!info) return {.name = name, .health = Health::kNote, .found = "unknown", .meaning = "the engine does not say"};
  return LookAtRoom(name, info->root_dir, kRoomForImages,
                    "images are kept here; 'penstock images prune' gives some up");
}

auto LookAtBaseImages(const docker::Engine& engine) -> Finding {
  constexpr std::array kVersions{"3.9", "3.10", "3.11", "3.12", "3.13"};
  std::vector<std::string> there;
  std::vector<std::string> missing;
  for (const auto* version : kVersions)
    (engine.InspectImage(fmt::format("penstock/base:{}", version), Soon()) ? there : missing).emplace_back(version);
  return {.name = "base images",
          .health = missing.empty() ? Health::kGood : Health::kNote,
          .found = missing.empty() ? fmt::format("for Python {}", fmt::join(there, ", "))
                                   : fmt::format("for Python {}; none yet for {}",
                                                 there.empty() ? "none" : fmt::format("{}", fmt::join(there, ", ")),
                                                 fmt::join(missing, ", ")),
          .meaning = "one that is missing is made when a node first asks for it",
          .remedy = missing.empty() ? "" : "nothing; docker/scripts/build-base-images.sh makes them beforehand"};
}

auto LookAtLeftovers(const docker::Engine* engine) -> Finding {
  Finding finding{.name = "leftovers",
                  .health = Health::kGood,
                  .found = "none",
                  .meaning = "runtimes that were killed have left nothing",
                  .remedy = {}};
  const auto runtime = base::RuntimeDirectory();
  if (!runtime) return finding;
  const auto orphans = engine != nullptr ? container::CountOrphans(*engine, Soon()) : base::Expected<std::size_t>(0U);
  const auto entries = CountUnused(*runtime / "c");
  const auto sessions = CountUnused(*runtime / "s");
  if (!orphans) {
    finding.health = Health::kWarning;
    finding.found = orphans.error().ToString();
    finding.meaning = "whether containers are left cannot be seen";
    return finding;
  }
  if (*orphans + entries + sessions == 0) return finding;
  std::vector<std::string> parts;
  if (*orphans > 0) parts.push_back(Count(*orphans, "container"));
  if (entries > 0) parts.push_back(Count(entries, "container's record"));
  if (sessions > 0) parts.push_back(Count(sessions, "session's place"));
  finding.health = Health::kNote;
  finding.found = fmt::format("{}", fmt::join(parts, ", "));
  finding.meaning = "runtimes were killed before they could remove these; no memory and no process is among them";
  finding.remedy = "nothing, or 'penstock gc': the next command that runs or shows something removes them";
  return finding;
}

}  // namespace penstock::cli
