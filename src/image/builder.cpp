#include "image/builder.h"

#include <algorithm>

#include "base/file_lock.h"
#include "image/base_image.h"
#include "image/diagnosis.h"
#include "image/step_container.h"
#include "image/workspace.h"

namespace penstock::image {
using base::ErrorCode;
using base::Expected;
using base::Fail;
using base::Status;
namespace {

constexpr auto kBuildLabel = "penstock.build";  // of the containers that make an environment
constexpr auto kRepository = "penstock/env";
constexpr auto kInterpreter = "/opt/venv/bin/python3";
constexpr std::size_t kShortIdentity = 12;

/// One environment being made, its lock held.
class Build final {
 public:
  Build(docker::Engine& engine, const EnvironmentSpec& spec, const BaseImage& base, const std::string& identity,
        const ProgressSink& progress, const docker::Call& call)
      : engine_(engine), spec_(spec), base_(base), identity_(identity), progress_(progress), call_(call) {}

  /// Result: image id.
  auto Run() -> Expected<std::string> {
    PENSTOCK_TRY(RemoveLeftovers());
    Report("preparing", {});
    PENSTOCK_ASSIGN(const auto workspace,
                    Workspace::Create(spec_, identity_, base_.interpreter, ReadHost(call_.deadline)));
    PENSTOCK_TRY(Fetch(workspace));
    return Install(workspace);
  }

 private:
  // Of a process that was killed while it built this.
  auto RemoveLeftovers() -> Status {
    PENSTOCK_ASSIGN(const auto left, engine_.List({fmt::format("{}={}", kBuildLabel, identity_)}, call_));
    for (const auto& container : left) PENSTOCK_TRY(engine_.Remove(container.id, call_));
    return {};
  }

  auto Fetch(const Workspace& workspace) -> Status {
    auto spec = Container(workspace.fetch_directory(), "fetch.sh");
    spec.mounts.push_back({workspace.cache(), Workspace::kCacheMount, false});
    for (const auto& lent : workspace.host_config().find_links) {
      spec.mounts.push_back({lent.host, fmt::format("{}/{}", Workspace::kConfigMount, lent.name), true});
    }
    spec.network = workspace.host_config().needs_host_network ? "host" : "";
    PENSTOCK_ASSIGN(auto container, StepContainer::Create(engine_, spec, call_));
    return RunSteps(container);
  }

  auto Install(const Workspace& workspace) -> Expected<std::string> {
    auto spec = Container(workspace.install_directory(), "install.sh");
    spec.mounts.push_back({workspace.cache(), Workspace::kCacheMount, true});
    spec.network = "none";
    spec.tmpfs = {{.target = "/tmp", .size_bytes = 0, .options = "exec,mode=1777"}};
    PENSTOCK_ASSIGN(auto container, StepContainer::Create(engine_, spec, call_));
    PENSTOCK_TRY(RunSteps(container));
    Report("saving the image", {});
    return engine_.Commit(
        {.container = container.id(),
         .repository = kRepository,
         .tag = identity_.substr(0, kShortIdentity),
         .comment = {},
         // The container's own label is emptied: containers of the image inherit it, and are no leftovers of a build.
         .labels = {{kBuildLabel, ""},
                    {kEnvironmentLabel, identity_},
                    {"penstock.python", spec_.python_version},
                    {"penstock.interpreter", kInterpreter}},
         .changes = {fmt::format("ENV PATH=/opt/venv/bin:{}", base_.path),
                     fmt::format("USER {}", base_.user.empty() ? "1000:1000" : base_.user)},
         .command = {"python3"}},
        call_);
  }

  auto Container(const std::filesystem::path& configuration, const char* script) const -> docker::ContainerSpec {
    docker::ContainerSpec spec;
    spec.image = base_.id;
    spec.entrypoint = docker::Strings{};
    spec.command = {"/bin/sh", fmt::format("{}/{}", Workspace::kConfigMount, script)};
    spec.user = "0:0";
    spec.labels = {{kBuildLabel, identity_}};
    spec.mounts = {{configuration, Workspace::kConfigMount, true}};
    return spec;
  }

