#include "manifest/pipeline.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "manifest/json_fields.h"

namespace penstock::manifest {
namespace {

auto IsLower(char c) -> bool { return c >= 'a' && c <= 'z'; }
auto IsUpper(char c) -> bool { return c >= 'A' && c <= 'Z'; }
auto IsDigit(char c) -> bool { return c >= '0' && c <= '9'; }

auto IsIdentifier(std::string_view text) -> bool {
  const auto allowed = [](char c) { return IsLower(c) || IsUpper(c) || IsDigit(c) || c == '_'; };
  return !text.empty() && !IsDigit(text.front()) && std::ranges::all_of(text, allowed);
}

/// Whether `text` is made of parts between dots that all pass.
template <class Check>
auto AllParts(std::string_view text, Check check) -> bool {
  for (;;) {
    const auto dot = text.find('.');
    if (!check(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

auto RetryToJson(const Retry& retry) -> nlohmann::json {
  auto object = nlohmann::json::object();
  Put(object, "max_attempts", retry.max_attempts);
  Put(object, "backoff", retry.backoff);
  Put(object, "window", retry.window);
  return object;
}

auto JoinToJson(const Join& join) -> nlohmann::json {
  nlohmann::json object{{"on", ToString(join.on)}};
  Put(object, "tolerance", join.tolerance);
  return object;
}

auto NodeToJson(const Node& node) -> nlohmann::json {
  nlohmann::json object{{"id", node.id}, {"node_type", node.node_type}};
  if (!node.params->empty()) object["params"] = *node.params;
  Put(object, "is_streaming", node.is_streaming);
  if (!node.capabilities->is_null()) object["capabilities"] = *node.capabilities;
  Put(object, "runtime_hint", node.runtime_hint);
  if (node.docker) object["docker"] = ToJson(*node.docker);
  Put(object, "python", node.python);
  if (!node.python_packages.empty()) object["python_packages"] = ToJson(node.python_packages);
  Put(object, "start_timeout", node.start_timeout);
  Put(object, "on_failure", node.on_failure);
  if (node.retry) object["retry"] = RetryToJson(*node.retry);
  Put(object, "process_timeout", node.process_timeout);
  if (node.join) object["join"] = JoinToJson(*node.join);
  return object;
}

auto ConnectionToJson(const Connection& edge) -> nlohmann::json {
  nlohmann::json object{{"from", edge.from}, {"to", edge.to}};
  Put(object, "from_output", edge.from_output);
  Put(object, "to_input", edge.to_input);
  Put(object, "policy", edge.policy);
  Put(object, "depth", edge.depth);
  Put(object, "max_message_bytes", edge.max_message_bytes);
  Put(object, "expected_bytes", edge.expected_bytes);
  Put(object, "max_held", edge.max_held);
  Put(object, "delivery", edge.delivery);
  Put(object, "max_in_flight_bytes", edge.max_in_flight_bytes);
  Put(object, "deadline", edge.deadline);
  return object;
}

}  // namespace

auto ToString(Policy policy) -> std::string_view {
  switch (policy) {
    case Policy::kBlock:
      return "block";
    case Policy::kDropOldest:
      return "drop_oldest";
    case Policy::kLatest:
      return "latest";
    case Policy::kFail:
      return "fail";
  }
  return "unknown";
}

auto MayDrop(Policy policy) -> bool { return policy == Policy::kDropOldest || policy == Policy::kLatest; }

auto ToString(Delivery delivery) -> std::string_view {
  switch (delivery) {
    case Delivery::kAtLeastOnce:
      return "at_least_once";
    case Delivery::kAtMostOnce:
      return "at_most_once";
  }
  return "unknown";
}

auto ToString(RuntimeHint hint) -> std::string_view {
  switch (hint) {
    case RuntimeHint::kAuto:
      return "auto";
    case RuntimeHint::kCPython:
      return "cpython";
    case RuntimeHint::kRustPython:
      return "rust_python";
    case RuntimeHint::kCPythonWasm:
      return "cpython_wasm";
  }
  return "unknown";
}

auto ToString(OnFailure on_failure) -> std::string_view {
  switch (on_failure) {
    case OnFailure::kFail:
      return "fail";
    case OnFailure::kRestart:
      return "restart";
    case OnFailure::kSkip:
      return "skip";
  }
  return "unknown";
}

auto ToString(JoinOn on) -> std::string_view {
  switch (on) {
    case JoinOn::kTime:
      return "time";
  }
  return "unknown";
}

auto ClassifyNodeType(std::string_view node_type) -> std::optional<NodeTypeKind> {
  const auto colon = node_type.find(':');
  if (colon != std::string_view::npos) {
    const auto is_class =
        AllParts(node_type.substr(0, colon), IsIdentifier) && IsIdentifier(node_type.substr(colon + 1));
    return is_class ? std::optional(NodeTypeKind::kPythonClass) : std::nullopt;
  }
  if (node_type.find('.') != std::string_view::npos) {
    const auto is_lower = [](std::string_view part) {
      return IsIdentifier(part) && std::ranges::none_of(part, IsUpper);
    };
    return AllParts(node_type, is_lower) ? std::optional(NodeTypeKind::kNative) : std::nullopt;
  }
  return IsIdentifier(node_type) ? std::optional(NodeTypeKind::kRegistered) : std::nullopt;
}

auto ToJson(const Pipeline& pipeline) -> nlohmann::json {
  nlohmann::json metadata{{"name", pipeline.metadata.name}};
  Put(metadata, "description", pipeline.metadata.description);
  Put(metadata, "created_at", pipeline.metadata.created_at);
  nlohmann::json object{{"version", "v1"}, {"metadata", metadata}};
  object["nodes"] = nlohmann::json::array();
  for (const auto& node : pipeline.nodes) object["nodes"].push_back(NodeToJson(node));
  object["connections"] = nlohmann::json::array();
  for (const auto& edge : pipeline.connections) object["connections"].push_back(ConnectionToJson(edge));
  if (!pipeline.modules.empty()) object["modules"] = pipeline.modules;
  auto session = nlohmann::json::object();
  Put(session, "start_timeout", pipeline.session.start_timeout);
  Put(session, "shm_quota_mb", pipeline.session.shm_quota_mb);
  if (!session.empty()) object["session"] = session;
  return object;
}

}  // namespace penstock::manifest
