#include "plan/render.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/count.h"
#include "manifest/types.h"
#include "plan/render_container.h"

namespace penstock::plan {
namespace {

constexpr std::string_view kSession = "{session}";

/// Columns as wide as their widest cell, two spaces between.
class Table final {
 public:
  void Row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  auto Render() const -> std::string {
    std::vector<std::size_t> widths;
    for (const auto& row : rows_) {
      widths.resize(std::max(widths.size(), row.size()));
      for (std::size_t column = 0; column < row.size(); ++column) {
        widths[column] = std::max(widths[column], row[column].size());
      }
    }
    std::string text;
    for (const auto& row : rows_) {
      std::string line;
      for (std::size_t column = 0; column < row.size(); ++column)
        line += fmt::format("  {:<{}}", row[column], widths[column]);
      line.erase(line.find_last_not_of(' ') + 1);
      text += line.append("\n");
    }
    return text;
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

auto Seconds(manifest::Duration duration) -> double { return std::chrono::duration<double>(duration).count(); }

auto RenderMemory(const std::optional<ContainerSpec>& container) -> std::string {
  return container ? fmt::format("{} MB", container->limits.memory_mb) : "-";
}

auto RenderCpus(const std::optional<ContainerSpec>& container) -> std::string {
  return container ? fmt::format("{:g}", container->limits.cpu_cores) : "-";
}

auto RenderPython(const Node& node) -> std::string {
  if (!node.environment) return "-";
  if (!node.environment->python_version.empty()) return node.environment->python_version;
  return node.environment->interpreter.value_or("the host's");
}

auto RenderMetadata(const Plan& plan) -> std::string {
  std::string text;
  if (plan.created_at) text += fmt::format("  created at {}\n", *plan.created_at);
  if (!plan.description) return text;
  std::string_view left(*plan.description);
  while (!left.empty()) {
    const auto end = left.find('\n');
    text += fmt::format("  {}\n", left.substr(0, end));
    left.remove_prefix(end == std::string_view::npos ? left.size() : end + 1);
  }
  return text;
}

auto RenderNodes(const Plan& plan) -> std::string {
  Table table;
  table.Row({"NODE", "PLACEMENT", "PYTHON", "MEMORY", "CORES", "TYPE", "WHY"});
  for (const auto& node : plan.nodes) {
    table.Row({node.id, std::string(ToString(node.placement)), RenderPython(node), RenderMemory(node.container),
               RenderCpus(node.container), node.node_type, node.reason});
  }
  return table.Render();
}

auto RenderEdges(const Plan& plan) -> std::string {
  Table table;
  table.Row({"EDGE", "POLICY", "DEPTH", "HELD", "SERVICE"});
  for (const auto& edge : plan.edges) {
    table.Row({edge.id, std::string(ToString(edge.policy)), std::to_string(edge.depth), std::to_string(edge.max_held),
               ServiceName(plan.outputs[edge.output], kSession)});
  }
  return table.Render();
}

auto RenderOutputs(const Plan& plan) -> std::string {
  Table table;
  table.Row({"OUTPUT", "LARGEST MESSAGE", "EXPECTED", "SLOTS", "HISTORY", "SHARED MEMORY"});
  for (const auto& output : plan.outputs) {
    const auto expected = output.expected_bytes == 0 ? "learned" : manifest::RenderSize(output.expected_bytes);
    table.Row({fmt::format("{}.{}", output.port.node, output.port.port), manifest::RenderSize(output.max_message_bytes),
               expected, std::to_string(output.slots), std::to_string(output.history),
               manifest::RenderSize(output.realm_bytes) + (output.segments > 1 ? ", two segments" : "")});
  }
  return table.Render();
}

auto RenderPackage(const manifest::PythonPackage& package) -> std::string {
  return package.no_deps ? package.requirement + " (without dependencies)" : package.requirement;
}

auto RenderPackages(const std::vector<manifest::PythonPackage>& packages) -> std::string {
  std::vector<std::string> lines;
  for (const auto& package : packages) lines.push_back(RenderPackage(package));
  return fmt::format("{}", fmt::join(lines, ", "));
}

auto RenderEnvironment(const Node& node) -> std::string {
  const auto& environment = *node.environment;
  std::string text;
  if (node.container) {
    const auto standard = fmt::format("penstock's Python {}", environment.python_version);
    const auto built = environment.build ? fmt::format("built from {} in {}", environment.build->dockerfile,
                                                       environment.build->context.written)
                                         : standard;
    text += fmt::format("    image    {}\n", environment.base_image.value_or(built));
  }
  if (!environment.system_packages.empty()) {
    text += fmt::format("    system   {}\n", fmt::join(environment.system_packages, ", "));
  }
  if (!environment.python_packages.empty()) {
    text += fmt::format("    python   {}\n", RenderPackages(environment.python_packages));
  }
  return text;
}

/// What is common to all workers in one line, then a line for each realm and what belongs to it.
auto RenderGrants(const Node& node) -> std::string {
  std::string text = "    handed   ";
  std::string_view separator;
  for (const auto& grant : node.grants) {
    if (grant.kind == Grant::Kind::kRealm) {
      text += fmt::format("\n    {:<8} realm {}", grant.why.substr(0, grant.why.find(' ')), grant.subject);
    } else if (grant.subject == node.id) {
      text += fmt::format("{}{}", separator, ToString(grant.kind));
    } else {
      text += fmt::format("{}{} of {}", separator, ToString(grant.kind), grant.subject);
    }
    separator = ", ";
  }
  return text.append("\n");
}

/// What follows when it fails or takes too long; nothing for what ends the session in any case.
auto RenderFailure(const Node& node) -> std::string {
  std::string text;
  if (node.restart) {
    text += fmt::format("    restarts up to {} in {:g} s", node.restart->max_attempts, Seconds(node.restart->window));
    if (node.restart->max_attempts > 1) {
      const auto backoff = Seconds(node.restart->backoff);
      text += backoff == 0 ? ", at once" : fmt::format(", {:g} s apart at first", backoff);
    }
    text += "\n";
  }
  if (node.skip)
    text += fmt::format("    failure  {} session goes on without it\n", node.restart ? "after those the" : "the");
  if (node.process_timeout) text += fmt::format("    timeout  {:g} s for a message\n", Seconds(*node.process_timeout));
  return text;
}

/// What an edge has beyond the columns of the table.
auto RenderContracts(const Plan& plan) -> std::string {
  std::string text;
  for (const auto& edge : plan.edges) {
    std::vector<std::string> clauses;
    if (edge.delivery == manifest::Delivery::kAtMostOnce && !MayDrop(edge.policy)) clauses.emplace_back("at most once");
    if (edge.max_in_flight_bytes != 0)
      clauses.push_back(fmt::format("{} under way at most", manifest::RenderSize(edge.max_in_flight_bytes)));
    if (edge.deadline) clauses.push_back(fmt::format("room within {:g} s", Seconds(*edge.deadline)));
    if (!clauses.empty()) text += fmt::format("  {}: {}\n", edge.id, fmt::join(clauses, ", "));
  }
  return text;
}

auto RenderJoin(const Node& node) -> std::string {
  if (!node.join) return "";
  const auto tolerance = Seconds(node.join->tolerance);
  return fmt::format("    joins    its inputs on media time, {}\n",
                     tolerance == 0 ? "equal" : fmt::format("up to {:g} s apart", tolerance));
}

/// One node's environment, rights, what follows its failures, environment variables (their names: values may be
/// secrets), descriptors and notes.
auto RenderNodeDetails(const Node& node) -> std::string {
  auto text = fmt::format("  {}\n", node.id);
  if (node.environment) text += RenderEnvironment(node);
  if (node.container) text += RenderContainer(*node.container);
  if (!node.env.empty()) {
    std::vector<std::string_view> names;
    for (const auto& [name, value] : node.env) names.push_back(name);
    text += fmt::format("    env      {}\n", fmt::join(names, ", "));
  }
  if (node.env_file) text += fmt::format("    env      and what {} says\n", node.env_file->written);
  text += RenderJoin(node);
  text += RenderFailure(node);
  text += RenderGrants(node);
  for (const auto& note : node.notes) text += fmt::format("    note     {}\n", note);
  return text;
}

auto NodeToJson(const Plan& plan, const Node& node) -> nlohmann::json {
  nlohmann::json object{{"id", node.id},          {"node_type", node.node_type},
                        {"params", *node.params}, {"placement", ToString(node.placement)},
                        {"reason", node.reason},  {"start_timeout", Seconds(node.start_timeout)},
                        {"notes", node.notes}};
  if (node.environment) object["environment"] = ToJson(*node.environment);
  if (node.container) object["container"] = ToJson(*node.container);
  if (!node.env.empty()) object["env"] = node.env;
  if (node.env_file) object["env_file"] = node.env_file->written;
  if (node.restart) {
    object["restart"] = {{"max_attempts", node.restart->max_attempts},
                         {"backoff", Seconds(node.restart->backoff)},
                         {"window", Seconds(node.restart->window)}};
  }
  if (node.skip) object["skip"] = true;
  if (node.process_timeout) object["process_timeout"] = Seconds(*node.process_timeout);
  if (node.join) object["join"] = {{"on", "time"}, {"tolerance", Seconds(node.join->tolerance)}};
  object["inputs"] = nlohmann::json::array();
  for (const auto index : node.inputs) object["inputs"].push_back(plan.edges[index].id);
  object["outputs"] = nlohmann::json::array();
  for (const auto index : node.outputs) object["outputs"].push_back(plan.outputs[index].port.port);
  object["grants"] = nlohmann::json::array();
  for (const auto& grant : node.grants) {
    object["grants"].push_back({{"kind", ToString(grant.kind)}, {"subject", grant.subject}, {"why", grant.why}});
  }
  return object;
}

auto OutputToJson(const Plan& plan, const Output& output) -> nlohmann::json {
  auto edges = nlohmann::json::array();
  for (const auto index : output.edges) edges.push_back(plan.edges[index].id);
  return {{"node", output.port.node},
          {"port", output.port.port},
          {"service", ServiceName(output, kSession)},
          {"edges", edges},
          {"history", output.history},
          {"buffer", output.buffer},
          {"max_held", output.max_held},
          {"max_loans", output.max_loans},
          {"slots", output.slots},
          {"segments", output.segments},
          {"max_message_bytes", output.max_message_bytes},
          {"expected_bytes", output.expected_bytes},
          {"prefault_bytes", output.prefault_bytes},
          {"realm_bytes", output.realm_bytes}};
}

auto EdgeToJson(const Plan& plan, const Edge& edge) -> nlohmann::json {
  nlohmann::json object{{"id", edge.id},
                        {"from", {{"node", edge.from.node}, {"port", edge.from.port}, {"named", edge.from.named}}},
                        {"to", {{"node", edge.to.node}, {"port", edge.to.port}, {"named", edge.to.named}}},
                        {"service", ServiceName(plan.outputs[edge.output], kSession)},
                        {"policy", manifest::ToString(edge.policy)},
                        {"delivery", manifest::ToString(edge.delivery)},
                        {"depth", edge.depth},
                        {"max_held", edge.max_held}};
  if (edge.max_in_flight_bytes != 0) object["max_in_flight_bytes"] = edge.max_in_flight_bytes;
  if (edge.deadline) object["deadline"] = Seconds(*edge.deadline);
  return object;
}

}  // namespace

auto RenderTable(const Plan& plan) -> std::string {
  auto text =
      fmt::format("pipeline {}: {}, {}, {} of shared memory, {:g} s to start\n{}\n", plan.name,
                  base::Count(plan.nodes.size(), "node"), base::Count(plan.edges.size(), "edge"),
                  manifest::RenderSize(plan.shm_quota_bytes), Seconds(plan.start_timeout), RenderMetadata(plan));
  text += fmt::format("{}\n", RenderNodes(plan));
  if (!plan.edges.empty())
    text += fmt::format("{}{}\n{}\n", RenderEdges(plan), RenderContracts(plan), RenderOutputs(plan));
  for (const auto& node : plan.nodes) text += RenderNodeDetails(node);
  for (const auto& warning : plan.warnings) text += fmt::format("warning: {}\n", warning);
  return text;
}

auto ToJson(const Environment& environment) -> nlohmann::json {
  nlohmann::json object{{"python_version", nullptr}, {"system_packages", environment.system_packages}};
  if (!environment.python_version.empty()) object["python_version"] = environment.python_version;
  if (environment.interpreter) object["interpreter"] = *environment.interpreter;
  if (environment.base_image) object["base_image"] = *environment.base_image;
  if (environment.build) {
    object["build"] = {{"context", environment.build->context.written}, {"dockerfile", environment.build->dockerfile}};
  }
  object["python_packages"] = nlohmann::json::array();
  for (const auto& package : environment.python_packages) {
    object["python_packages"].push_back({{"package", package.requirement}, {"no_deps", package.no_deps}});
  }
  return object;
}

auto ToJson(const Plan& plan) -> nlohmann::json {
  nlohmann::json object{{"version", 1},
                        {"name", plan.name},
                        {"modules", plan.modules},
                        {"start_timeout", Seconds(plan.start_timeout)},
                        {"shm_quota_bytes", plan.shm_quota_bytes},
                        {"warnings", plan.warnings}};
  if (plan.description) object["description"] = *plan.description;
  if (plan.created_at) object["created_at"] = *plan.created_at;
  object["nodes"] = nlohmann::json::array();
  for (const auto& node : plan.nodes) object["nodes"].push_back(NodeToJson(plan, node));
  object["outputs"] = nlohmann::json::array();
  for (const auto& output : plan.outputs) object["outputs"].push_back(OutputToJson(plan, output));
  object["edges"] = nlohmann::json::array();
  for (const auto& edge : plan.edges) object["edges"].push_back(EdgeToJson(plan, edge));
  object["start_order"] = nlohmann::json::array();
  for (const auto index : plan.start_order) object["start_order"].push_back(plan.nodes[index].id);
  return object;
}

}  // namespace penstock::plan
