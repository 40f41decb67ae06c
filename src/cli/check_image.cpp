#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cli/engine.h"
#include "cli/harmless.h"
#include "cli/interrupt.h"
#include "cli/json_output.h"
#include "cli/round_trip.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "image/base_image.h"

namespace penstock::cli {
namespace {

void Print(const std::vector<image::Check>& checks) {
  for (const auto& check : checks) {
    fmt::print("{:<11}  {:<12}  {}\n", image::ToString(check.result), check.name,
               HarmlessAt(STDOUT_FILENO, check.found));
    if (!check.remedy.empty()) fmt::print("{:<11}  {:<12}  {}\n", "", "", check.remedy);
  }
}

auto ToJson(const std::string& image, const image::CheckedImage& checked) -> nlohmann::json {
  auto list = nlohmann::json::array();
  for (const auto& check : checked.checks) {
    nlohmann::json item{{"name", check.name}, {"result", image::ToString(check.result)}, {"found", check.found}};
    if (!check.remedy.empty()) item["remedy"] = check.remedy;
    list.push_back(std::move(item));
  }
  return {{"image", image},
          {"id", checked.image.id},
          {"passed", image::AllPassed(checked.checks)},
          {"checks", std::move(list)}};
}

// Messages go through a session, and that has the Python that nodes have.
auto NotOfNodes(const image::ImageFacts& facts) -> image::Check {
  return {"messages",
          image::Check::Result::kNotChecked,
          fmt::format("nodes use the first python3 of the image's PATH, which is {}; put {} before it",
                      facts.in_path.empty() ? "none" : facts.in_path, facts.asked),
          {}};
}

}  // namespace

auto CheckImage(const CheckImageOptions& options) -> int {
  BlockInterrupts();
  const auto engine = ConnectEngine();
  if (!engine) return Complain(engine.error());
  Terminal terminal({});
  std::stop_source stop;
  const InterruptWatch watch([&] { stop.request_stop(); }, [] {});
  auto checked = image::CheckCustomImage(
      **engine, options.image,
      {.python_version = options.python, .interpreter = options.interpreter, .probing = image::Probing::kAnew},
      [&](const image::Progress& step) { terminal.OnProgress(step.step, step.line); },
      docker::Call(base::Deadline::Never(), stop.get_token()));
  if (!checked && stop.stop_requested()) return kInterrupted;
  if (!checked) return Complain(checked.error());
  if (!image::AllPassed(checked->checks)) {
    checked->checks.push_back({"messages", image::Check::Result::kNotChecked, "because of the failures above", {}});
  } else if (checked->facts->asked != checked->facts->in_path) {
    checked->checks.push_back(NotOfNodes(*checked->facts));
  } else {
    terminal.OnProgress("sending messages through a container of it", {});
    checked->checks.push_back(
        CheckRoundTrip(**engine, options.image, checked->facts->python->version, stop.get_token()));
  }
  if (stop.stop_requested()) return kInterrupted;
  terminal.Flush();
  options.json ? PrintJson(ToJson(options.image, *checked)) : Print(checked->checks);
  return image::AllPassed(checked->checks) ? kDone : kEnvironment;
}

}  // namespace penstock::cli
