// One environment being made: two containers, then a commit.
#pragma once

#include <string>

#include "docker/engine.h"
#include "image/base_image.h"
#include "image/build_log.h"
#include "image/contents.h"
#include "image/progress.h"
#include "image/workspace.h"

namespace penstock::image {

inline constexpr auto kEnvironmentRepository = "penstock/env";
inline constexpr auto kEnvironmentInterpreter = "/opt/venv/bin/python3";
/// On every image of ours: what it holds (contents.h).
inline constexpr auto kContentsLabel = "penstock.contents";

/// "penstock/env:1f2e3d4c5b6a"
auto ImageName(const std::string& identity) -> std::string;
/// "environment 1f2e3d4c5b6a", as progress names it.
auto SubjectOf(const std::string& identity) -> std::string;
/// What an environment of `spec` (normalised) on `base` will hold, as far as that is known before it is made.
auto ContentsOf(const EnvironmentSpec& spec, const BaseImage& base) -> Contents;

struct Built {
  std::string image_id;
  Contents contents;
  std::int64_t size_bytes = 0;  // what it adds to its base
};

/// Used once, by one thread, with the lock of `identity` held. The references must outlive it.
class Build final {
 public:
  Build(docker::Engine& engine, const EnvironmentSpec& spec, const BaseImage& base, const std::string& identity,
        const ProgressSink& progress, const docker::Call& call)
      : engine_(engine), spec_(spec), base_(base), identity_(identity), progress_(progress), call_(call) {}

  /// Errors: kUnavailable with the step's last lines when a step failed, and the engine's.
  auto Run(const Workspace& workspace, BuildLog log) -> base::Expected<Built>;
  /// After an error: a step said no, rather than the engine or the caller.
  auto step_failed() const noexcept -> bool { return step_failed_; }
  /// After that: for a reason that may be gone the next time (network, disk).
  auto may_pass() const noexcept -> bool { return may_pass_; }

 private:
  auto RemoveLeftovers() -> base::Status;
  auto Fetch(const Workspace& workspace) -> base::Status;
  auto Install(const Workspace& workspace) -> base::Expected<Built>;
  auto Commit(const std::string& container, const Contents& contents) -> base::Expected<std::string>;
  auto Container(const std::filesystem::path& configuration, const char* script) const
      -> base::Expected<docker::ContainerSpec>;
  auto RunSteps(class StepContainer& container) -> base::Status;
  void TakeInstalled(std::string_view text);
  void Report(std::string step, std::string line);

  docker::Engine& engine_;
  const EnvironmentSpec& spec_;
  const BaseImage& base_;
  const std::string& identity_;
  const ProgressSink& progress_;
  const docker::Call& call_;
  std::optional<BuildLog> log_;
  std::string step_;
  Resolved installed_;  // without hashes
  bool step_failed_ = false;
  bool may_pass_ = false;
};

}  // namespace penstock::image
