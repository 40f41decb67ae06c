#include "image/build.h"

#include <algorithm>
#include <sstream>

#include "docker/ownership.h"
#include "image/builder.h"
#include "image/diagnosis.h"
#include "image/owner.h"
#include "image/requirement.h"
#include "image/step_container.h"

namespace penstock::image {
using base::ErrorCode;
using base::Expected;
using base::Fail;
using base::Status;
namespace {

constexpr auto kBuildLabel = "penstock.build";  // of the containers that make an environment
constexpr std::size_t kShortIdentity = 12;
constexpr std::string_view kInstalledMark = "::installed ";

// What was installed, with the hashes of the files that came.
auto WithHashes(std::vector<ResolvedPackage> installed, const std::vector<ResolvedPackage>& files)
    -> std::vector<ResolvedPackage> {
  for (auto& package : installed) {
    const auto file = std::ranges::find(files, package.name, &ResolvedPackage::name);
    if (file != files.end()) package.sha256 = file->sha256;
  }
  std::ranges::sort(installed, {}, &ResolvedPackage::name);
  return installed;
}

}  // namespace

auto ImageName(const std::string& identity) -> std::string {
  return fmt::format("{}:{}", kEnvironmentRepository, identity.substr(0, kShortIdentity));
}

auto SubjectOf(const std::string& identity) -> std::string {
  return "environment " + identity.substr(0, kShortIdentity);
}

auto ContentsOf(const EnvironmentSpec& spec, const BaseImage& base) -> Contents {
  Contents contents{kEnvironmentRecipe, spec,      base.reference,          base.content,
                    base.path,          base.user, LockDigest(spec.locked), {}};
  contents.spec.locked.reset();
  contents.spec.locked_base.reset();
  return contents;
}

auto Build::Run(const Workspace& workspace, BuildLog log) -> Expected<Built> {
  log_ = std::move(log);
  PENSTOCK_TRY(RemoveLeftovers());
  Report("preparing", {});
  PENSTOCK_TRY(Fetch(workspace));
  return Install(workspace);
}

// Of a process of the same owner that was killed while it built this.
auto Build::RemoveLeftovers() -> Status {
  PENSTOCK_ASSIGN(const auto owner, Owner());
  PENSTOCK_ASSIGN(
      const auto left,
      engine_.List({fmt::format("{}={}", kBuildLabel, identity_), fmt::format("{}={}", kOwnerLabel, owner)}, call_));
  for (const auto& container : left) PENSTOCK_TRY(engine_.Remove(container.id, call_));
  return {};
}

auto Build::Fetch(const Workspace& workspace) -> Status {
  PENSTOCK_ASSIGN(auto spec, Container(workspace.fetch_directory(), "fetch.sh"));
  spec.mounts.push_back({workspace.cache(), Workspace::kCacheMount, false});
  for (const auto& lent : workspace.host_config().find_links) {
    spec.mounts.push_back({lent.host, fmt::format("{}/{}", Workspace::kConfigMount, lent.name), true});
  }
  spec.network = workspace.host_config().needs_host_network ? "host" : "";
  PENSTOCK_ASSIGN(auto container, StepContainer::Create(engine_, spec, call_));
  return RunSteps(container);
}

auto Build::Install(const Workspace& workspace) -> Expected<Built> {
  PENSTOCK_ASSIGN(auto spec, Container(workspace.install_directory(), "install.sh"));
  spec.mounts.push_back({workspace.cache(), Workspace::kCacheMount, true});
  spec.network = "none";
  spec.tmpfs = {{.target = "/tmp", .size_bytes = 0, .options = "exec,mode=1777"}};
  PENSTOCK_ASSIGN(auto container, StepContainer::Create(engine_, spec, call_));
  PENSTOCK_TRY(RunSteps(container));

  Report("saving the image", {});
  const auto files = workspace.ReadHashes();
  Built built{{}, ContentsOf(spec_, base_), 0};
  built.contents.resolved = {WithHashes(std::move(installed_.apt), files.apt),
                             WithHashes(std::move(installed_.pip), files.pip)};
  PENSTOCK_ASSIGN(built.image_id, Commit(container.id(), built.contents));
  PENSTOCK_ASSIGN(const auto image, engine_.InspectImage(built.image_id, call_));
  built.size_bytes = std::max<std::int64_t>(0, image.size_bytes - base_.size_bytes);
  return built;
}

auto Build::Commit(const std::string& container, const Contents& contents) -> Expected<std::string> {
  PENSTOCK_ASSIGN(const auto owner, Owner());
  const auto name = ImageName(identity_);
  // The container's own labels are emptied: containers of the image inherit them, and are no leftovers of a build.
  auto labels = docker::NoEntryLabels();
  labels.insert({{kBuildLabel, ""},
                 {kEnvironmentLabel, identity_},
                 {kContentsLabel, ToJsonText(contents)},
                 {kOwnerLabel, owner},
                 {"penstock.python", spec_.python_version},
                 {"penstock.interpreter", kEnvironmentInterpreter}});
  return engine_.Commit({.container = container,
                         .repository = kEnvironmentRepository,
                         .tag = name.substr(name.find(':') + 1),
                         .comment = {},
                         .labels = std::move(labels),
                         .changes = {fmt::format("ENV PATH=/opt/venv/bin:{}", base_.path),
                                     fmt::format("USER {}", base_.user.empty() ? "1000:1000" : base_.user)},
                         .command = {"python3"}},
                        call_);
}

auto Build::Container(const std::filesystem::path& configuration, const char* script) const
    -> Expected<docker::ContainerSpec> {
  PENSTOCK_ASSIGN(const auto owner, Owner());
  docker::ContainerSpec spec;
  spec.image = base_.id;
  spec.entrypoint = docker::Strings{};
  spec.command = {"/bin/sh", fmt::format("{}/{}", Workspace::kConfigMount, script)};
  spec.user = "0:0";
  spec.labels = {{kBuildLabel, identity_}, {kOwnerLabel, owner}};
  spec.mounts = {{configuration, Workspace::kConfigMount, true}};
  return spec;
}

// Follows a script that announces its steps by kStepMark.
auto Build::RunSteps(StepContainer& container) -> Status {
  Tail tail;
  const auto status = container.Run(
      [&](std::string_view raw) {
        if (raw.starts_with(kStepMark)) {
          tail = Tail();
          Report(std::string(raw.substr(kStepMark.size())), {});
          return;
        }
        if (raw.starts_with(kInstalledMark)) return TakeInstalled(raw.substr(kInstalledMark.size()));
        const auto line = RedactUrls(raw);
        tail.Add(line);
        Report(step_, line);
      },
      call_);
  if (!status) return tl::make_unexpected(base::Error(status.error()).While(step_));
  if (*status == 0) return {};
  step_failed_ = true;
  may_pass_ = IsPassing(tail.lines());
  const auto cause = Diagnose(tail.lines(), spec_.python_version);
  return Fail(ErrorCode::kUnavailable, "{} failed (exit status {}){}{}. Its last lines:\n{}", step_, *status,
              cause ? ": " : "", cause.value_or(""), tail.Show());
}

// "apt NAME VERSION", "pip NAME VERSION"
void Build::TakeInstalled(std::string_view text) {
  std::istringstream words{std::string(text)};
  std::string kind;
  ResolvedPackage package;
  if (!(words >> kind >> package.name >> package.version)) return;
  if (kind == "apt") {
    installed_.apt.push_back(std::move(package));
  } else if (auto name = NormaliseRequirement(package.name)) {
    package.name = std::move(*name);
    installed_.pip.push_back(std::move(package));
  }
}

void Build::Report(std::string step, std::string line) {
  step_ = std::move(step);
  if (line.empty()) {
    log_->Step(step_);
  } else {
    log_->Line(line);
  }
  if (progress_) progress_({SubjectOf(identity_), step_, std::move(line)});
}

}  // namespace penstock::image
