// Engine: calls about images.
#include <optional>

#include "docker/decode.h"
#include "docker/encode.h"
#include "docker/engine.h"
#include "docker/errors.h"
#include "docker/http.h"
#include "docker/lines.h"
#include "docker/paths.h"
#include "docker/readable.h"

namespace penstock::docker {
namespace {
using base::ErrorCode;
using base::Expected;
using base::Fail;
using base::Status;

constexpr auto kTar = "application/x-tar";
constexpr std::size_t kMessageBytes = 20'000;  // of a build: with what its last step printed

/// Follows the lines of a build, pull or import: HTTP says 200 before it is known whether they succeed.
class ProgressReader final {
 public:
  ProgressReader(const std::string& attempt, std::size_t max_line_bytes, const ProgressSink& sink)
      : attempt_(attempt), sink_(sink), lines_(attempt, max_line_bytes) {}

  auto Feed(std::string_view piece) -> Status {
    return lines_.Feed(piece, [this](std::string_view line) { return Take(line); });
  }

  /// The image id that was announced last, or "".
  auto Finish() -> Expected<std::string> {
    PENSTOCK_TRY(lines_.Flush([this](std::string_view line) { return Take(line); }));
    if (!said_anything_) return tl::unexpected(MalformedError(attempt_, "the answer is empty"));
    if (error_.empty()) return id_;
    const bool full = error_.find("no space left on device") != std::string::npos;
    return Fail(full ? ErrorCode::kExhausted : ErrorCode::kUnavailable, "cannot {}: {} (Docker engine)", attempt_,
                error_);
  }

 private:
  auto Take(std::string_view text) -> Status {
    PENSTOCK_ASSIGN(auto line, DecodeProgress(attempt_, text));
    said_anything_ = true;
    if (!line.error.empty()) error_ = Readable(line.error, kMessageBytes);
    if (!line.id.empty()) id_ = std::move(line.id);
    if (sink_ && !line.progress.text.empty()) sink_(line.progress);
    return {};
  }

