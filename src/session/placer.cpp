#include "session/placer.h"

#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/paths.h"
#include "container/pool.h"
#include "manifest/env_file.h"
#include "plan/render.h"
#include "plan/render_container.h"
#include "session/share_key.h"

namespace penstock::session {
namespace {

constexpr std::chrono::seconds kContainerTimeout{60};
constexpr std::chrono::seconds kLook{5};

// Process and native nodes see the runtime's own environment, as a program started by hand would.
auto InheritedEnvironment() -> std::map<std::string, std::string> {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

// Those of the file first: what the manifest itself says wins.
auto AddDeclared(const plan::Node& node, std::map<std::string, std::string>& env) -> base::Status {
  if (node.env_file) {
    auto variables = manifest::LoadEnvFile(node.env_file->path);
    if (!variables) return tl::make_unexpected(variables.error().front());
    for (auto& [name, value] : *variables) env[name] = std::move(value);
  }
  for (const auto& [name, value] : node.env) env[name] = value;
  return {};
}

// After the node's own variables: what it puts on PYTHONPATH comes behind the SDK and its code.
void AddPythonSettings(std::map<std::string, std::string>& env, const std::string& sdk, const std::string& code) {
  const auto own = env["PYTHONPATH"];
  env["PYTHONPATH"] = fmt::format("{}:{}{}{}", sdk, code, own.empty() ? "" : ":", own);
  env["PYTHONUNBUFFERED"] = "1";
  env["PYTHONDONTWRITEBYTECODE"] = "1";
}

auto PythonCommand(std::string interpreter) -> std::vector<std::string> {
  return {std::move(interpreter), "-m", "penstock.worker"};
}

auto AskForTheSame(const plan::Node& one, const plan::Node& other) -> bool {
  if (!one.container || !other.container || one.env != other.env || one.env_file != other.env_file) return false;
  return plan::ToJson(*one.environment) == plan::ToJson(*other.environment) &&
         plan::ToJson(*one.container) == plan::ToJson(*other.container);
}

auto CommandInContainer(const plan::Node& node, const NodeEnvironment& environment) -> base::Expected<WorkerCommand> {
  WorkerCommand command;
  command.argv = PythonCommand(environment.interpreter);
  command.env = environment.env;
  command.env["HOME"] = "/tmp";  // the only writable place
  PENSTOCK_TRY(AddDeclared(node, command.env));
  AddPythonSettings(command.env, std::string(container::kInstallTarget) + "/python", container::kCodeTarget);
  command.cwd = container::kCodeTarget;
  return command;
}

}  // namespace

Placer::Placer(Options options, Observer& observer) : options_(std::move(options)), observer_(observer) {}

auto Placer::SecondsSinceStart() const -> double {
  return std::chrono::duration<double>(base::Deadline::Clock::now() - began_).count();
}

auto Placer::Place(const plan::Plan& plan, const plan::Node& node) const -> base::Expected<Placed> {
  switch (node.placement) {
    case plan::Placement::kContainer:
      return PlaceInContainer(plan, node);
    case plan::Placement::kProcess:
      return PlaceOnHost(plan, node);
    case plan::Placement::kNative:
      break;
  }
  return PlaceNative(plan, node);
}

auto Placer::ProgressOf(const plan::Node& node) const -> image::ProgressSink {
  return [this, id = node.id](const image::Progress& progress) {
    observer_.OnProgress(fmt::format("environment of {}: {}", id, progress.step), progress.line);
  };
}

auto Placer::EnsureEnvironment(const plan::Node& node) const -> base::Expected<NodeEnvironment> {
  // A download takes what it takes; its progress is shown, and it can be stopped.
  return EnsureEnvironmentOf(node, options_.engine, ProgressOf(node),
                             docker::Call(base::Deadline::Never(), options_.stop), options_.environments);
}

auto Placer::PlaceInContainer(const plan::Plan& plan, const plan::Node& node) const -> base::Expected<Placed> {
  PENSTOCK_ASSIGN(auto environment, EnsureEnvironment(node));
  Placed placed;
  placed.environment_ready = SecondsSinceStart();
  // All that can fail comes before the container, which would stay behind.
  PENSTOCK_ASSIGN(placed.command, CommandInContainer(node, environment));
  auto leased = Lease(plan, node, environment.image);
  if (!leased && ImageIsGone(environment.image)) {
    observer_.OnProgress("the image was removed meanwhile; making it again", node.id);
    PENSTOCK_ASSIGN(environment, EnsureEnvironment(node));
    PENSTOCK_ASSIGN(placed.command, CommandInContainer(node, environment));
    leased = Lease(plan, node, environment.image);
  }
  if (!leased) return tl::make_unexpected(std::move(leased.error()));
  if (node.container->sharing == manifest::Sharing::kShared)
    placed.command.share = ShareKey(plan, node, placed.command);
  placed.warm = leased->warm;
  placed.container = std::move(leased->container);
  placed.lease = std::make_unique<container::AgentLease>(std::move(leased->lease));
  return placed;
}

auto Placer::Lease(const plan::Plan& plan, const plan::Node& node, const std::string& image) const
    -> base::Expected<container::Container::Leased> {
  PENSTOCK_ASSIGN(const auto home, base::InstallDirectory());
  observer_.OnProgress("starting containers", node.id);
  const auto ordinal = [&](const std::string& content) { return OrdinalOf(plan, node, content); };
  PENSTOCK_ASSIGN(const auto prepared, container::Prepare({.session = options_.session,
                                                           .node = node.id,
                                                           .image = image,
                                                           .spec = *node.container,
                                                           .env = node.env,
                                                           .code = plan.directory,
                                                           .installed = home / "worker"},
                                                          ordinal));
  const auto on_wait = [&] {
    observer_.OnProgress("waiting for another session that starts the same container", node.id);
  };
  const docker::Call call(base::Deadline::In(kContainerTimeout), options_.stop);
  return container::Acquire(*options_.engine, prepared, on_wait, call);
}

auto Placer::OrdinalOf(const plan::Plan& plan, const plan::Node& node, const std::string& content) const
    -> std::uint32_t {
  std::uint32_t ordinal = 0;
  for (const auto& earlier : plan.nodes) {
    if (earlier.id == node.id) break;
    if (AskForTheSame(earlier, node)) ++ordinal;
  }
  const std::lock_guard lock(mutex_);
  // Nodes that are written differently may come to the same content all the same.
  for (;; ++ordinal) {
    const auto& owner = ordinals_.try_emplace({content, ordinal}, node.id).first->second;
    if (owner == node.id) return ordinal;
  }
}

// Somebody may remove an image between the moment that it was found and the one that it is used.
auto Placer::ImageIsGone(const std::string& image) const -> bool {
  const auto found = options_.engine->InspectImage(image, docker::Call(base::Deadline::In(kLook), options_.stop));
  return !found && found.error().code() == base::ErrorCode::kNotFound;
}

auto Placer::PlaceOnHost(const plan::Plan& plan, const plan::Node& node) const -> base::Expected<Placed> {
  PENSTOCK_ASSIGN(const auto home, base::InstallDirectory());
  PENSTOCK_ASSIGN(const auto environment, EnsureEnvironment(node));
  Placed placed;
  placed.environment_ready = SecondsSinceStart();
  placed.command.argv = PythonCommand(environment.interpreter);
  placed.command.env = InheritedEnvironment();
  placed.command.env.erase("PYTHONHOME");  // another interpreter's
  PENSTOCK_TRY(AddDeclared(node, placed.command.env));
  AddPythonSettings(placed.command.env, home / "worker" / "python", plan.directory);
  placed.command.cwd = plan.directory;
  return placed;
}

auto Placer::PlaceNative(const plan::Plan& plan, const plan::Node& node) const -> base::Expected<Placed> {
  PENSTOCK_ASSIGN(const auto home, base::InstallDirectory());
  Placed placed;
  placed.command.argv = {(home / "bin" / "penstock-native").string()};
  placed.command.env = InheritedEnvironment();
  for (const auto& [name, value] : node.env) placed.command.env[name] = value;
  placed.command.cwd = plan.directory;
  placed.environment_ready = SecondsSinceStart();
  return placed;
}

}  // namespace penstock::session
