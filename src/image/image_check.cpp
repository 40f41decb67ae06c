#include "image/image_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace penstock::image {
namespace {

using Result = Check::Result;

// What the agent and the extension, built on Debian bookworm, need.
constexpr int kGlibcMinor = 34;
constexpr int kPythonMinor = 9;

auto Passed(std::string name, std::string found) -> Check {
  return {std::move(name), Result::kPassed, std::move(found), {}};
}
auto Failed(std::string name, std::string found, std::string remedy) -> Check {
  return {std::move(name), Result::kFailed, std::move(found), std::move(remedy)};
}
auto NotChecked(std::string name, std::string why) -> Check {
  return {std::move(name), Result::kNotChecked, std::move(why), {}};
}

// 34 of "glibc 2.34", 11 of "3.11"; -1 for anything else.
auto MinorAfter(std::string_view text, std::string_view beginning) -> int {
  if (!text.starts_with(beginning)) return -1;
  text.remove_prefix(beginning.size());
  int minor = -1;
  std::from_chars(text.data(), text.data() + text.size(), minor);
  return minor;
}

auto CheckLibc(const ImageFacts& facts) -> Check {
  auto found = facts.libc.empty() ? std::string("no C library") : facts.libc;
  if (MinorAfter(facts.libc, "glibc 2.") >= kGlibcMinor) return Passed("libc", std::move(found));
  return Failed("libc", std::move(found),
                fmt::format("Penstock needs glibc 2.{} or newer: begin with Debian bookworm, Ubuntu 22.04, RHEL 9 or "
                            "later, not with Alpine",
                            kGlibcMinor));
}

auto CheckPython(const ImageFacts& facts) -> Check {
  if (facts.python) return Passed("python", facts.python->program);
  if (!facts.refused.empty()) return Passed("python", facts.refused);
  if (!facts.asked.empty()) {
    return Failed("python", fmt::format("there is no program '{}' in it", facts.asked),
                  "name an interpreter of the image by its absolute path");
  }
  return Failed("python", "there is no python3 in its PATH",
                "install Python 3 in the image, with a `python3` in a folder of its PATH");
}

auto CheckUser(const ImageFacts& facts) -> Check {
  const auto name = std::string("user");
  if (!facts.python && !facts.refused.empty()) {
    return Failed(name, fmt::format("user {} must not run {}", facts.user, facts.refused),
                  fmt::format("make the interpreter and the folders above it readable for all: "
                              "chmod a+rx \"$(readlink -f {})\"",
                              facts.refused));
  }
  if (!facts.python) return NotChecked(name, "there is no Python");
  if (facts.python->executable.empty()) {
    return Failed(name, fmt::format("user {} cannot run it: {}", facts.user, facts.python->problem),
                  "it needs its standard library and system libraries, readable for all: run `python3 -c pass` as that "
                  "user in the image");
  }
  return Passed(name, fmt::format("user {} runs it", facts.user));
}

auto CheckVersion(const PythonFacts& python, const std::string& wanted) -> Check {
  const auto name = std::string("version");
  auto found = "Python " + python.full_version;
  if (MinorAfter(python.version, "3.") < kPythonMinor) {
    return Failed(name, std::move(found), fmt::format("Penstock needs Python 3.{} or newer", kPythonMinor));
  }
  if (!wanted.empty() && python.version != wanted) {
    return Failed(name, std::move(found),
                  fmt::format("{0} was asked for: say python_version: \"{1}\", or install Python {0} in the image",
                              wanted, python.version));
  }
  return Passed(name, std::move(found));
}

auto CheckAbi(const PythonFacts& python) -> Check {
  const auto found = fmt::format("{}{}{}", python.implementation, python.free_threaded ? ", free-threaded" : "",
                                 python.debug ? ", debug build" : "");
  if (python.implementation == "cpython" && !python.free_threaded && !python.debug) return Passed("abi", found);
  return Failed("abi", found, "Penstock's extension needs CPython as it is built by default: install that");
}

auto CheckTmp(const ImageFacts& facts) -> Check {
  if (facts.tmp_problem.empty()) return Passed("writable", "/tmp");
  return Failed("writable", facts.tmp_problem, "make /tmp an ordinary folder in the image, not a link or a file");
}

auto CheckNumpy(const ImageFacts& facts) -> Check {
  if (!facts.numpy.empty()) return {"numpy", Result::kNoted, facts.numpy, {}};
  if (!facts.numpy_problem.empty()) return {"numpy", Result::kNoted, "cannot be imported: " + facts.numpy_problem, {}};
  return {"numpy", Result::kNoted, "not there; nodes that ask for arrays need it: python_packages: [numpy]", {}};
}

auto CheckExtension(const ImageFacts& facts) -> Check {
  if (facts.extension) return Passed("extension", "Penstock's extension loads");
  const auto& problem = facts.extension_problem.empty() ? facts.python->problem : facts.extension_problem;
  return Failed("extension", "Penstock's extension does not load: " + problem,
                "see the lines above; a library that it names is missing or too old");
}

auto CheckAgent(const ImageFacts& facts) -> Check {
  if (facts.agent_problem.empty()) return Passed("agent", "starts and grants a lease");
  return Failed("agent", facts.agent_problem, "/opt/penstock, /proc and /dev must be ordinary folders in the image");
}

}  // namespace

