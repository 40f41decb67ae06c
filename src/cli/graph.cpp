#include "cli/graph.h"

#include <fmt/format.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "cli/load.h"
#include "cli/verbs.h"

namespace penstock::cli {
namespace {

auto WriteFile(const std::string& path, const std::string& text) -> int {
  errno = 0;
  std::ofstream file(path);
  file << text;
  file.close();
  if (!file.fail()) return kDone;
  return Complain(base::SystemError(fmt::format("write the picture to '{}'", path), errno).value());
}

}  // namespace

auto Graph(const GraphOptions& options) -> int {
  const auto plan = LoadPlan(options.pipeline);
  if (!plan) return Show(plan.error());
  const bool svg =
      options.format.empty() ? std::filesystem::path(options.output).extension() == ".svg" : options.format == "svg";
  const auto text = svg ? ToSvg(*plan) : ToMermaid(*plan);
  if (!options.output.empty() && options.output != "-") return WriteFile(options.output, text);
  fmt::print("{}", text);
  return kDone;
}

}  // namespace penstock::cli