  std::string attempt_;
  const ProgressSink& sink_;
  LineDecoder lines_;
  bool said_anything_ = false;
  std::string error_;
  std::string id_;
};
}  // namespace

auto Engine::InspectImage(const std::string& image, Call call) const -> Expected<Image> {
  const auto attempt = fmt::format("inspect image '{}'", image);
  PENSTOCK_ASSIGN(const auto name, PathSegment("image", image));
  PENSTOCK_ASSIGN(const auto answer,
                  Ask({.attempt = attempt, .target = Path(fmt::format("/images/{}/json", name))}, std::move(call)));
  return DecodeImage(attempt, answer.body);
}

auto Engine::ListImages(const Strings& labels, Call call) const -> Expected<std::vector<ImageSummary>> {
  const std::string attempt = "list images";
  PENSTOCK_ASSIGN(auto filters, EncodeFilters({{"label", labels}}));
  PENSTOCK_ASSIGN(const auto answer,
                  Ask({.attempt = attempt, .target = Path("/images/json") + Query({{"filters", std::move(filters)}})},
                      std::move(call)));
  return DecodeImages(attempt, answer.body);
}

auto Engine::TagImage(const std::string& image, const std::string& repository, const std::string& tag, Call call) const
    -> Status {
  PENSTOCK_ASSIGN(const auto name, PathSegment("image", image));
  PENSTOCK_TRY(Ask({.attempt = fmt::format("tag image '{}' as '{}:{}'", image, repository, tag),
                    .method = "POST",
                    .target = Path(fmt::format("/images/{}/tag", name)) + Query({{"repo", repository}, {"tag", tag}})},
                   std::move(call)));
  return {};
}

auto Engine::RemoveImage(const std::string& image, RemoveImageOptions options, Call call) const -> Status {
  PENSTOCK_ASSIGN(const auto name, PathSegment("image", image));
  PENSTOCK_TRY(
      Ask({.attempt = fmt::format("remove image '{}'", image),
           .method = "DELETE",
           .target = Path(fmt::format("/images/{}", name)) +
                     Query({{"force", options.force ? "1" : ""}, {"noprune", options.keep_parents ? "1" : ""}})},
          std::move(call)));
  return {};
}

auto Engine::ImportImage(BodyReader rootfs_tar, const std::string& repository, const std::string& tag,
                         const Strings& changes, Call call) const -> Expected<std::string> {
  const auto attempt = fmt::format("import image '{}:{}'", repository, tag);
  std::vector<std::pair<std::string_view, std::string>> query = {{"fromSrc", "-"}, {"repo", repository}, {"tag", tag}};
  for (const auto& change : changes) query.emplace_back("changes", change);
  const ProgressSink quiet;
  ProgressReader reader(attempt, max_answer_bytes_, quiet);
  PENSTOCK_TRY(Ask({.attempt = attempt,
                    .method = "POST",
                    .target = Path("/images/create") + Query(query),
                    .content_type = kTar,
                    .body_reader = std::move(rootfs_tar),
                    .on_data = [&](std::string_view piece) { return reader.Feed(piece); }},
                   std::move(call)));
  PENSTOCK_ASSIGN(auto id, reader.Finish());
  if (id.empty()) return tl::unexpected(MalformedError(attempt, "the answer names no image"));
  return id;
}

auto Engine::PullImage(const std::string& reference, const ProgressSink& progress, Call call) const -> Status {
  const auto attempt = fmt::format("pull image '{}'", reference);
  // Without a tag the engine would pull all of them.
  const auto name_end = reference.find_last_of('/');
  const auto last = reference.substr(name_end == std::string::npos ? 0 : name_end);
  const auto full = last.find_first_of(":@") == std::string::npos ? reference + ":latest" : reference;
  ProgressReader reader(attempt, max_answer_bytes_, progress);
  PENSTOCK_TRY(Ask({.attempt = attempt,
                    .method = "POST",
                    .target = Path("/images/create") + Query({{"fromImage", full}}),
                    .on_data = [&](std::string_view piece) { return reader.Feed(piece); }},
                   std::move(call)));
  PENSTOCK_TRY(reader.Finish());
  return {};
}

auto Engine::Build(const BuildSpec& spec, const ProgressSink& progress, Call call) const -> Expected<std::string> {
  const auto attempt = fmt::format("build image '{}'", spec.tags.empty() ? spec.dockerfile : spec.tags.front());
  PENSTOCK_ASSIGN(auto labels, EncodeMap(spec.labels));
  PENSTOCK_ASSIGN(auto args, EncodeMap(spec.build_args));
  std::vector<std::pair<std::string_view, std::string>> query = {
      {"dockerfile", spec.dockerfile},
      {"labels", std::move(labels)},
      {"buildargs", std::move(args)},
      {"target", spec.target},
      {"networkmode", spec.network},
      {"nocache", spec.use_cache ? "" : "1"},
      {"pull", spec.pull ? "1" : ""},
      {"rm", "1"},
      {"forcerm", "1"},
      {"version", "1"}};  // 1: the classic builder, the only one without a session
  for (const auto& tag : spec.tags) query.emplace_back("t", tag);
  ProgressReader reader(attempt, max_answer_bytes_, progress);
  PENSTOCK_TRY(Ask({.attempt = attempt,
                    .method = "POST",
                    .target = Path("/build") + Query(query),
                    .content_type = kTar,
                    .body = spec.context,
                    .body_reader = spec.context_reader,
                    .on_data = [&](std::string_view piece) { return reader.Feed(piece); }},
                   std::move(call)));
  PENSTOCK_ASSIGN(auto id, reader.Finish());
  if (id.empty()) return tl::unexpected(MalformedError(attempt, "the answer names no image"));
  return id;
}

auto Engine::Commit(const CommitSpec& spec, Call call) const -> Expected<std::string> {
  const auto attempt = fmt::format("commit container '{}' as '{}:{}'", spec.container, spec.repository, spec.tag);
  if (spec.container.empty()) return Fail(ErrorCode::kInvalidArgument, "the container to commit has no name");
  PENSTOCK_ASSIGN(auto body, EncodeCommit(spec));
  std::vector<std::pair<std::string_view, std::string>> query = {{"container", spec.container},
                                                                 {"repo", spec.repository},
                                                                 {"tag", spec.repository.empty() ? "" : spec.tag},
                                                                 {"comment", spec.comment},
                                                                 {"pause", spec.pause ? "1" : "0"}};
  for (const auto& change : spec.changes) query.emplace_back("changes", change);
  PENSTOCK_ASSIGN(const auto answer, Ask({.attempt = attempt,
                                          .method = "POST",
                                          .target = Path("/commit") + Query(query),
                                          .content_type = "application/json",
                                          .body = std::move(body)},
                                         std::move(call)));
  return DecodeText(attempt, answer.body, "Id");
}

}  // namespace penstock::docker
