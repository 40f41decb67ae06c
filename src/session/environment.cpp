#include "session/environment.h"

#include "image/builder.h"
#include "image/process_environment.h"

namespace penstock::session {
namespace {

auto ParseVariables(const std::vector<std::string>& assignments) -> std::map<std::string, std::string> {
  std::map<std::string, std::string> variables;
  for (const auto& assignment : assignments) {
    const auto equals = assignment.find('=');
    if (equals != std::string::npos) variables.emplace(assignment.substr(0, equals), assignment.substr(equals + 1));
  }
  return variables;
}

auto InContainer(const plan::Node& node, docker::Engine& engine, const image::ProgressSink& progress,
                 const docker::Call& call, const EnvironmentOptions& options) -> base::Expected<NodeEnvironment> {
  PENSTOCK_ASSIGN(const auto spec, SpecOf(*node.environment, options.lock.get()));
  PENSTOCK_ASSIGN(const auto environment, image::EnsureEnvironment(engine, spec, progress, call, options.build));
  // Workers inherit nothing, so that what the image sets (PATH, locale) is handed on with the rest.
  PENSTOCK_ASSIGN(const auto image, engine.InspectImage(environment.image_id, call));
  return NodeEnvironment{.image = environment.image_id,
                         .interpreter = environment.interpreter,
                         .env = ParseVariables(image.env),
                         .cached = environment.origin != image::Origin::kBuilt,
                         .hold = environment.hold};
}

auto OnHost(const plan::Node& node, const image::ProgressSink& progress, const docker::Call& call)
    -> base::Expected<NodeEnvironment> {
  const auto python = node.environment->interpreter.value_or("");
  PENSTOCK_ASSIGN(const auto spec, SpecOf(*node.environment, nullptr));
  PENSTOCK_ASSIGN(const auto environment, image::EnsureProcessEnvironment(spec, python, progress, call));
  return NodeEnvironment{
      .image = {}, .interpreter = environment.interpreter, .env = {}, .cached = environment.cached, .hold = {}};
}

}  // namespace

auto SpecOf(const plan::Environment& environment, const image::LockFile* lock)
    -> base::Expected<image::EnvironmentSpec> {
  image::EnvironmentSpec spec{.python_version = environment.python_version,
                              .base_image = environment.base_image,
                              .system_packages = environment.system_packages,
                              .python_packages = environment.python_packages};
  if (const auto& build = environment.build) {
    spec.build = image::ImageBuild{
        .written = build->context.written, .dockerfile = build->dockerfile, .context = build->context.path};
  }
  if (lock != nullptr && !spec.empty()) {
    PENSTOCK_ASSIGN(auto locked, lock->Find(spec));
    spec.locked = std::move(locked.packages);
    spec.locked_base = std::move(locked.base);
  }
  return spec;
}

auto EnsureEnvironmentOf(const plan::Node& node, docker::Engine* engine, const image::ProgressSink& progress,
                         const docker::Call& call, const EnvironmentOptions& options)
    -> base::Expected<NodeEnvironment> {
  if (node.placement == plan::Placement::kNative) return NodeEnvironment{};
  auto environment = node.placement == plan::Placement::kContainer ? InContainer(node, *engine, progress, call, options)
                                                                   : OnHost(node, progress, call);
  if (!environment)
    return tl::make_unexpected(
        std::move(environment.error()).While(fmt::format("making the environment of node '{}'", node.id)));
  return environment;
}

}  // namespace penstock::session
