#include "image/builder.h"

#include "image/base_image.h"
#include "image/build.h"
#include "image/dockerfile_build.h"
#include "image/finder.h"
#include "image/workspace.h"

namespace penstock::image {
using base::ErrorCode;
using base::Expected;
using base::Fail;
namespace {

/// Packages upon a base (build.h).
class EnvironmentMaker final : public Maker {
 public:
  EnvironmentMaker(docker::Engine& engine, const EnvironmentSpec& spec, const BaseImage& base,
                   const std::string& identity, const ProgressSink& progress, const docker::Call& call)
      : spec_(spec), base_(base), identity_(identity), build_(engine, spec, base, identity, progress, call) {}

  auto identity() const -> const std::string& override { return identity_; }
  auto noun() const -> std::string override { return "this environment"; }
  auto contents() const -> Contents override { return ContentsOf(spec_, base_); }
  auto Prepare(const docker::Call& call) -> Expected<std::string> override {
    auto workspace = Workspace::Create(spec_, identity_, base_.interpreter, ReadHost(call.deadline));
    if (!workspace) return tl::make_unexpected(std::move(workspace).error());
    workspace_.emplace(std::move(*workspace));
    return workspace_->Fingerprint();
  }
  auto Make(BuildLog log, const docker::Call& /*call*/) -> Expected<Built> override {
    return build_.Run(*workspace_, std::move(log));
  }
  auto step_failed() const -> bool override { return build_.step_failed(); }
  auto may_pass() const -> bool override { return build_.may_pass(); }

 private:
  const EnvironmentSpec& spec_;
  const BaseImage& base_;
  const std::string& identity_;
  Build build_;
  std::optional<Workspace> workspace_;
};

// A base, and what keeps it from being pruned while it is used here.
struct Base {
  BaseImage image;
  Origin origin = Origin::kBase;
  std::shared_ptr<const base::FileLock> hold;
};

auto EnsureBaseOf(docker::Engine& engine, const EnvironmentSpec& spec, const ProgressSink& progress,
                  const docker::Call& call, const BuildOptions& options) -> Expected<Base> {
  const auto custom = [&](const std::string& reference) {
    return EnsureCustomBase(engine, reference, spec.python_version, options.retry_failed, progress, call);
  };
  if (spec.build) {
    PENSTOCK_ASSIGN(auto built, EnsureDockerfile(engine, *spec.build, spec.python_version, options, progress, call));
    PENSTOCK_ASSIGN(auto image, custom(ImageName(built.identity)));
    return Base{std::move(image), built.image.origin, std::move(built.image.hold)};
  }
  PENSTOCK_ASSIGN(auto image,
                  spec.base_image ? custom(*spec.base_image) : EnsureBase(engine, spec.python_version, progress, call));
  return Base{std::move(image), Origin::kBase, {}};
}

auto CheckLockedBase(const EnvironmentSpec& spec, const BaseImage& base) -> base::Status {
  if (!spec.locked_base || *spec.locked_base == base.content) return {};
  if (spec.build) {
    return Fail(ErrorCode::kInvalidArgument,
                "the image that {} in '{}' makes has another content than the one that the lock was written upon, so "
                "that the locked packages may not fit it: a file of the build context was changed, or its steps gave "
                "something else this time; take the change back, or run `penstock lock` again",
                spec.build->dockerfile, spec.build->written);
  }
  return Fail(ErrorCode::kInvalidArgument,
              "the base image '{}' has another content than the one that the lock was written upon, so that the locked "
              "packages may not fit it: bring that base image here, or run `penstock lock` again",
              base.reference);
}

}  // namespace

auto EnsureEnvironment(docker::Engine& engine, const EnvironmentSpec& spec, const ProgressSink& progress,
                       const docker::Call& call, const BuildOptions& options) -> Expected<Environment> {
  PENSTOCK_ASSIGN(const auto normal, Normalise(spec));
  PENSTOCK_ASSIGN(auto found_base, EnsureBaseOf(engine, spec, progress, call, options));
  const auto& base = found_base.image;
  PENSTOCK_TRY(CheckLockedBase(spec, base));
  Environment environment{base.id,           Identity(normal, base.content), base.interpreter, spec.python_version,
                          found_base.origin, std::move(found_base.hold)};
  if (normal.empty()) return environment;
  EnvironmentMaker maker(engine, normal, base, environment.identity, progress, call);
  auto found = FindOrMake(engine, maker, options, progress, call);
  if (!found) {
    return tl::make_unexpected(std::move(found).error().While(
        fmt::format("making the environment for Python {} on {}", spec.python_version, base.reference)));
  }
  environment.interpreter = kEnvironmentInterpreter;
  environment.image_id = std::move(found->image_id);
  environment.origin = found->origin;
  environment.hold = std::move(found->hold);
  return environment;
}

}  // namespace penstock::image
