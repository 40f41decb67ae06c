#include "image/base_image.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/command.h"
#include "base/paths.h"
#include "image/build.h"
#include "image/diagnosis.h"
#include "image/dockerfile_build.h"

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

auto Describe(const docker::Image& image, std::string reference, std::string interpreter) -> BaseImage {
  std::string path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (const auto& variable : image.env) {
    if (variable.starts_with("PATH=")) path = variable.substr(5);
  }
  return {image.id,   std::move(reference),       std::move(interpreter), std::move(path),
          image.user, {image.layers, image.arch}, image.size_bytes};
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
  PENSTOCK_ASSIGN(const auto facts, FactsOf(engine, image->id, Probing::kWhenUnknown, {}, call));
  return Describe(*image, reference, facts.python ? facts.python->executable : "python3");
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
  if (!spec.base_image && !spec.build)
    return FindOwnBase(engine, fmt::format("{}:{}", kRepository, spec.python_version), call);
  if (spec.build) {
    PENSTOCK_ASSIGN(const auto identity, IdentityOf(*spec.build, engine));
    const auto built = engine.InspectImage(ImageName(identity), call);
    if (!built && built.error().code() == ErrorCode::kNotFound) return std::nullopt;
    return EnsureCustomBase(engine, ImageName(identity), spec.python_version, false, {}, call);
  }
  const auto image = engine.InspectImage(*spec.base_image, call);
  if (!image && image.error().code() == ErrorCode::kNotFound) return std::nullopt;
  return EnsureCustomBase(engine, *spec.base_image, spec.python_version, false, {}, call);
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

auto CheckCustomImage(docker::Engine& engine, const std::string& reference, const CheckOptions& options,
                      const ProgressSink& progress, const docker::Call& call) -> Expected<CheckedImage> {
  CheckedImage checked;
  PENSTOCK_ASSIGN(checked.image, PullWhenMissing(engine, reference, progress, call));
  checked.checks.push_back(CheckArchitecture(checked.image, engine.version().arch));
  if (!AllPassed(checked.checks)) return checked;
  const auto on_look = [&] {
    if (progress) progress({"base image " + reference, "checking that nodes can run in it", {}});
  };
  if (!options.interpreter.empty()) on_look();
  auto facts = options.interpreter.empty() ? FactsOf(engine, checked.image.id, options.probing, on_look, call)
                                           : FactsWith(engine, checked.image.id, options.interpreter, call);
  if (!facts) return tl::make_unexpected(std::move(facts).error().While("checking the image " + reference));
  checked.facts = std::move(*facts);
  for (auto& check : CheckFacts(*checked.facts, options.python_version)) checked.checks.push_back(std::move(check));
  return checked;
}

auto EnsureCustomBase(docker::Engine& engine, const std::string& reference, const std::string& python_version,
                      bool retry_refused, const ProgressSink& progress, const docker::Call& call)
    -> Expected<BaseImage> {
  const auto began = Now();
  const auto check = [&](Probing probing) {
    return CheckCustomImage(engine, reference, {.python_version = python_version, .probing = probing}, progress, call);
  };
  PENSTOCK_ASSIGN(auto checked, check(Probing::kWhenUnknown));
  const bool is_old = checked.facts && checked.facts->found < began;
  if (!AllPassed(checked.checks) && is_old && retry_refused) {
    PENSTOCK_ASSIGN(checked, check(Probing::kAnew));
  }
  if (AllPassed(checked.checks)) return Describe(checked.image, reference, checked.facts->python->executable);
  std::string failures;
  for (const auto& one : checked.checks) {
    if (one.result == Check::Result::kFailed) failures += fmt::format("\n  {}", Render(one));
  }
  const auto when = !is_old || retry_refused
                        ? std::string()
                        : fmt::format("\nThis was found {}; --retry looks again.", Ago(checked.facts->found, began));
  return Fail(ErrorCode::kInvalidArgument, "the base image '{}' cannot be used for nodes with Python {}:{}{}",
              reference, python_version, failures, when);
}

}  // namespace penstock::image
