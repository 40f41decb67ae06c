#include "session/placer.h"

#include <unistd.h>

#include <cstdlib>

#include "base/paths.h"

namespace penstock::session {
namespace {

constexpr std::chrono::seconds kContainerTimeout{60};

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
  PENSTOCK_ASSIGN(const auto home, base::InstallDirectory());
  PENSTOCK_ASSIGN(const auto environment, EnsureEnvironment(node));
  Placed placed;
  placed.environment_ready = SecondsSinceStart();
  observer_.OnProgress("starting containers", node.id);
  const container::ContainerRequest request{.session = options_.session,
                                            .node = node.id,
                                            .image = environment.image,
                                            .spec = *node.container,
                                            .code = plan.directory,
                                            .installed = home / "worker",
                                            .keep_warm = {}};
  const docker::Call call(base::Deadline::In(kContainerTimeout), options_.stop);
  PENSTOCK_ASSIGN(auto leased, container::Container::Start(*options_.engine, *options_.runtime, request, call));
  placed.container = std::move(leased.container);
  placed.lease = std::make_unique<container::AgentLease>(std::move(leased.lease));
  placed.command.argv = PythonCommand(environment.interpreter);
  placed.command.env = environment.env;
  placed.command.env["HOME"] = "/tmp";  // the only writable place
  for (const auto& [name, value] : node.env) placed.command.env[name] = value;
  AddPythonSettings(placed.command.env, std::string(container::kInstallTarget) + "/python", container::kCodeTarget);
  placed.command.cwd = container::kCodeTarget;
  return placed;
}

auto Placer::PlaceOnHost(const plan::Plan& plan, const plan::Node& node) const -> base::Expected<Placed> {
  PENSTOCK_ASSIGN(const auto home, base::InstallDirectory());
  PENSTOCK_ASSIGN(const auto environment, EnsureEnvironment(node));
  Placed placed;
  placed.environment_ready = SecondsSinceStart();
  placed.command.argv = PythonCommand(environment.interpreter);
  placed.command.env = InheritedEnvironment();
  placed.command.env.erase("PYTHONHOME");  // another interpreter's
  for (const auto& [name, value] : node.env) placed.command.env[name] = value;
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
