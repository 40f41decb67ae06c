#include "docker/decode.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "docker/errors.h"
#include "docker/json_object.h"

namespace penstock::docker {
namespace {
using base::Expected;

// Parses `body` and has `read` make a value of it; any problem that it notes is the error.
template <class Read>
auto DecodeObject(std::string_view attempt, std::string_view body, Read read)
    -> Expected<std::invoke_result_t<Read, const JsonObject&>> {
  PENSTOCK_ASSIGN(const auto json, ParseJson(attempt, body));
  std::string problem;
  auto value = read(JsonObject(json, problem));
  if (!problem.empty()) return tl::unexpected(MalformedError(attempt, problem));
  return value;
}

template <class Read>
auto DecodeList(std::string_view attempt, std::string_view body, Read read)
    -> Expected<std::vector<std::invoke_result_t<Read, const JsonObject&>>> {
  PENSTOCK_ASSIGN(const auto json, ParseJson(attempt, body));
  std::string problem;
  std::vector<std::invoke_result_t<Read, const JsonObject&>> values;
  if (json.is_null()) return values;  // a list in Go that nobody has made
  if (!json.is_array()) return tl::unexpected(MalformedError(attempt, "the answer is not a list"));
  values.reserve(json.size());
  for (const auto& item : json) values.push_back(read(JsonObject(item, problem)));
  if (!problem.empty()) return tl::unexpected(MalformedError(attempt, problem));
  return values;
}

auto WithoutSlash(std::string name) -> std::string {
  if (name.starts_with('/')) name.erase(0, 1);
  return name;
}

auto ReadState(const JsonObject& state) -> ContainerState {
  return {.status = state.RequiredText("Status"),
          .running = state.Flag("Running"),
          .oom_killed = state.Flag("OOMKilled"),
          .pid = state.Int("Pid"),
          .exit_code = state.Number("ExitCode"),
          .error = state.Text("Error"),
          .started_at = state.Text("StartedAt"),
          .finished_at = state.Text("FinishedAt")};
}
}  // namespace

auto ParseApiVersion(std::string_view text) -> std::optional<ApiVersion> {
  ApiVersion version;
  const auto* const end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, version.major);
  if (major.ec != std::errc{} || major.ptr == end || *major.ptr != '.') return std::nullopt;
  const auto minor = std::from_chars(major.ptr + 1, end, version.minor);
  if (minor.ec != std::errc{} || minor.ptr != end || version.major < 0 || version.minor < 0) return std::nullopt;
  return version;
}

auto ToString(ApiVersion version) -> std::string { return fmt::format("{}.{}", version.major, version.minor); }

auto DecodeVersion(std::string_view attempt, std::string_view body) -> Expected<Version> {
  std::string api;
  std::string api_min;
  PENSTOCK_ASSIGN(auto version, DecodeObject(attempt, body, [&](const JsonObject& in) {
                    api = in.RequiredText("ApiVersion");
                    api_min = in.Text("MinAPIVersion");
                    return Version{.engine = in.Text("Version"),
                                   .api = {},
                                   .api_min = {},
                                   .os = in.Text("Os"),
                                   .arch = in.Text("Arch"),
                                   .kernel = in.Text("KernelVersion")};
                  }));
  const auto newest = ParseApiVersion(api);
  const auto oldest = api_min.empty() ? ApiVersion{1, 0} : ParseApiVersion(api_min);
  if (!newest || !oldest) {
    return tl::unexpected(
        MalformedError(attempt, fmt::format("API versions '{}' and '{}' are not like 1.41", api, api_min)));
  }
  version.api = *newest;
  version.api_min = *oldest;
  return version;
}

auto DecodeInfo(std::string_view attempt, std::string_view body) -> Expected<SystemInfo> {
  return DecodeObject(attempt, body, [](const JsonObject& in) {
    return SystemInfo{.id = in.Text("ID"),
                      .name = in.Text("Name"),
                      .root_dir = in.Text("DockerRootDir"),
                      .storage_driver = in.Text("Driver"),
                      .cgroup_driver = in.Text("CgroupDriver"),
                      .cgroup_version = in.Text("CgroupVersion"),
                      .security_options = in.Texts("SecurityOptions"),
                      .warnings = in.Texts("Warnings"),
                      .cpus = in.Int("NCPU"),
                      .memory_bytes = in.Number("MemTotal")};
  });
}

auto DecodeImage(std::string_view attempt, std::string_view body) -> Expected<Image> {
  return DecodeObject(attempt, body, [](const JsonObject& in) {
    const auto config = in.Child("Config");
    return Image{.id = in.RequiredText("Id"),
                 .tags = in.Texts("RepoTags"),
                 .layers = in.Child("RootFS").Texts("Layers"),
                 .os = in.Text("Os"),
                 .arch = in.Text("Architecture"),
                 .created = in.Text("Created"),
                 .size_bytes = in.Number("Size"),
                 .labels = config.Map("Labels"),
                 .env = config.Texts("Env"),
                 .entrypoint = config.Texts("Entrypoint"),
                 .command = config.Texts("Cmd"),
                 .user = config.Text("User"),
                 .working_dir = config.Text("WorkingDir")};
  });
}

