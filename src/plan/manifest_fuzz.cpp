// A manifest's whole way, from its text to plans for two hosts. Beside the plan, since the loader comes below it.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/testing/fuzz.h"
#include "manifest/load.h"
#include "plan/plan.h"
#include "plan/render.h"

namespace penstock::plan {
namespace {
using base::testing::Require;

constexpr const char* kFile = "fuzz.yaml";

// Characters of each line of the text, as an editor would show them.
auto LineLengths(std::string_view text) -> std::vector<int> {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::vector<int> lengths{0};
  for (const char character : text) {
    if (character == '\n') {
      lengths.push_back(0);
    } else if ((static_cast<unsigned char>(character) & 0xC0U) != 0x80U) {
      ++lengths.back();
    }
  }
  return lengths;
}

void CheckErrors(const std::vector<base::Error>& errors, const std::vector<int>& lines) {
  Require(!errors.empty(), "refused without an error");
  std::pair<int, int> last{0, 0};
  for (const auto& error : errors) {
    Require(!error.message().empty(), "an error without a sentence");
    Require(error.position().has_value(), "'{}' stands nowhere", error.message());
    const auto& [file, line, column] = *error.position();
    Require(file == kFile, "'{}' stands in '{}'", error.message(), file);
    Require(line >= 1 && static_cast<std::size_t>(line) <= lines.size(), "'{}' stands in line {} of {}",
            error.message(), line, lines.size());
    Require(column >= 1 && column <= lines[static_cast<std::size_t>(line) - 1] + 1, "'{}' stands at {}:{}, of {}",
            error.message(), line, column, lines[static_cast<std::size_t>(line) - 1]);
    Require(std::pair(line, column) >= last, "errors are not in order");
    last = {line, column};
  }
}

auto Hosts() -> const std::vector<HostFacts>& {
  static const std::vector<HostFacts> hosts = [] {
    HostFacts large{.cpus = 64, .memory_bytes = std::uint64_t{1} << 40U, .native_nodes = {}};
    HostFacts small{.cpus = 2, .memory_bytes = 4096 * kMebibyte, .native_nodes = {"media.source", "text.sink"}};
    small.container_user_is_fixed = true;
    small.separates_workers = true;
    small.secrets_directory = "/home/user/secrets";
    small.running = {{.id = "s", .pipeline = "p", .promises = {{.node = "n", .memory_mb = 1024, .cpu_cores = 1.5}}}};
    return std::vector{large, small};
  }();
  return hosts;
}

void CheckPlan(const Plan& plan) {
  for (const auto& edge : plan.edges) {
    Require(edge.output < plan.outputs.size(), "an edge of no output");
    Require(edge.depth >= 1, "an edge without room");
    const auto& starts = plan.outputs[edge.output].edges;
    Require(std::ranges::find(starts, static_cast<std::size_t>(&edge - plan.edges.data())) != starts.end(),
            "an output does not know its edge");
  }
  for (const auto& output : plan.outputs) {
    Require(!output.edges.empty() && output.edges.size() <= kMaxConsumers, "an output with {} edges",
            output.edges.size());
    Require(output.slots >= 1 && output.realm_bytes > 0, "an output without memory");
    for (const auto edge : output.edges) {
      Require(edge < plan.edges.size(), "an output of no edge");
      Require(output.buffer >= plan.edges[edge].depth, "an edge deeper than its queue");
    }
  }
  for (const auto& node : plan.nodes) {
    for (const auto edge : node.inputs) Require(edge < plan.edges.size(), "a node that reads no edge");
    for (const auto output : node.outputs) Require(output < plan.outputs.size(), "a node that writes no output");
    Require(node.container.has_value() == (node.placement == Placement::kContainer), "a container without a place");
  }
  auto order = plan.start_order;
  std::ranges::sort(order);
  for (std::size_t i = 0; i < order.size(); ++i) Require(order[i] == i, "not every node is started once");
  Require(order.size() == plan.nodes.size(), "not every node is started");
  Require(RenderTable(plan).ends_with('\n'), "a table that does not end");
  static_cast<void>(ToJson(plan).dump());
}

void CheckPipeline(const manifest::Pipeline& pipeline, const std::vector<int>& lines) {
  const auto written = manifest::ToJson(pipeline).dump();
  const auto again = manifest::Parse(written, kFile, "/project");
  Require(again.has_value(), "what was loaded cannot be loaded again:\n{}\n{}", written,
          again ? "" : manifest::RenderErrors(again.error()));
  Require(manifest::ToJson(*again).dump() == written, "loaded again it is another pipeline:\n{}", written);
  for (const auto& host : Hosts()) {
    for (const auto placement : {PlacementOverride::kAsDeclared, PlacementOverride::kProcess}) {
      const auto plan = MakePlan(pipeline, host, placement);
      if (plan) {
        CheckPlan(*plan);
      } else if (plan.error().front().code() != base::ErrorCode::kExhausted) {  // the host's, not the manifest's
        CheckErrors(plan.error(), lines);
      }
    }
  }
}

void Try(std::string_view text) {
  const auto lines = LineLengths(text);
  const auto pipeline = manifest::Parse(text, kFile, "/project");
  if (pipeline) {
    CheckPipeline(*pipeline, lines);
  } else {
    CheckErrors(pipeline.error(), lines);
  }
}

}  // namespace
}  // namespace penstock::plan

extern "C" auto LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) -> int {
  penstock::plan::Try({reinterpret_cast<const char*>(data), size});
  return 0;
}
