#include "image/base_image.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/command.h"
#include "base/paths.h"
#include "base/sha256.h"
#include "image/diagnosis.h"
#include "image/step_container.h"

namespace penstock::image {
namespace fs = std::filesystem;
using base::ErrorCode;
using base::Expected;
using base::Fail;
namespace {

constexpr auto kRepository = "penstock/base";
constexpr std::array<std::string_view, 5> kVersions{"3.9", "3.10", "3.11", "3.12", "3.13"};
constexpr auto kRecipeLabel = "penstock.base.recipe";
constexpr auto kInterpreterLabel = "penstock.interpreter";
// What the agent and the extension, built on Debian bookworm, need.
constexpr int kGlibcMinor = 34;

auto Describe(const docker::Image& image, std::string reference, std::string interpreter) -> BaseImage {
  std::string path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (const auto& variable : image.env) {
    if (variable.starts_with("PATH=")) path = variable.substr(5);
  }
  return {image.id,   std::move(reference),       std::move(interpreter), std::move(path),
          image.user, {image.layers, image.arch}, image.size_bytes};
}

// What a look into a foreign image found.
struct Probe {
  std::string interpreter;
  std::string version;   // "3.11"
  std::string libc;      // "glibc 2.36"
  int glibc_minor = -1;  // of glibc 2.x; -1: another C library
};

constexpr auto kProbeScript = R"(
import json, platform, sys
print("::probe " + json.dumps([sys.executable, "%d.%d" % sys.version_info[:2], " ".join(platform.libc_ver())]))
)";

auto ParseProbe(const std::string& text) -> std::optional<Probe> {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_array() || json.size() != 3) return std::nullopt;
  for (const auto& item : json) {
    if (!item.is_string()) return std::nullopt;
  }
  Probe probe{json[0], json[1], json[2], -1};
  if (probe.libc.starts_with("glibc 2.")) probe.glibc_minor = std::atoi(probe.libc.c_str() + 8);
  return probe;
}

auto RunProbe(docker::Engine& engine, const docker::Image& image, const std::string& reference,
              const docker::Call& call) -> Expected<std::string> {
  docker::ContainerSpec spec;
  spec.image = image.id;
  spec.entrypoint = docker::Strings{};
  spec.command = {"python3", "-c", kProbeScript};
  spec.network = "none";
  spec.labels = {{"penstock.build", "probe"}};
  PENSTOCK_ASSIGN(auto container, StepContainer::Create(engine, spec, call));
  std::string found;
  Tail tail;
  const auto status = container.Run(
      [&](std::string_view line) {
        constexpr std::string_view kMark = "::probe ";
        if (line.starts_with(kMark)) found = line.substr(kMark.size());
        tail.Add(line);
      },
      call);
  if (!status || *status != 0 || found.empty()) {
    if (!status && (status.error().code() == ErrorCode::kDeadline || status.error().code() == ErrorCode::kCancelled)) {
      return tl::make_unexpected(status.error());
    }
    return Fail(
        ErrorCode::kInvalidArgument,
        "the base image '{}' has no working python3 in its PATH; install one there, or leave base_image out: {}",
        reference, status ? tail.Show() : status.error().message());
  }
  return found;
}

// A probe costs a container; the answer for one content never changes.
auto CachedProbe(docker::Engine& engine, const docker::Image& image, const std::string& reference,
                 const docker::Call& call) -> Expected<Probe> {
  PENSTOCK_ASSIGN(const auto cache, base::CacheDirectory());
  const auto directory = cache / "probes";
  const auto file = directory / base::Sha256(image.id);  // not the layers': the configuration's PATH decides, too
  if (std::ifstream stream(file); stream) {
    if (auto probe = ParseProbe(std::string(std::istreambuf_iterator<char>(stream), {}))) return std::move(*probe);
  }
  PENSTOCK_ASSIGN(const auto text, RunProbe(engine, image, reference, call));
  auto probe = ParseProbe(text);
  if (!probe)
    return Fail(ErrorCode::kPeerCorrupt, "the python3 of base image '{}' says nonsense about itself", reference);
  std::error_code error;
  fs::create_directories(directory, error);
  const auto temporary = fs::path(file.string() + fmt::format(".{}", ::getpid()));
  std::ofstream(temporary) << text;
  fs::rename(temporary, file, error);  // without it the next run asks again
  return std::move(*probe);
}

// nullopt: not there, or made by another version of Penstock.
auto FindOwnBase(docker::Engine& engine, const std::string& reference, const docker::Call& call)
    -> Expected<std::optional<BaseImage>> {
  const auto image = engine.InspectImage(reference, call);
  if (!image) {
    if (image.error().code() == ErrorCode::kNotFound) return std::nullopt;
    return tl::make_unexpected(image.error());
  }
  const auto recipe = image->labels.find(kRecipeLabel);
  const auto interpreter = image->labels.find(kInterpreterLabel);
  if (recipe == image->labels.end() || recipe->second != PENSTOCK_BASE_RECIPE) return std::nullopt;
  if (interpreter != image->labels.end()) return Describe(*image, reference, interpreter->second);
  PENSTOCK_ASSIGN(auto probe, CachedProbe(engine, *image, reference, call));
  return Describe(*image, reference, std::move(probe.interpreter));
}