auto DecodeImages(std::string_view attempt, std::string_view body) -> Expected<std::vector<ImageSummary>> {
  return DecodeList(attempt, body, [](const JsonObject& in) {
    auto tags = in.Texts("RepoTags");
    std::erase(tags, "<none>:<none>");  // older engines' way to say: untagged
    return ImageSummary{.id = in.RequiredText("Id"),
                        .tags = std::move(tags),
                        .labels = in.Map("Labels"),
                        .created = in.Number("Created"),
                        .size_bytes = in.Number("Size")};
  });
}

auto DecodeContainer(std::string_view attempt, std::string_view body) -> Expected<Container> {
  return DecodeObject(attempt, body, [&](const JsonObject& in) {
    const auto config = in.Child("Config");
    return Container{.id = in.RequiredText("Id"),
                     .name = WithoutSlash(in.Text("Name")),
                     .image = config.Text("Image"),
                     .image_id = in.Text("Image"),
                     .created = in.Text("Created"),
                     .state = ReadState(in.Child("State")),
                     .labels = config.Map("Labels"),
                     .raw = std::string(body)};
  });
}

auto DecodeContainers(std::string_view attempt, std::string_view body) -> Expected<std::vector<ContainerSummary>> {
  return DecodeList(attempt, body, [](const JsonObject& in) {
    const auto names = in.Texts("Names");
    return ContainerSummary{.id = in.RequiredText("Id"),
                            .name = names.empty() ? std::string() : WithoutSlash(names.front()),
                            .image = in.Text("Image"),
                            .image_id = in.Text("ImageID"),
                            .state = in.Text("State"),
                            .created = in.Number("Created"),
                            .labels = in.Map("Labels")};
  });
}

auto DecodeCreated(std::string_view attempt, std::string_view body) -> Expected<CreatedContainer> {
  return DecodeObject(attempt, body, [](const JsonObject& in) {
    return CreatedContainer{.id = in.RequiredText("Id"), .warnings = in.Texts("Warnings")};
  });
}

auto DecodeExitCode(std::string_view attempt, std::string_view body) -> Expected<std::int64_t> {
  std::string failure;
  PENSTOCK_ASSIGN(const auto code, DecodeObject(attempt, body, [&](const JsonObject& in) {
                    failure = in.Child("Error").Text("Message");
                    return in.RequiredNumber("StatusCode");
                  }));
  if (!failure.empty())
    return base::Fail(base::ErrorCode::kUnavailable, "cannot {}: {} (Docker engine)", attempt, failure);
  return code;
}

auto DecodeEvent(std::string_view attempt, std::string_view line) -> Expected<Event> {
  return DecodeObject(attempt, line, [](const JsonObject& in) {
    const auto actor = in.Child("Actor");
    const auto time = std::chrono::duration_cast<std::chrono::system_clock::duration>(
        std::chrono::nanoseconds(in.Number("timeNano")));
    return Event{.type = in.RequiredText("Type"),
                 .action = in.RequiredText("Action"),
                 .id = actor.Text("ID"),
                 .attributes = actor.Map("Attributes"),
                 .time = std::chrono::system_clock::time_point(time)};
  });
}

auto DecodeText(std::string_view attempt, std::string_view body, std::string_view key) -> Expected<std::string> {
  return DecodeObject(attempt, body, [&](const JsonObject& in) { return in.RequiredText(key); });
}

namespace {
// "1.5MB/2.0MB", of the members that only newer engines leave to their clients to put into words.
auto DetailOf(const JsonObject& in) -> std::string {
  const auto current = in.Number("current");
  const auto total = in.Number("total");
  if (current <= 0) return {};
  if (const auto unit = in.Text("units"); !unit.empty()) return fmt::format("{} {}", current, unit);
  const auto megabytes = [](std::int64_t bytes) { return fmt::format("{:.1f}MB", static_cast<double>(bytes) / 1e6); };
  return total > 0 ? fmt::format("{}/{}", megabytes(current), megabytes(total)) : megabytes(current);
}
}  // namespace

auto DecodeProgress(std::string_view attempt, std::string_view line) -> Expected<ProgressLine> {
  return DecodeObject(attempt, line, [](const JsonObject& in) {
    ProgressLine result;
    result.error = in.Child("errorDetail").Text("message");
    if (result.error.empty()) result.error = in.Text("error");
    auto stream = in.Text("stream");
    auto status = in.Text("status");
    auto detail = in.Text("progress");
    if (detail.empty()) detail = DetailOf(in.Child("progressDetail"));
    result.id = in.Child("aux").Text("ID");
    if (status.starts_with("sha256:")) result.id = status;  // how an import tells its result
    result.progress = {.text = stream.empty() ? std::move(status) : std::move(stream),
                       .layer = in.Text("id"),
                       .detail = std::move(detail)};
    return result;
  });
}

}  // namespace penstock::docker
