#include "cli/doctor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/colour.h"
#include "cli/json_output.h"
#include "cli/paragraph.h"
#include "cli/table.h"

namespace penstock::cli {
namespace {

auto ColourOf(Health health) -> Colour {
  switch (health) {
    case Health::kGood:
      return Colour::kGreen;
    case Health::kNote:
      return Colour::kDim;
    case Health::kWarning:
      return Colour::kYellow;
    case Health::kProblem:
      return Colour::kRed;
  }
  return Colour::kDim;
}

auto LookAtEverything() -> Findings {
  Findings all{LookAtKernel(),      LookAtKernelFeatures(), LookAtSharedMemory(), LookAtUserNamespaces(),
               LookAtLandlock(),    LookAtControlGroups(),  LookAtCores(),        LookAtMemory(),
               LookAtDescriptors(), LookAtProcesses(),      LookAtInstallation(), LookAtNativeNodes(),
               LookAtPythons()};
  std::ranges::move(LookAtFolders(), std::back_inserter(all));
  const auto engine = docker::Engine::Connect({}, base::Deadline::In(std::chrono::seconds(10)));
  all.push_back(LookAtEngine(engine ? engine->get() : nullptr, engine ? "" : engine.error().ToString()));
  if (engine) {
    all.push_back(LookAtEngineSettings(**engine));
    all.push_back(LookAtEngineDisk(**engine));
    all.push_back(LookAtBaseImages(**engine));
  }
  all.push_back(LookAtLeftovers(engine ? engine->get() : nullptr));
  return all;
}

constexpr std::size_t kIndent = 10;  // behind the longest of the words for health

void Print(const Finding& finding) {
  const bool coloured = HasColours(STDOUT_FILENO);
  const auto width = OutputWidth();
  const std::string word(ToString(finding.health));
  const auto first = Paragraph(finding.name + ": " + finding.found, kIndent, width);
  fmt::print("{}{}", Paint(coloured, ColourOf(finding.health), fmt::format("{:<{}}", word, kIndent)),
             first.substr(kIndent));
  fmt::print("{}", Paragraph(finding.meaning, kIndent, width));
  if (!finding.remedy.empty()) fmt::print("{}", Paragraph("to do: " + finding.remedy, kIndent, width));
}

auto ToJson(const Findings& findings, Health worst) -> nlohmann::json {
  auto checks = nlohmann::json::array();
  for (const auto& finding : findings) {
    nlohmann::json check{{"name", finding.name},
                         {"result", ToString(finding.health)},
                         {"found", finding.found},
                         {"meaning", finding.meaning},
                         {"remedy", nullptr}};
    if (!finding.remedy.empty()) check["remedy"] = finding.remedy;
    checks.push_back(std::move(check));
  }
  return {{"version", 1}, {"result", ToString(worst)}, {"checks", std::move(checks)}};
}

auto Verdict(Health worst) -> std::string_view {
  switch (worst) {
    case Health::kGood:
    case Health::kNote:
      return "Pipelines can run here, in containers and on the host.";
    case Health::kWarning:
      return "Pipelines can run here; see the warnings.";
    case Health::kProblem:
      return "Some or all pipelines cannot run here; see the problems.";
  }
  return {};
}

}  // namespace

auto ToString(Health health) -> std::string_view {
  switch (health) {
    case Health::kGood:
      return "ok";
    case Health::kNote:
      return "note";
    case Health::kWarning:
      return "warning";
    case Health::kProblem:
      return "problem";
  }
  return "unknown";
}

auto Doctor(const DoctorOptions& options) -> int {
  const auto findings = LookAtEverything();
  const auto worst = std::ranges::max_element(findings, {}, &Finding::health)->health;
  if (options.json) {
    PrintJson(ToJson(findings, worst));
  } else {
    for (const auto& finding : findings) {
      if (!options.quiet || finding.health >= Health::kWarning) Print(finding);
    }
    if (!options.quiet) fmt::print("\n{}\n", Verdict(worst));
  }
  return worst == Health::kProblem ? kEnvironment : kDone;
}

}  // namespace penstock::cli
