#include "image/dockerfile_build.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/line_cutter.h"
#include "base/sha256.h"
#include "image/build_context.h"
#include "image/diagnosis.h"
#include "image/owner.h"

namespace penstock::image {
using base::ErrorCode;
using base::Expected;
using base::Fail;
namespace {

constexpr int kDockerfileRecipe = 1;

auto IdentityFor(const std::string& digest, const ImageBuild& build, const docker::Engine& engine) -> std::string {
  const nlohmann::json content{{"dockerfile recipe", kDockerfileRecipe},
                               {"context", digest},
                               {"dockerfile", build.dockerfile},
                               {"arch", engine.version().arch}};
  return base::Sha256(content.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

class DockerfileMaker final : public Maker {
 public:
  DockerfileMaker(docker::Engine& engine, const ImageBuild& build, std::string python_version, BuildContext context,
                  std::string digest, const ProgressSink& progress)
      : engine_(engine),
        build_(build),
        python_version_(std::move(python_version)),
        context_(std::move(context)),
        digest_(std::move(digest)),
        identity_(IdentityFor(digest_, build, engine)),
        progress_(progress) {}

  auto identity() const -> const std::string& override { return identity_; }
  auto noun() const -> std::string override { return fmt::format("the image of '{}'", build_.written); }
  auto contents() const -> Contents override {
    Contents contents;
    contents.recipe = kDockerfileRecipe;
    contents.spec.python_version = python_version_;
    contents.spec.build = build_;
    contents.base_reference = fmt::format("{} in {}", build_.dockerfile, build_.written);
    contents.base.arch = engine_.version().arch;
    return contents;
  }
  // All that decides is in the identity; what a RUN fetches nobody knows.
  auto Prepare(const docker::Call& /*call*/) -> Expected<std::string> override { return digest_; }
  auto Make(BuildLog log, const docker::Call& call) -> Expected<Built> override;
  auto step_failed() const -> bool override { return step_failed_; }
  auto may_pass() const -> bool override { return may_pass_; }

 private:
  auto Spec(const base::UniqueFd& context) const -> Expected<docker::BuildSpec>;
  void Take(std::string_view raw, BuildLog& log);
  auto Failure(const base::Error& error) -> tl::unexpected<base::Error>;

  docker::Engine& engine_;
  const ImageBuild& build_;
  std::string python_version_;
  BuildContext context_;
  std::string digest_;
  std::string identity_;
  const ProgressSink& progress_;
  std::string step_ = "sending the build context";
  Tail tail_;
  bool step_failed_ = false;
  bool may_pass_ = false;
};

auto DockerfileMaker::Spec(const base::UniqueFd& context) const -> Expected<docker::BuildSpec> {
  PENSTOCK_ASSIGN(const auto owner, Owner());
  docker::BuildSpec spec;
  spec.context_reader = [&context](char* room, std::size_t size) -> std::optional<std::size_t> {
    for (;;) {
      const auto got = ::read(context.get(), room, size);
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) return std::nullopt;
    }
  };
  spec.dockerfile = build_.dockerfile;
  spec.tags = {ImageName(identity_)};
  spec.labels = {{kEnvironmentLabel, identity_}, {kContentsLabel, ToJsonText(contents())}, {kOwnerLabel, owner}};
  return spec;
}

auto DockerfileMaker::Make(BuildLog log, const docker::Call& call) -> Expected<Built> {
  const auto subject = SubjectOf(identity_);
  if (progress_) progress_({subject, step_, {}});
  log.Step(step_);
  PENSTOCK_ASSIGN(const auto context, context_.Spool(digest_));
  PENSTOCK_ASSIGN(const auto spec, Spec(context));
  base::LineCutter lines;
  const auto id = engine_.Build(
      spec,
      [&](const docker::Progress& said) { lines.Feed(said.text, [&](std::string_view line) { Take(line, log); }); },
      call);
  if (!id) return Failure(id.error());
  Built built{{}, contents(), 0};
  // The whole id: what the builder says is shortened.
  PENSTOCK_ASSIGN(const auto image, engine_.InspectImage(*id, call));
  built.image_id = image.id;
  built.size_bytes = image.size_bytes;
  return built;
}

void DockerfileMaker::Take(std::string_view raw, BuildLog& log) {
  auto line = RedactUrls(raw);
  const bool begins = line.starts_with("Step ");
  if (begins) {
    // Our labels are steps to the engine; nobody wrote them.
    step_ = line.find(" : LABEL penstock.") == std::string::npos ? line : "labelling the image";
    line = step_;
    tail_ = Tail();
    log.Step(step_);
  } else {
    tail_.Add(line);
    log.Line(line);
  }
  if (progress_) progress_({SubjectOf(identity_), step_, begins ? std::string() : line});
}

auto DockerfileMaker::Failure(const base::Error& error) -> tl::unexpected<base::Error> {
  // Of the engine's codes these are what a Dockerfile, or a step of it, comes to.
  step_failed_ = error.code() == ErrorCode::kUnavailable || error.code() == ErrorCode::kInvalidArgument ||
                 error.code() == ErrorCode::kNotFound;
  if (!step_failed_) return tl::make_unexpected(error);
  auto lines = tail_.lines();
  lines.push_back(error.message());
  may_pass_ = IsPassing(lines);
  const auto shown = tail_.Show();
  return Fail(ErrorCode::kUnavailable, "{} of {} in '{}' failed: {}{}{}", step_, build_.dockerfile, build_.written,
              RedactUrls(error.message()), shown.empty() ? ". " : ". Its last lines:\n", shown);
}

}  // namespace

auto IdentityOf(const ImageBuild& build, const docker::Engine& engine) -> Expected<std::string> {
  PENSTOCK_ASSIGN(const auto context, BuildContext::Collect(build));
  PENSTOCK_ASSIGN(const auto digest, context.Digest());
  return IdentityFor(digest, build, engine);
}

auto EnsureDockerfile(docker::Engine& engine, const ImageBuild& build, const std::string& python_version,
                      const BuildOptions& options, const ProgressSink& progress, const docker::Call& call)
    -> Expected<DockerfileImage> {
  PENSTOCK_ASSIGN(auto context, BuildContext::Collect(build));
  PENSTOCK_ASSIGN(auto digest, context.Digest());
  DockerfileMaker maker(engine, build, python_version, std::move(context), std::move(digest), progress);
  auto found = FindOrMake(engine, maker, options, progress, call);
  if (!found) {
    return tl::make_unexpected(
        std::move(found).error().While(fmt::format("building the image of '{}'", build.written)));
  }
  return DockerfileImage{maker.identity(), std::move(*found)};
}

}  // namespace penstock::image