auto PullWhenMissing(docker::Engine& engine, const std::string& reference, const ProgressSink& progress,
                     const docker::Call& call) -> Expected<docker::Image> {
  auto image = engine.InspectImage(reference, call);
  if (image || image.error().code() != ErrorCode::kNotFound) return image;
  const std::string subject = "base image " + reference;
  const std::string step = "fetching from its registry";
  if (progress) progress({subject, step, {}});
  auto pulled = engine.PullImage(
      reference,
      [&](const docker::Progress& p) {
        if (progress) progress({subject, step, fmt::format("{} {}", p.layer, p.text)});
      },
      call);
  if (!pulled) {
    if (pulled.error().code() == ErrorCode::kCancelled || pulled.error().code() == ErrorCode::kDeadline) {
      return tl::make_unexpected(pulled.error());
    }
    return Fail(ErrorCode::kNotFound, "the base image '{}' is not in the engine and cannot be fetched: {}", reference,
                RedactUrls(pulled.error().message()));
  }
  return engine.InspectImage(reference, call);
}

}  // namespace

auto FindBase(docker::Engine& engine, const EnvironmentSpec& spec, const docker::Call& call)
    -> Expected<std::optional<BaseImage>> {
  if (!spec.base_image) return FindOwnBase(engine, fmt::format("{}:{}", kRepository, spec.python_version), call);
  const auto image = engine.InspectImage(*spec.base_image, call);
  if (!image && image.error().code() == ErrorCode::kNotFound) return std::nullopt;
  return EnsureCustomBase(engine, *spec.base_image, spec.python_version, {}, call);
}

auto EnsureBase(docker::Engine& engine, const std::string& python_version, const ProgressSink& progress,
                const docker::Call& call) -> Expected<BaseImage> {
  if (std::ranges::find(kVersions, python_version) == kVersions.end()) {
    return Fail(ErrorCode::kInvalidArgument, "there is no base image for Python {}; versions are {}", python_version,
                fmt::join(kVersions, ", "));
  }
  const auto reference = fmt::format("{}:{}", kRepository, python_version);
  PENSTOCK_ASSIGN(auto found, FindOwnBase(engine, reference, call));
  if (found) return std::move(*found);

  PENSTOCK_ASSIGN(const auto install, base::InstallDirectory());
  const auto script = install / "share/docker/scripts/build-base-images.sh";
  const std::string subject = "base " + python_version;
  std::string step = "making the base image";
  if (progress) progress({subject, step, {}});
  Tail tail;
  const auto status = base::RunCommand(
      {"env", "DOCKER_HOST=unix://" + engine.socket_path(), script.string(), "--python", python_version},
      [&](std::string_view line) {
        tail.Add(line);
        // The script indents a step's output below the step.
        const auto text = line.starts_with(subject + ": ") ? line.substr(subject.size() + 2) : line;
        const bool begins = line.size() != text.size() && !text.starts_with(' ');
        if (begins) step = text;
        if (progress)
          progress(
              {subject, step,
               begins ? std::string() : std::string(text.substr(std::min(text.find_first_not_of(' '), text.size())))});
      },
      call.deadline, call.stop);
  if (!status) return tl::make_unexpected(base::Error(status.error()).While("making the base image " + reference));
  if (*status != 0) {
    return Fail(ErrorCode::kUnavailable, "the base image {} could not be made. Its last lines:\n{}", reference,
                tail.Show());
  }
  PENSTOCK_ASSIGN(found, FindOwnBase(engine, reference, call));
  if (!found) return Fail(ErrorCode::kUnavailable, "'{}' has run, but {} is not there", script.string(), reference);
  return std::move(*found);
}

auto EnsureCustomBase(docker::Engine& engine, const std::string& reference, const std::string& python_version,
                      const ProgressSink& progress, const docker::Call& call) -> Expected<BaseImage> {
  PENSTOCK_ASSIGN(const auto image, PullWhenMissing(engine, reference, progress, call));
  if (image.os != "linux" || image.arch != engine.version().arch) {
    return Fail(ErrorCode::kInvalidArgument,
                "the base image '{}' is for {}/{}, this machine is linux/{}; use a matching image", reference, image.os,
                image.arch, engine.version().arch);
  }
  PENSTOCK_ASSIGN(auto probe, CachedProbe(engine, image, reference, call));
  if (probe.version != python_version) {
    return Fail(ErrorCode::kInvalidArgument,
                "the base image '{}' has Python {}, python_version says {}; make them equal", reference, probe.version,
                python_version);
  }
  if (probe.glibc_minor < kGlibcMinor) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "the base image '{}' has {}; Penstock needs glibc 2.{} or newer: Debian bookworm, Ubuntu 22.04 or later, not "
        "Alpine",
        reference, probe.libc.empty() ? "no glibc" : probe.libc, kGlibcMinor);
  }
  return Describe(image, reference, probe.interpreter);
}

}  // namespace penstock::image
