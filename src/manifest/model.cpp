#include "manifest/model.h"

#include <array>
#include <nlohmann/json.hpp>

#include "manifest/docker_reader.h"
#include "manifest/names.h"
#include "manifest/packages.h"
#include "manifest/types.h"

namespace penstock::manifest {
namespace {

constexpr std::int64_t kMostMessages = 4096;  // depth and max_held: each costs a slot of the segment
constexpr std::uint32_t kMostAttempts = 100;

auto Texts() -> Type<std::vector<std::string>> { return ListOf(Text()); }

auto CheckVersion(std::string_view version) -> std::string {
  return version == "v1" ? "" : "is not a version of the format that is known here: write v1";
}

auto Version() -> Type<std::string> { return {TextOrNumber({CheckVersion}).read, WordsSchema({"v1"})}; }

auto CheckNodeReference(std::string_view reference) -> std::string {
  const auto dot = reference.find('.');
  if (dot == std::string_view::npos) return CheckNodeId(reference);
  return fmt::format("names a port: write the node, '{}', and the port in 'from_output' or 'to_input'",
                     reference.substr(0, dot));
}

auto Modules() -> Type<std::vector<std::string>> {
  const auto list = ListOf(Text({CheckModule, R"(^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$)"}));
  return {[list](Report& report, std::string_view name, const Value& value) {
            std::map<std::string_view, Position> seen;
            for (const auto& item : value.items) {
              if (item->kind != Value::Kind::kScalar) continue;
              const auto [first, is_new] = seen.emplace(item->text, item->at);
              if (is_new) continue;
              report.Add(item->at, "the module '{}' is listed twice; first at {}:{}", item->text, first->second.line,
                         first->second.column);
            }
            return list.read(report, name, value);
          },
          WithKeywords(list.schema, {{"uniqueItems", true}})};
}

auto NodeId() -> Type<std::string> { return Text({CheckNodeId, "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"}); }
auto NodeReference() -> Type<std::string> { return Text({CheckNodeReference, "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"}); }
auto Port() -> Type<std::string> { return Text({CheckPort, "^[A-Za-z_][A-Za-z0-9_]{0,63}$"}); }

auto Interpreter() -> Type<std::string> { return TextOrNumber({CheckInterpreter, "^[A-Za-z0-9./_~$]"}); }

auto NodeTypeName() -> Type<std::string> {
  return Text(
      {CheckNodeType, R"(^([A-Za-z_]\w*(\.[A-Za-z_]\w*)*:)?[A-Za-z_]\w*$|^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)+$)"});
}

auto PolicyType() -> Type<Policy> {
  return OneOf<Policy>({{"block", Policy::kBlock},
                        {"drop_oldest", Policy::kDropOldest},
                        {"latest", Policy::kLatest},
                        {"fail", Policy::kFail}});
}

auto DeliveryType() -> Type<Delivery> {
  return OneOf<Delivery>({{"at_least_once", Delivery::kAtLeastOnce}, {"at_most_once", Delivery::kAtMostOnce}});
}

auto OnFailureType() -> Type<OnFailure> {
  return OneOf<OnFailure>({{"fail", OnFailure::kFail}, {"restart", OnFailure::kRestart}, {"skip", OnFailure::kSkip}});
}

auto OnFailureOfSession() -> Type<int> { return OneOf<int>({{"fail", 0}, {"restart", 1}, {"skip", 2}}); }

auto RuntimeHintType() -> Type<RuntimeHint> {
  return OneOf<RuntimeHint>({{"auto", RuntimeHint::kAuto},
                             {"cpython", RuntimeHint::kCPython},
                             {"rust_python", RuntimeHint::kRustPython},
                             {"cpython_wasm", RuntimeHint::kCPythonWasm}});
}

auto JoinType() -> Type<Join> {
  static const std::array<Field<Join>, 2> kFields{
      Required("on", OneOf<JoinOn>({{"time", JoinOn::kTime}}), &Join::on),
      Optional("tolerance", DurationOrZero(), &Join::tolerance),
  };
  return Object<Join>("'join'", kFields);
}

auto RetryType() -> Type<Retry> {
  static const std::array<Field<Retry>, 3> kFields{
      Optional("max_attempts", Integer<std::uint32_t>(1, kMostAttempts), &Retry::max_attempts),
      Optional("backoff", DurationBetween(Duration::zero(), std::chrono::hours(1), "up to 1 hour"), &Retry::backoff),
      Optional("window", DurationBetween(Duration(1), std::chrono::hours(24), "above 0, up to 24 hours"),
               &Retry::window),
  };
  return Object<Retry>("'retry'", kFields);
}

auto NodeType() -> Type<Node> {
  static const std::vector<Field<Node>> kFields{
      Required("id", NodeId(), &Node::id),
      Required("node_type", NodeTypeName(), &Node::node_type, &Node::node_type_at),
      Optional("params", JsonObject(), &Node::params),
      Optional("is_streaming", Boolean(), &Node::is_streaming),
      Optional("capabilities", AnyJson(), &Node::capabilities),
      Optional("runtime_hint", RuntimeHintType(), &Node::runtime_hint),
      Optional("docker", DockerType(), &Node::docker),
      Optional("python", Interpreter(), &Node::python, &Node::python_at),
      Optional("python_packages", Packages(), &Node::python_packages),
      Optional("start_timeout", DurationValue(), &Node::start_timeout),
      WithKeyAt(Optional("on_failure", OnFailureType(), &Node::on_failure), &Node::on_failure_at),
      WithKeyAt(Optional("retry", RetryType(), &Node::retry), &Node::retry_at),
      WithKeyAt(Optional("process_timeout", DurationValue(), &Node::process_timeout), &Node::process_timeout_at),
      WithKeyAt(Optional("join", JoinType(), &Node::join), &Node::join_at),
      WithoutEffect<Node>("host", Text()),
      WithoutEffect<Node>("execution", AnyJson()),
  };
  return Object<Node>("a node", kFields);
}

/// `nodes`: a pipeline without any has nothing to run.
auto Nodes() -> Type<std::vector<Node>> {
  const auto list = ListOf(NodeType());
  return {[list](Report& report, std::string_view name, const Value& value) {
            if (value.kind == Value::Kind::kSequence && value.items.empty()) {
              report.Add(value.at, "'nodes' is empty: a pipeline has at least one node");
            }
            return list.read(report, name, value);
          },
          WithKeywords(list.schema, {{"minItems", 1}})};
}

auto ConnectionType() -> Type<Connection> {
  constexpr auto kMost = static_cast<std::uint32_t>(kMostMessages);
  static const std::vector<Field<Connection>> kFields{
      Required("from", NodeReference(), &Connection::from, &Connection::from_at),
      Required("to", NodeReference(), &Connection::to, &Connection::to_at),
      Optional("from_output", Port(), &Connection::from_output, &Connection::from_output_at),
      Optional("to_input", Port(), &Connection::to_input, &Connection::to_input_at),
      Optional("policy", PolicyType(), &Connection::policy),
      Optional("depth", Integer<std::uint32_t>(1, kMost), &Connection::depth),
      Optional("max_message_bytes", Size(), &Connection::max_message_bytes, &Connection::max_message_at),
      Optional("expected_bytes", Size(), &Connection::expected_bytes),
      Optional("max_held", Integer<std::uint32_t>(0, kMost), &Connection::max_held),
      WithKeyAt(Optional("delivery", DeliveryType(), &Connection::delivery), &Connection::delivery_at),
      WithKeyAt(Optional("max_in_flight_bytes", Size(), &Connection::max_in_flight_bytes),
                &Connection::max_in_flight_at),
      WithKeyAt(Optional("deadline", DurationValue(), &Connection::deadline), &Connection::deadline_at),
      WithoutEffect<Connection>("feedback", Boolean()),
  };
  return Object<Connection>("a connection", kFields);
}

auto MetadataType() -> Type<Metadata> {
  static const std::array<Field<Metadata>, 3> kFields{
      Required("name", TextOrNumber(), &Metadata::name),
      Optional("description", Text(), &Metadata::description),
      Optional("created_at", TextOrNumber(), &Metadata::created_at),
  };
  return Object<Metadata>("'metadata'", kFields);
}

auto SessionType() -> Type<Session> {
  static const std::array<Field<Session>, 4> kFields{
      Optional("start_timeout", DurationValue(), &Session::start_timeout),
      Optional("shm_quota_mb", Integer<std::uint64_t>(16, kMostMegabytes), &Session::shm_quota_mb,
               &Session::shm_quota_at),
      WithoutEffect<Session>("idle_timeout", DurationValue()),
      WithoutEffect<Session>("on_failure", OnFailureOfSession()),
  };
  return Object<Session>("'session'", kFields);
}

/// `version` has no place in the model: there is one.
struct Document {
  std::string version;
  Metadata metadata;
  std::vector<Node> nodes;
  std::vector<Connection> connections;
  std::vector<std::string> modules;
  Session session;
};

auto DocumentFields() -> std::span<const Field<Document>> {
  static const std::vector<Field<Document>> kFields{
      Required("version", Version(), &Document::version),
      Required("metadata", MetadataType(), &Document::metadata),
      Required("nodes", Nodes(), &Document::nodes),
      Optional("connections", ListOf(ConnectionType()), &Document::connections),
      Optional("modules", Modules(), &Document::modules),
      Optional("session", SessionType(), &Document::session),
      WithoutEffect<Document>("plugins", Texts()),
  };
  return kFields;
}

}  // namespace

auto ManifestSchema() -> const nlohmann::json& {
  static const auto kSchema = [] {
    auto schema = *ObjectSchema("the manifest", Rules(DocumentFields()));
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
    schema["$id"] = "urn:penstock:manifest:v1";
    return schema;
  }();
  return kSchema;
}

void ReadPipeline(Report& report, const Value& root, Pipeline& pipeline) {
  Document document;
  ReadFields(report, "the manifest", root, DocumentFields(), document);
  pipeline.metadata = std::move(document.metadata);
  pipeline.nodes = std::move(document.nodes);
  pipeline.connections = std::move(document.connections);
  pipeline.modules = std::move(document.modules);
  pipeline.session = std::move(document.session);
  for (auto& node : pipeline.nodes) {
    if (!node.params) node.params = std::make_shared<const nlohmann::json>(nlohmann::json::object());
    if (!node.capabilities) node.capabilities = std::make_shared<const nlohmann::json>(nullptr);
  }
}

}  // namespace penstock::manifest
