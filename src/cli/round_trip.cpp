#include "cli/round_trip.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/uuid.h"
#include "cli/load.h"
#include "container/event_ledger.h"
#include "manifest/load.h"
#include "plan/host_files.h"
#include "session/session.h"

namespace penstock::cli {
namespace fs = std::filesystem;
using base::ErrorCode;
using base::Expected;
using base::Fail;
namespace {

constexpr std::string_view kNode = R"(import penstock
from penstock import Audio, Text


class Echo(penstock.Node):
    def process(self, sound: Audio) -> Text:
        return Text("heard")
)";

constexpr std::uint32_t kRate = 16000;
constexpr std::uint32_t kSamples = kRate / 10;
constexpr std::chrono::seconds kEventsTimeout{10};

/// A folder for the pipeline, gone with this.
class Folder final {
 public:
  Folder() : path_(fs::temp_directory_path() / ("penstock-check-" + base::NewUuidV7())) {}
  Folder(const Folder&) = delete;
  auto operator=(const Folder&) -> Folder& = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  auto path() const noexcept -> const fs::path& { return path_; }

 private:
  fs::path path_;
};

void Append(std::string& bytes, std::uint32_t value, int size) {
  for (int i = 0; i < size; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
}

// A tenth of a second of silence: 16 kHz, one channel, 16 bits.
auto Wav() -> std::string {
  constexpr std::uint32_t kBytes = kSamples * 2;
  std::string wav = "RIFF";
  Append(wav, 36 + kBytes, 4);
  wav += "WAVEfmt ";
  Append(wav, 16, 4);
  for (const std::uint32_t value : {1U, 1U}) Append(wav, value, 2);
  for (const std::uint32_t value : {kRate, kRate * 2}) Append(wav, value, 4);
  for (const std::uint32_t value : {2U, 16U}) Append(wav, value, 2);
  wav += "data";
  Append(wav, kBytes, 4);
  wav.append(kBytes, '\0');
  return wav;
}

auto Manifest(const std::string& image, const std::string& python_version) -> std::string {
  const nlohmann::json docker{{"python_version", python_version}, {"base_image", image}, {"sharing", "exclusive"}};
  const nlohmann::json pipeline{
      {"version", "v1"},
      {"metadata", {{"name", "check-image"}}},
      {"nodes",
       {{{"id", "source"}, {"node_type", "media.source"}, {"params", {{"url", "silence.wav"}}}},
        {{"id", "echo"}, {"node_type", "check_image_echo:Echo"}, {"docker", docker}},
        {{"id", "sink"}, {"node_type", "json.sink"}, {"params", {{"path", "answers.jsonl"}}}}}},
      {"connections", {{{"from", "source"}, {"to", "echo"}}, {{"from", "echo"}, {"to", "sink"}}}}};
  return pipeline.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// The container's user must be able to read it, whatever the umask.
auto Write(const fs::path& file, std::string_view content) -> base::Status {
  std::ofstream stream(file, std::ios::binary);
  stream << content;
  stream.close();
  if (!stream || ::chmod(file.c_str(), 0644) != 0) return base::SystemError(fmt::format("write '{}'", file.string()));
  return {};
}

auto WritePipeline(const fs::path& folder, const std::string& image, const std::string& python_version)
    -> base::Status {
  std::error_code error;
  fs::create_directory(folder, error);
  if (error || ::chmod(folder.c_str(), 0755) != 0) return base::SystemError(fmt::format("make '{}'", folder.string()));
  PENSTOCK_TRY(Write(folder / "silence.wav", Wav()));
  PENSTOCK_TRY(Write(folder / "check_image_echo.py", kNode));
  return Write(folder / "pipeline.json", Manifest(image, python_version));
}

auto MakePlan(const fs::path& manifest) -> Expected<plan::Plan> {
  const auto pipeline = manifest::Load(manifest);
  if (!pipeline) return tl::make_unexpected(pipeline.error().front());
  auto host = GatherHostFacts();
  host.native_nodes = {"media.source", "json.sink"};
  auto plan = plan::MakePlan(*pipeline, host, plan::PlacementOverride::kAsDeclared);
  if (!plan) return tl::make_unexpected(plan.error().front());
  return std::move(*plan);
}

class Silent final : public session::Observer {
 public:
  void OnProgress(std::string_view /*phase*/, std::string_view /*text*/) override {}
  void OnStarted(std::string_view /*session_id*/) override {}
  void OnLog(const observe::LogRecord& /*record*/) override {}
  void OnFailure(const session::Failure& /*failure*/) override {}
  void OnFailureDetail(std::string_view /*sentence*/) override {}
  void OnRestart(const session::Restarting& /*restarting*/) override {}
  void OnLeftOut(const session::Failure& /*failure*/) override {}
};

// What the sink has taken.
auto RunSession(docker::Engine& engine, const std::string& image, const std::string& python_version,
                const std::stop_token& stop) -> Expected<std::uint64_t> {
  const Folder folder;
  PENSTOCK_TRY(WritePipeline(folder.path(), image, python_version));
  PENSTOCK_ASSIGN(auto plan, MakePlan(folder.path() / "pipeline.json"));
  PENSTOCK_ASSIGN(const auto events, container::EventLedger::Follow(engine, base::Deadline::In(kEventsTimeout)));
  Silent observer;
  session::Report report;
  {
    PENSTOCK_ASSIGN(
        const auto session,
        session::Session::Create(
            {.plan = std::move(plan), .engine = &engine, .events = events.get(), .environments = {}}, observer));
    const std::stop_callback on_stop(stop, [&session = *session] { session.Kill(); });
    report = session->Run();
  }
  std::error_code ignored;
  if (!report.log.folder.empty()) fs::remove_all(report.log.folder, ignored);
  if (report.failure) {
    const auto& failure = *report.failure;
    return Fail(ErrorCode::kNodeFailed, "{}{}{}", failure.sentence, failure.traceback.empty() ? "" : "\n",
                failure.traceback);
  }
  for (const auto& node : report.nodes) {
    if (node.id == "sink") return node.messages;
  }
  return Fail(ErrorCode::kInternal, "the session has no sink");
}

}  // namespace

auto CheckRoundTrip(docker::Engine& engine, const std::string& image, const std::string& python_version,
                    const std::stop_token& stop) -> image::Check {
  using Result = image::Check::Result;
  const auto received = RunSession(engine, image, python_version, stop);
  if (received && *received > 0) {
    return {"messages", Result::kPassed, fmt::format("{} went through shared memory and back", *received), {}};
  }
  return {"messages", Result::kFailed,
          received ? "no message came back" : fmt::format("no message came back: {}", received.error().ToString()),
          "what the session says is above; with all other checks passed it is about this host rather than the image"};
}

}  // namespace penstock::cli