  // Follows a script that announces its steps by "::step NAME".
  auto RunSteps(StepContainer& container) -> Status {
    Tail tail;
    const auto status = container.Run(
        [&](std::string_view raw) {
          constexpr std::string_view kMark = "::step ";
          if (raw.starts_with(kMark)) {
            tail = Tail();
            Report(std::string(raw.substr(kMark.size())), {});
            return;
          }
          const auto line = RedactUrls(raw);
          tail.Add(line);
          Report(step_, line);
        },
        call_);
    if (!status) return tl::make_unexpected(base::Error(status.error()).While(step_));
    if (*status == 0) return {};
    const auto cause = Diagnose(tail.lines(), spec_.python_version);
    return Fail(ErrorCode::kUnavailable, "{} failed (exit status {}){}{}. Its last lines:\n{}", step_, *status,
                cause ? ": " : "", cause.value_or(""), tail.Show());
  }

  void Report(std::string step, std::string line) {
    step_ = std::move(step);
    if (progress_) progress_({"environment " + identity_.substr(0, kShortIdentity), step_, std::move(line)});
  }

  docker::Engine& engine_;
  const EnvironmentSpec& spec_;
  const BaseImage& base_;
  const std::string& identity_;
  const ProgressSink& progress_;
  const docker::Call& call_;
  std::string step_;
};

// nullopt: not there.
auto FindImage(docker::Engine& engine, const std::string& identity, const docker::Call& call)
    -> Expected<std::optional<std::string>> {
  PENSTOCK_ASSIGN(const auto images, engine.ListImages({fmt::format("{}={}", kEnvironmentLabel, identity)}, call));
  // Images that somebody derived from an environment inherit its label; ours are known by their name as well.
  const auto name = fmt::format("{}:{}", kRepository, identity.substr(0, kShortIdentity));
  for (const auto& image : images) {
    if (std::ranges::find(image.tags, name) != image.tags.end()) return image.id;
  }
  return std::nullopt;
}

auto FindOrBuild(docker::Engine& engine, const EnvironmentSpec& spec, const BaseImage& base, Environment environment,
                 const ProgressSink& progress, const docker::Call& call) -> Expected<Environment> {
  const auto& identity = environment.identity;
  PENSTOCK_ASSIGN(auto found, FindImage(engine, identity, call));
  if (found) {
    environment.origin = Origin::kCached;
    environment.image_id = std::move(*found);
    return environment;
  }
  environment.origin = Origin::kBuilt;
  PENSTOCK_ASSIGN(const auto lock_file, Workspace::LockFile(identity));
  PENSTOCK_ASSIGN(auto lock, base::FileLock::TryAcquire(lock_file));
  if (!lock) {
    if (progress)
      progress({"environment " + identity.substr(0, kShortIdentity), "waiting for another process that makes it", {}});
    PENSTOCK_ASSIGN(lock, base::FileLock::Acquire(lock_file, call.deadline, call.stop));
  }
  PENSTOCK_ASSIGN(found, FindImage(engine, identity, call));
  if (!found) {
    PENSTOCK_ASSIGN(found, Build(engine, spec, base, identity, progress, call).Run());
  }
  environment.image_id = std::move(*found);
  return environment;
}

}  // namespace

auto EnsureEnvironment(docker::Engine& engine, const EnvironmentSpec& spec, const ProgressSink& progress,
                       const docker::Call& call) -> Expected<Environment> {
  PENSTOCK_ASSIGN(const auto normal, Normalise(spec));
  PENSTOCK_ASSIGN(const auto base, spec.base_image
                                       ? EnsureCustomBase(engine, *spec.base_image, spec.python_version, progress, call)
                                       : EnsureBase(engine, spec.python_version, progress, call));
  Environment environment{base.id, Identity(normal, base.content), base.interpreter, spec.python_version,
                          Origin::kBase};
  if (normal.empty()) return environment;
  environment.interpreter = kInterpreter;
  auto result = FindOrBuild(engine, normal, base, std::move(environment), progress, call);
  if (result) return result;
  return tl::make_unexpected(std::move(result).error().While(
      fmt::format("making the environment for Python {} on {}", spec.python_version, base.reference)));
}

}  // namespace penstock::image
