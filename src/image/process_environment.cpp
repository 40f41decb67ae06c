#include "image/process_environment.h"

#include <fmt/ranges.h>
#include <sys/utsname.h>

#include <fstream>

#include "base/command.h"
#include "base/file_lock.h"
#include "base/paths.h"
#include "base/sha256.h"
#include "image/diagnosis.h"
#include "image/host_python.h"

namespace penstock::image {
namespace fs = std::filesystem;
namespace {

// Raised when environments made by an older Penstock must be made again.
constexpr int kProcessRecipe = 1;
constexpr const char* kComplete = ".penstock-complete";  // written last: without it the directory is a half-made one

auto MissingSystemPackages(const std::vector<std::string>& packages, const docker::Call& call)
    -> std::vector<std::string> {
  std::vector<std::string> missing;
  for (const auto& package : packages) {
    const auto name = package.substr(0, package.find('='));
    std::string status;
    const auto exit = base::RunCommand(
        {"dpkg-query", "-W", "-f", "${db:Status-Status}\n", name}, [&](std::string_view line) { status = line; },
        call.deadline, call.stop);
    if (!exit && exit.error().code() == base::ErrorCode::kNotFound) return {};  // another distribution: nobody to ask
    if (!exit || *exit != 0 || status != "installed") missing.push_back(name);
  }
  return missing;
}

auto IdentityOf(const EnvironmentSpec& spec, const HostPython& python) -> std::string {
  utsname host{};
  ::uname(&host);
  auto text =
      fmt::format("process {} {} {} {}\n", kProcessRecipe, python.executable.string(), python.version, host.machine);
  for (const auto& package : spec.python_packages)
    text += fmt::format("{} {}\n", package.no_deps ? "no-deps" : "with-deps", package.requirement);
  return base::Sha256(text);
}

// One step of making the environment; its output goes to the progress and, when it fails, into the error.
class Step final {
 public:
  Step(std::string image, std::string what, const ProgressSink& progress)
      : image_(std::move(image)), what_(std::move(what)), progress_(progress) {}

  auto Run(const std::vector<std::string>& arguments, const std::string& python_version, const docker::Call& call)
      -> base::Status {
    Report("");
    Tail tail;
    PENSTOCK_ASSIGN(const int exit, base::RunCommand(
                                        arguments,
                                        [&](std::string_view line) {
                                          const auto shown = RedactUrls(line);
                                          tail.Add(shown);
                                          Report(shown);
                                        },
                                        call.deadline, call.stop));
    if (exit == 0) return {};
    const auto diagnosis = Diagnose(tail.lines(), python_version);
    return base::Fail(base::ErrorCode::kNodeFailed, "{} failed{}{}. Its last lines:\n{}", what_, diagnosis ? ": " : "",
                      diagnosis.value_or(""), tail.Show());
  }

 private:
  void Report(const std::string& line) const {
    if (progress_) progress_({.image = image_, .step = what_, .line = line});
  }
  std::string image_;
  std::string what_;
  const ProgressSink& progress_;
};

auto Install(const EnvironmentSpec& spec, const HostPython& python, const fs::path& directory, const std::string& name,
             const ProgressSink& progress, const docker::Call& call) -> base::Status {
  std::error_code ignored;
  fs::remove_all(directory, ignored);
  PENSTOCK_TRY(Step(name, "making a virtual environment", progress)
                   .Run({python.executable, "-m", "venv", directory}, python.version, call)
                   .map_error([](base::Error error) {
                     return std::move(error).While("the host's Python needs its venv module (Debian: python3-venv)");
                   }));
  const auto pip = [&](bool no_deps) -> base::Status {
    std::vector<std::string> arguments{directory / "bin" / "python3",
                                       "-m",
                                       "pip",
                                       "install",
                                       "--no-input",
                                       "--disable-pip-version-check",
                                       "--prefer-binary",
                                       "--progress-bar",
                                       "off"};
    if (no_deps) arguments.emplace_back("--no-deps");
    const auto options = arguments.size();
    for (const auto& package : spec.python_packages) {
      if (package.no_deps == no_deps) arguments.push_back(package.requirement);
    }
    if (arguments.size() == options) return {};
    return Step(name, "installing Python packages", progress).Run(arguments, python.version, call);
  };
  PENSTOCK_TRY(pip(false));
  PENSTOCK_TRY(pip(true));
  std::ofstream(directory / kComplete) << python.version << '\n';
  return {};
}

}  // namespace

auto EnsureProcessEnvironment(const EnvironmentSpec& spec, const std::string& python, const ProgressSink& progress,
                              const docker::Call& call) -> base::Expected<ProcessEnvironment> {
  PENSTOCK_ASSIGN(const auto host_python, FindHostPython(python.empty() ? spec.python_version : python, call.deadline));
  if (const auto missing = MissingSystemPackages(spec.system_packages, call); !missing.empty()) {
    return base::Fail(
        base::ErrorCode::kUnavailable,
        "system packages that the node needs are not installed on this host: {}; install them (apt-get install {})",
        fmt::join(missing, ", "), fmt::join(missing, " "));
  }
  if (spec.python_packages.empty()) {
    return ProcessEnvironment{
        .interpreter = host_python.executable, .python_version = host_python.version, .cached = true};
  }
  auto wanted = spec;
  if (wanted.python_version.empty()) wanted.python_version = host_python.version;
  PENSTOCK_ASSIGN(const auto normal, Normalise(wanted));
  const auto identity = IdentityOf(normal, host_python);
  PENSTOCK_ASSIGN(const auto cache, base::CacheDirectory());
  const auto parent = cache / "environments";
  const auto directory = parent / identity;
  const ProcessEnvironment environment{
      .interpreter = directory / "bin" / "python3", .python_version = host_python.version, .cached = true};
  std::error_code error;
  if (fs::exists(directory / kComplete, error)) return environment;
  fs::create_directories(parent, error);
  PENSTOCK_ASSIGN(const auto lock, base::FileLock::Acquire(parent / (identity + ".lock"), call.deadline, call.stop));
  if (fs::exists(directory / kComplete, error)) return environment;  // made while we waited
  PENSTOCK_TRY(Install(normal, host_python, directory, "environment " + identity.substr(0, 12), progress, call));
  auto made = environment;
  made.cached = false;
  return made;
}

}  // namespace penstock::image