auto ToString(Check::Result result) -> std::string_view {
  switch (result) {
    case Result::kPassed:
      return "passed";
    case Result::kFailed:
      return "failed";
    case Result::kNoted:
      return "noted";
    case Result::kNotChecked:
      break;
  }
  return "not checked";
}

auto Render(const Check& check) -> std::string {
  return fmt::format("{}: {}{}{}", check.name, check.found, check.remedy.empty() ? "" : "; ", check.remedy);
}

auto CheckArchitecture(const docker::Image& image, const std::string& machine) -> Check {
  auto found = fmt::format("{}/{}", image.os, image.arch);
  if (image.os == "linux" && image.arch == machine) return Passed("architecture", std::move(found));
  return Failed(
      "architecture", std::move(found),
      fmt::format("this machine is linux/{0}: use an image for it (docker pull --platform linux/{0})", machine));
}

auto CheckFacts(const ImageFacts& facts, const std::string& python_version) -> std::vector<Check> {
  std::vector<Check> checks{CheckLibc(facts), CheckPython(facts), CheckUser(facts)};
  const bool runs = facts.python && !facts.python->executable.empty();
  if (runs) {
    checks.push_back(CheckVersion(*facts.python, python_version));
    checks.push_back(CheckAbi(*facts.python));
  } else {
    for (const auto* name : {"version", "abi"}) checks.push_back(NotChecked(name, "Python does not run"));
  }
  checks.push_back(CheckTmp(facts));
  if (runs) {
    checks.push_back(CheckNumpy(facts));
    checks.push_back(CheckExtension(facts));
  } else {
    for (const auto* name : {"numpy", "extension"}) checks.push_back(NotChecked(name, "Python does not run"));
  }
  checks.push_back(CheckAgent(facts));
  return checks;
}

auto RefusalOf(Index& index, const Entry& entry) -> base::Expected<std::string> {
  std::string lines;
  if (entry.state != State::kAvailable || !entry.contents.is_dockerfile()) return lines;
  PENSTOCK_ASSIGN(const auto facts, KnownFacts(index, entry.image));
  if (!facts) return lines;
  for (const auto& check : CheckFacts(*facts, entry.contents.spec.python_version)) {
    if (check.result == Check::Result::kFailed) lines += fmt::format("{}{}", lines.empty() ? "" : "\n", Render(check));
  }
  return lines;
}

auto AllPassed(const std::vector<Check>& checks) -> bool {
  return std::ranges::none_of(checks, [](const Check& check) { return check.result == Result::kFailed; });
}

}  // namespace penstock::image
