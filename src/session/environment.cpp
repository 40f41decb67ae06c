#include "session/environment.h"

#include "image/builder.h"
#include "image/process_environment.h"

namespace penstock::session {
namespace {

auto SpecOf(const plan::Environment& environment) -> image::EnvironmentSpec {
  return {.python_version = environment.python_version,
          .base_image = environment.base_image,
          .system_packages = environment.system_packages,
          .python_packages = environment.python_packages};
}

auto InContainer(const plan::Node& node, docker::Engine& engine, const image::ProgressSink& progress, const docker::Call& call)
    -> base::Expected<NodeEnvironment> {
  PENSTOCK_ASSIGN(const auto environment, image::EnsureEnvironment(engine, SpecOf(*node.environment), progress, call));
  return NodeEnvironment{.image = environment.image, .interpreter = environment.interpreter, .env = environment.env, .cached = environment.cached};
}

auto OnHost(const plan::Node& node, const image::ProgressSink& progress, const docker::Call& call) -> base::Expected<NodeEnvironment> {
  const auto python = node.environment->interpreter.value_or("");
  PENSTOCK_ASSIGN(const auto environment, image::EnsureProcessEnvironment(SpecOf(*node.environment), python, progress, call));
  return NodeEnvironment{.image = {}, .interpreter = environment.interpreter, .env = {}, .cached = environment.cached};
}

}  // namespace

auto EnsureEnvironmentOf(const plan::Node& node, docker::Engine* engine, const image::ProgressSink& progress, const docker::Call& call)
    -> base::Expected<NodeEnvironment> {
  if (node.placement == plan::Placement::kNative) return NodeEnvironment{};
  auto environment = node.placement == plan::Placement::kContainer ? InContainer(node, *engine, progress, call) : OnHost(node, progress, call);
  if (!environment) return tl::make_unexpected(std::move(environment.error()).While(fmt::format("making the environment of node '{}'", node.id)));
  return environment;
}

}  // namespace penstock::session
