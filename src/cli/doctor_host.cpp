// What else of the host matters: its size, its limits, what is installed and where Penstock writes.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>

#include "base/paths.h"
#include "cli/doctor.h"
#include "cli/doctor_disk.h"
#include "cli/image_text.h"
#include "cli/native_nodes.h"
#include "container/host_memory.h"
#include "image/host_python.h"

namespace penstock::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kGigabyte = 1'000'000'000;
constexpr std::chrono::seconds kPatience{20};

auto Hard(int resource) -> rlim_t {
  rlimit limit{};
  return ::getrlimit(static_cast<__rlimit_resource>(resource), &limit) == 0 ? limit.rlim_max : 0;
}

auto Text(rlim_t limit) -> std::string { return limit == RLIM_INFINITY ? "unlimited" : std::to_string(limit); }

auto LookAtFolder(const std::string& name, const base::Expected<fs::path>& folder, std::uint64_t least,
                  const std::string& use) -> Finding {
  if (folder && ::access(folder->c_str(), W_OK) == 0) return LookAtRoom(name, *folder, least, use);
  return {.name = name,
          .health = Health::kProblem,
          .found = folder ? fmt::format("{} cannot be written", folder->string()) : folder.error().ToString(),
          .meaning = use,
          .remedy = "make it writable for you, or set the XDG variable of it to another folder"};
}

}  // namespace

auto LookAtMemory() -> Finding {
  const auto memory = container::ReadHostMemory();
  Finding finding{
      .name = "memory",
      .health = Health::kGood,
      .found = fmt::format("{} of {} available", SizeText(static_cast<std::int64_t>(memory.available_bytes)),
                           SizeText(static_cast<std::int64_t>(memory.total_bytes))),
      .meaning = "containers of all sessions together are promised at most all of it",
      .remedy = {}};
  if (!memory.IsShort()) return finding;
  finding.health = Health::kWarning;
  finding.meaning = "the host is short of memory now: the kernel may end nodes that are within their limits";
  finding.remedy = "end other programs, or 'penstock gc --warm' for containers that only wait";
  return finding;
}

auto LookAtCores() -> Finding {
  const auto cores = ::sysconf(_SC_NPROCESSORS_ONLN);
  return {.name = "cores",
          .health = cores > 1 ? Health::kGood : Health::kNote,
          .found = std::to_string(cores),
          .meaning = cores > 1 ? "the most that 'cpu_cores' of a node may ask for"
                               : "nodes take turns, and every message costs a change of process",
          .remedy = {}};
}

auto LookAtDescriptors() -> Finding {
  constexpr rlim_t kComfortable = 4096;  // some fourteen a port, and numbers for the realms of all sessions
  const auto most = Hard(RLIMIT_NOFILE);
  Finding finding{.name = "descriptors",
                  .health = Health::kGood,
                  .found = fmt::format("{} a process (hard limit)", Text(most)),
                  .meaning = "workers raise their own limit to it; a port takes some fourteen",
                  .remedy = {}};
  if (most >= kComfortable) return finding;
  finding.health = Health::kWarning;
  finding.meaning = "pipelines of many edges, or many sessions at once, will not find enough";
  finding.remedy = "raise it: 'nofile' in /etc/security/limits.conf, or LimitNOFILE= of the service that starts you";
  return finding;
}

auto LookAtProcesses() -> Finding {
  constexpr rlim_t kComfortable = 1000;
  const auto most = Hard(RLIMIT_NPROC);
  Finding finding{.name = "processes",
                  .health = Health::kGood,
                  .found = fmt::format("{} of this user (hard limit)", Text(most)),
                  .meaning = "every node has a process, its keeper one, and its libraries threads",
                  .remedy = {}};
  if (most >= kComfortable) return finding;
  finding.health = Health::kWarning;
  finding.remedy = "raise it: 'nproc' in /etc/security/limits.conf";
  return finding;
}

auto LookAtInstallation() -> Finding {
  const auto home = base::InstallDirectory();
  Finding finding{.name = "installation",
                  .health = Health::kGood,
                  .found = home ? home->string() : home.error().ToString(),
                  .meaning = "the agent, the worker of native nodes and the Python package are started from here",
                  .remedy = {}};
  if (!home) {
    finding.health = Health::kProblem;
    finding.remedy = "set PENSTOCK_HOME to the folder that has bin/penstock";
    return finding;
  }
  std::vector<std::string> missing;
  for (const auto* part :
       {"bin/penstock-native", "bin/penstock-cleaner", "worker/penstock-agent", "worker/penstock-probe",
        "worker/python/penstock/worker.py", "share/docker/scripts/build-base-images.sh"}) {
    if (::access((*home / part).c_str(), R_OK) != 0) missing.emplace_back(part);
  }
  if (missing.empty()) return finding;
  finding.health = Health::kProblem;
  finding.found += fmt::format(", without {}", fmt::join(missing, ", "));
  finding.remedy = "install or build Penstock again (./dev build), or set PENSTOCK_HOME to where all of it is";
  return finding;
}

auto LookAtNativeNodes() -> Finding {
  const auto& all = AskNativeNodes();
  Finding finding{.name = "native nodes",
                  .health = Health::kGood,
                  .found = all.nodes.empty() ? "none" : fmt::format("{}", fmt::join(all.Names(), ", ")),
                  .meaning = "'penstock nodes' says what they do and take",
                  .remedy = {}};
  if (all.complaints.empty()) return finding;
  finding.health = Health::kWarning;
  finding.meaning = "a plugin cannot be loaded, and its nodes are not there";
  finding.remedy = fmt::format("see why, and rebuild or remove it: {}", fmt::join(all.complaints, "; "));
  return finding;
}

auto LookAtPythons() -> Finding {
  constexpr std::array kVersions{"3.9", "3.10", "3.11", "3.12", "3.13"};
  std::vector<std::string> there;
  std::vector<std::string> missing;
  for (const auto* version : kVersions) {
    const auto python = image::FindHostPython(version, base::Deadline::In(kPatience));
    if (python) {
      there.push_back(fmt::format("{} ({})", python->version, python->executable.string()));
    } else {
      missing.emplace_back(version);
    }
  }
  if (there.empty()) {
    return {.name = "Pythons",
            .health = Health::kWarning,
            .found = "none of 3.9 to 3.13 on this host",
            .meaning = "nodes without a docker section cannot run; containers bring their own",
            .remedy = "install python3 (3.9 or newer), or name its prefix in PENSTOCK_PYTHON_PREFIXES"};
  }
  Finding finding{.name = "Pythons",
                  .health = Health::kGood,
                  .found = fmt::format("{}", fmt::join(there, ", ")),
                  .meaning = "nodes on the host run with these; containers bring their own",
                  .remedy = {}};
  if (missing.empty()) return finding;
  finding.health = Health::kNote;
  finding.found += fmt::format("; none of {}", fmt::join(missing, ", "));
  finding.remedy =
      "only if a node on the host asks for one that is missing (also by --placement process): install it, or "
      "name its prefix in PENSTOCK_PYTHON_PREFIXES";
  return finding;
}

auto LookAtFolders() -> Findings {
  return {LookAtFolder("state", base::StateDirectory(), kGigabyte / 2,
                       "sessions' logs, messages in quarantine and the list of images are kept here"),
          LookAtFolder("cache", base::CacheDirectory(), 2 * kGigabyte,
                       "downloaded packages and the virtual environments of host nodes are kept here"),
          LookAtFolder("runtime", base::RuntimeDirectory(), kGigabyte / 100,
                       "the sockets of sessions and containers are here")};
}

}  // namespace penstock::cli
