#include "image/image_facts.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/paths.h"
#include "image/diagnosis.h"
#include "image/step_container.h"

namespace penstock::image {
using base::ErrorCode;
using base::Expected;
using base::Fail;
namespace {

// Raised when the probe looks for more.
constexpr int kProbeVersion = 1;
constexpr std::string_view kMark = "::probe ";
constexpr std::int64_t kMebibyte = 1024L * 1024;
constexpr auto kNobodySpecial = 1000;

// As plan::ResolveContainer has it for nodes: root's containers are never root's.
auto ContainerUser() -> std::string {
  return ::geteuid() == 0 ? fmt::format("{0}:{0}", kNobodySpecial) : fmt::format("{}:{}", ::geteuid(), ::getegid());
}

auto Prober() -> std::string { return fmt::format("{} {} {}", kProbeVersion, PENSTOCK_VERSION, ContainerUser()); }

auto ProbeSpec(const std::string& image_id, const std::string& program, const std::filesystem::path& home)
    -> docker::ContainerSpec {
  docker::ContainerSpec spec;
  spec.image = image_id;
  spec.entrypoint = docker::Strings{};
  spec.command = {"/opt/penstock/penstock-probe"};
  if (!program.empty()) spec.command.push_back(program);
  spec.working_dir = "/";
  spec.labels = {{"penstock.build", "probe"}};
  spec.mounts = {{.source = home / "worker", .target = "/opt/penstock"}};
  spec.user = ContainerUser();
  spec.network = "none";
  // What nodes have by default (plan/container_spec.h).
  spec.tmpfs = {{.target = "/tmp", .size_bytes = 64 * kMebibyte, .options = "mode=1777"}};
  spec.memory_bytes = 512 * kMebibyte;
  spec.pids_limit = 256;
  spec.read_only_root = true;
  spec.cap_drop = {"ALL"};
  spec.security_options = {"no-new-privileges"};
  return spec;
}

auto RunProbe(docker::Engine& engine, const std::string& image_id, const std::string& program, const docker::Call& call)
    -> Expected<std::string> {
  PENSTOCK_ASSIGN(const auto home, base::InstallDirectory());
  PENSTOCK_ASSIGN(auto container, StepContainer::Create(engine, ProbeSpec(image_id, program, home), call));
  std::string found;
  Tail tail;
  PENSTOCK_ASSIGN(const auto status, container.Run(
                                         [&](std::string_view line) {
                                           if (line.starts_with(kMark)) found = line.substr(kMark.size());
                                           tail.Add(line);
                                         },
                                         call));
  if (status == 0 && !found.empty()) return found;
  return Fail(ErrorCode::kUnavailable, "the look into the image ended with status {}. Its last lines:\n{}", status,
              tail.Show());
}

}  // namespace

auto ParseFacts(const std::string& text) -> Expected<ImageFacts> {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return Fail(ErrorCode::kPeerCorrupt, "a look into an image found nonsense");
  try {
    ImageFacts facts;
    facts.user = json.at("user").get<std::uint64_t>();
    facts.tmp_problem = json.at("tmp_problem").get<std::string>();
    facts.agent_problem = json.at("agent_problem").get<std::string>();
    facts.libc = json.value("libc", "");  // as Python has it, where there is one
    if (facts.libc.empty()) facts.libc = json.at("system_libc").get<std::string>();
    facts.asked = json.value("asked", "");
    facts.in_path = json.value("in_path", "");
    facts.refused = json.value("refused", "");
    facts.numpy = json.value("numpy", "");
    facts.numpy_problem = json.value("numpy_problem", "");
    facts.extension = json.value("extension", false);
    facts.extension_problem = json.value("extension_problem", "");
    if (!json.contains("python")) return facts;
    facts.python = PythonFacts{.program = json.at("python").get<std::string>(),
                               .executable = json.value("executable", ""),
                               .version = json.value("version", ""),
                               .full_version = json.value("full", ""),
                               .implementation = json.value("implementation", ""),
                               .debug = json.value("debug", false),
                               .free_threaded = json.value("free_threaded", false),
                               .problem = json.value("python_problem", "")};
    return facts;
  } catch (const nlohmann::json::exception& problem) {  // anybody's python3 has had a say in it
    return Fail(ErrorCode::kPeerCorrupt, "a look into an image found nonsense: {}", problem.what());
  }
}

auto KnownFacts(Index& index, const std::string& image_id) -> Expected<std::optional<ImageFacts>> {
  PENSTOCK_ASSIGN(const auto known, index.FindFacts(image_id, Prober()));
  auto facts = known ? ParseFacts(known->facts) : tl::make_unexpected(base::Error(ErrorCode::kNotFound, ""));
  if (!facts) return std::nullopt;
  facts->found = known->found;
  return std::move(*facts);
}

auto FactsOf(docker::Engine& engine, const std::string& image_id, Probing probing, const std::function<void()>& on_look,
             const docker::Call& call) -> Expected<ImageFacts> {
  PENSTOCK_ASSIGN(auto index, Index::OpenDefault(engine.socket_path()));
  if (probing == Probing::kWhenUnknown) {
    PENSTOCK_ASSIGN(auto known, KnownFacts(index, image_id));
    if (known) return std::move(*known);
  }
  if (on_look) on_look();
  PENSTOCK_ASSIGN(auto text, RunProbe(engine, image_id, {}, call));
  PENSTOCK_ASSIGN(auto facts, ParseFacts(text));
  facts.found = Now();
  PENSTOCK_TRY(index.RecordFacts(image_id, Prober(), {std::move(text), facts.found}));
  return facts;
}

auto FactsWith(docker::Engine& engine, const std::string& image_id, const std::string& program,
               const docker::Call& call) -> Expected<ImageFacts> {
  PENSTOCK_ASSIGN(const auto text, RunProbe(engine, image_id, program, call));
  PENSTOCK_ASSIGN(auto facts, ParseFacts(text));
  facts.found = Now();
  return facts;
}

}  // namespace penstock::image
