#include "manifest/model.h"

#include <array>
#include <nlohmann/json.hpp>

#include "manifest/names.h"
#include "manifest/types.h"

namespace penstock::manifest {
namespace {

constexpr std::int64_t kMostMegabytes = 16 * 1024 * 1024;  // 16 TiB: beyond any host, far from overflow in bytes
constexpr std::int64_t kMostMessages = 4096;               // depth and max_held: each costs a slot of the segment
constexpr std::int64_t kMostProcesses = 4'194'304;         // the kernel's own limit of pid_max

/// For parts of the format that are checked and then refused.
struct Nothing {};

template <class V>
auto Known(std::string_view name, Type<V> type) -> Field<Nothing> {
  return {name, [type = std::move(type)](Report& report, const Entry& entry, Nothing&) {
            type.read(report, entry.key, *entry.value);
          }};
}

template <class V>
auto KnownRequired(std::string_view name, Type<V> type) -> Field<Nothing> {
  auto field = Known(name, std::move(type));
  field.required = true;
  return field;
}

auto Megabytes(std::int64_t least) -> Type<std::int64_t> { return Integer(least, kMostMegabytes); }

auto Texts() -> Type<std::vector<std::string>> { return ListOf(Text()); }

auto CheckVersion(std::string_view version) -> std::string {
  return version == "v1" ? "" : "is not a version of the format that is known here: write v1";
}

auto CheckNodeReference(std::string_view reference) -> std::string {
  const auto dot = reference.find('.');
  if (dot == std::string_view::npos) return CheckNodeId(reference);
  return fmt::format("names a port: write the node, '{}', and the port in 'from_output' or 'to_input'",
                     reference.substr(0, dot));
}

/// A requirement line, or {package, no_deps}.
auto Package() -> Type<PythonPackage> {
  static const std::array<Field<PythonPackage>, 2> kFields{
      Required("package", Text(CheckRequirement), &PythonPackage::requirement),
      Optional("no_deps", Boolean(), &PythonPackage::no_deps),
  };
  return {[](Report& report, std::string_view name, const Value& value) -> std::optional<PythonPackage> {
    if (value.kind == Value::Kind::kMapping) {
      PythonPackage package;
      ReadFields<PythonPackage>(report, "a package", value, kFields, package);
      return package.requirement.empty() ? std::nullopt : std::optional(std::move(package));
    }
    auto line = Text(CheckRequirement).read(report, name, value);
    return line ? std::optional(PythonPackage{std::move(*line), false}) : std::nullopt;
  }};
}

/// A list of requirements that does not name a package twice, unless markers choose between the lines.
auto Packages() -> Type<std::vector<PythonPackage>> {
  return {[](Report& report, std::string_view name, const Value& value) {
    std::map<std::string, Position> seen;
    if (value.kind == Value::Kind::kSequence) {
      for (const auto& item : value.items) {
        const auto* inner = item->Find("package");
        const auto& line = inner != nullptr ? *inner->value : *item;
        if (line.kind != Value::Kind::kScalar || line.text.find(';') != std::string::npos) continue;
        const auto package = RequirementName(line.text);
        if (package.empty()) continue;
        const auto [first, is_new] = seen.emplace(package, line.at);
        if (!is_new) {
          report.Add(line.at, "the package '{}' is listed twice; first at {}:{}", package, first->second.line,
                     first->second.column);
        }
      }
    }
    return ListOf(Package()).read(report, name, value);
  }};
}

auto Modules() -> Type<std::vector<std::string>> {
  return {[](Report& report, std::string_view name, const Value& value) {
    std::map<std::string_view, Position> seen;
    for (const auto& item : value.items) {
      const auto [first, is_new] = seen.emplace(item->text, item->at);
      if (is_new) continue;
      report.Add(item->at, "the module '{}' is listed twice; first at {}:{}", item->text, first->second.line,
                 first->second.column);
    }
    return ListOf(Text(CheckModule)).read(report, name, value);
  }};
}

auto Gpus() -> Type<Json> {
  return {[](Report& report, std::string_view name, const Value& value) -> std::optional<Json> {
    if (value.kind == Value::Kind::kSequence) {
      if (!Texts().read(report, name, value)) return std::nullopt;
    } else if (value.kind != Value::Kind::kScalar || value.text != "all") {
      if (!Integer(std::int64_t{1}, std::int64_t{64}).read(report, name, value)) return std::nullopt;
    }
    return AnyJson().read(report, name, value);
  }};
}

auto PolicyType() -> Type<Policy> {
  return {[](Report& report, std::string_view name, const Value& value) -> std::optional<Policy> {
    if (value.kind == Value::Kind::kScalar && value.text == "fail") {
      report.Add(value.at,
                 "the policy 'fail' has no effect in this version of Penstock: use block, drop_oldest or latest");
      return std::nullopt;
    }
    return OneOf<Policy>({{"block", Policy::kBlock}, {"drop_oldest", Policy::kDropOldest}, {"latest", Policy::kLatest}})
        .read(report, name, value);
  }};
}

auto OnFailure() -> Type<int> { return OneOf<int>({{"fail", 0}, {"restart", 1}, {"skip", 2}}); }

auto NetworkType() -> Type<Network> {
  return OneOf<Network>({{"none", Network::kNone}, {"bridge", Network::kBridge}, {"host", Network::kHost}});
}

auto RuntimeHintType() -> Type<RuntimeHint> {
  return OneOf<RuntimeHint>({{"auto", RuntimeHint::kAuto},
                             {"cpython", RuntimeHint::kCPython},
                             {"rust_python", RuntimeHint::kRustPython},
                             {"cpython_wasm", RuntimeHint::kCPythonWasm}});
}

auto MemoryType() -> Type<std::uint64_t> {
  return Integer<std::uint64_t>(128, static_cast<std::uint64_t>(kMostMegabytes));
}
auto CpuType() -> Type<double> { return Number(0.1, 4096); }

auto LimitFields() -> std::span<const Field<ResourceLimits>> {
  static const std::array<Field<ResourceLimits>, 4> kFields{
      Optional("memory_mb", MemoryType(), &ResourceLimits::memory_mb, &ResourceLimits::memory_at),
      Optional("cpu_cores", CpuType(), &ResourceLimits::cpu_cores, &ResourceLimits::cpu_at),
      Optional("pids", Integer<std::uint32_t>(8, kMostProcesses), &ResourceLimits::pids),
      WithoutEffect<ResourceLimits>("nofile", Integer(64, 1'048'576)),
  };
  return kFields;
}

/// Limits at the docker section's top level: a spelling that older manifests use.
auto FlatLimit(Field<ResourceLimits> field) -> Field<DockerSection> {
  return AsAlias<DockerSection>({field.name, [field](Report& report, const Entry& entry, DockerSection& docker) {
                                   field.read(report, entry, docker.resource_limits);
                                 }});
}

auto VolumeType() -> Type<Nothing> {
  static const std::array<Field<Nothing>, 3> kFields{
      KnownRequired("host_path", Text()),
      KnownRequired("container_path", Text()),
      Known("read_only", Boolean()),
  };
  return Object<Nothing>("a volume", kFields);
}

auto BuildType() -> Type<Nothing> {
  static const std::array<Field<Nothing>, 2> kFields{KnownRequired("context", Text()), Known("dockerfile", Text())};
  return Object<Nothing>("'build'", kFields);
}

auto SecurityType() -> Type<Nothing> {
  static const std::array<Field<Nothing>, 5> kFields{
      Known("user", TextOrNumber(nullptr)),
      Known("read_only_root", Boolean()),
      Known("cap_add", Texts()),
      Known("seccomp", Text()),
      Known("apparmor", Text()),
  };
  return Object<Nothing>("'security'", kFields);
}

auto DockerFields() -> std::span<const Field<DockerSection>> {
  static const std::vector<Field<DockerSection>> kFields{
      Required("python_version", TextOrNumber(CheckPythonVersion), &DockerSection::python_version),
      Optional("base_image", Text(CheckImage), &DockerSection::base_image),
      Optional("system_dependencies", ListOf(Text(CheckSystemPackage)), &DockerSection::system_dependencies),
      Optional("python_packages", Packages(), &DockerSection::python_packages),
      {"resource_limits",
       [](Report& report, const Entry& entry, DockerSection& docker) {
         ReadFields(report, "'resource_limits'", *entry.value, LimitFields(), docker.resource_limits);
       }},
      Optional("env", Environment(), &DockerSection::env),
      Optional("network", NetworkType(), &DockerSection::network),
      Optional("tmpfs_mb", Integer<std::uint32_t>(1, kMostMegabytes), &DockerSection::tmpfs_mb),
      WithoutEffect<DockerSection>("volumes", ListOf(VolumeType())),
      WithoutEffect<DockerSection>("sharing", OneOf<int>({{"shared", 0}, {"exclusive", 1}})),
      WithoutEffect<DockerSection>("keep_warm", DurationValue()),
      WithoutEffect<DockerSection>("warm", Integer(0, 1024)),
      WithoutEffect<DockerSection>("max_sessions_per_container", Integer(1, 4096)),
      WithoutEffect<DockerSection>("build", BuildType()),
      WithoutEffect<DockerSection>("env_file", Text()),
      WithoutEffect<DockerSection>("secrets", Texts()),
      WithoutEffect<DockerSection>("shm_size_mb", Megabytes(1)),
      WithoutEffect<DockerSection>("gpus", Gpus()),
      WithoutEffect<DockerSection>("devices", Texts()),
      WithoutEffect<DockerSection>("security", SecurityType()),
      FlatLimit(LimitFields()[0]),
      FlatLimit(LimitFields()[1]),
      AsAlias(Optional("system_packages", ListOf(Text(CheckSystemPackage)), &DockerSection::system_dependencies)),
      AsAlias(Optional("env_vars", Environment(), &DockerSection::env)),
  };
  return kFields;
}

/// The docker section, and that no list of it is given in both spellings.
auto DockerType() -> Type<DockerSection> {
  return {[](Report& report, std::string_view, const Value& value) -> std::optional<DockerSection> {
    DockerSection docker;
    ReadFields(report, "'docker'", value, DockerFields(), docker);
    for (const auto& [name, alias] : {std::pair{"system_dependencies", "system_packages"}, {"env", "env_vars"}}) {
      if (const auto* flat = value.Find(alias); flat != nullptr && value.Find(name) != nullptr) {
        report.Add(flat->key_at, "'{}' is another spelling of '{}', which is given too", alias, name);
      }
    }
    return docker;
  }};
}

auto JoinType() -> Type<Nothing> {
  static const std::array<Field<Nothing>, 2> kFields{KnownRequired("on", OneOf<int>({{"time", 0}})),
                                                     Known("tolerance", DurationValue())};
  return Object<Nothing>("'join'", kFields);
}

auto RetryType() -> Type<Nothing> {
  static const std::array<Field<Nothing>, 3> kFields{
      Known("max_attempts", Integer(0, 1000)), Known("backoff", DurationValue()), Known("window", DurationValue())};
  return Object<Nothing>("'retry'", kFields);
}

auto NodeType() -> Type<Node> {
  static const std::vector<Field<Node>> kFields{
      Required("id", Text(CheckNodeId), &Node::id),
      Required("node_type", Text(CheckNodeType), &Node::node_type, &Node::node_type_at),
      Optional("params", JsonObject(), &Node::params),
      Optional("is_streaming", Boolean(), &Node::is_streaming),
      Optional("capabilities", AnyJson(), &Node::capabilities),
      Optional("runtime_hint", RuntimeHintType(), &Node::runtime_hint),
      Optional("docker", DockerType(), &Node::docker),
      Optional("python", TextOrNumber(nullptr), &Node::python),
      Optional("python_packages", Packages(), &Node::python_packages),
      Optional("start_timeout", DurationValue(), &Node::start_timeout),
      WithoutEffect<Node>("host", Text()),
      WithoutEffect<Node>("execution", AnyJson()),
      WithoutEffect<Node>("join", JoinType()),
      WithoutEffect<Node>("retry", RetryType()),
      WithoutEffect<Node>("on_failure", OnFailure()),
      WithoutEffect<Node>("process_timeout", DurationValue()),
  };
  return Object<Node>("a node", kFields);
}

auto ConnectionType() -> Type<Connection> {
  constexpr auto kMost = static_cast<std::uint32_t>(kMostMessages);
  static const std::vector<Field<Connection>> kFields{
      Required("from", Text(CheckNodeReference), &Connection::from, &Connection::from_at),
      Required("to", Text(CheckNodeReference), &Connection::to, &Connection::to_at),
      Optional("from_output", Text(CheckPort), &Connection::from_output),
      Optional("to_input", Text(CheckPort), &Connection::to_input),
      Optional("policy", PolicyType(), &Connection::policy),
      Optional("depth", Integer<std::uint32_t>(1, kMost), &Connection::depth),
      Optional("max_message_bytes", Size(), &Connection::max_message_bytes, &Connection::max_message_at),
      Optional("expected_bytes", Size(), &Connection::expected_bytes),
      Optional("max_held", Integer<std::uint32_t>(0, kMost), &Connection::max_held),
      WithoutEffect<Connection>("delivery", OneOf<int>({{"at_least_once", 0}, {"at_most_once", 1}})),
      WithoutEffect<Connection>("max_in_flight_bytes", Size()),
      WithoutEffect<Connection>("feedback", Boolean()),
      WithoutEffect<Connection>("deadline", DurationValue()),
  };
  return Object<Connection>("a connection", kFields);
}

auto MetadataType() -> Type<Metadata> {
  static const std::array<Field<Metadata>, 3> kFields{
      Required("name", TextOrNumber(nullptr), &Metadata::name),
      Optional("description", Text(), &Metadata::description),
      Optional("created_at", TextOrNumber(nullptr), &Metadata::created_at),
  };
  return Object<Metadata>("'metadata'", kFields);
}

auto SessionType() -> Type<Session> {
  static const std::array<Field<Session>, 4> kFields{
      Optional("start_timeout", DurationValue(), &Session::start_timeout),
      Optional("shm_quota_mb", Integer<std::uint64_t>(16, static_cast<std::uint64_t>(kMostMegabytes)),
               &Session::shm_quota_mb, &Session::shm_quota_at),
      WithoutEffect<Session>("idle_timeout", DurationValue()),
      WithoutEffect<Session>("on_failure", OnFailure()),
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
      Required("version", TextOrNumber(CheckVersion), &Document::version),
      Required("metadata", MetadataType(), &Document::metadata),
      Required("nodes", ListOf(NodeType()), &Document::nodes),
      Optional("connections", ListOf(ConnectionType()), &Document::connections),
      Optional("modules", Modules(), &Document::modules),
      Optional("session", SessionType(), &Document::session),
      WithoutEffect<Document>("plugins", Texts()),
  };
  return kFields;
}

}  // namespace

void ReadPipeline(Report& report, const Value& root, Pipeline& pipeline) {
  Document document;
  ReadFields(report, "the manifest", root, DocumentFields(), document);
  const auto* nodes = root.Find("nodes");
  if (nodes != nullptr && nodes->value->kind == Value::Kind::kSequence && nodes->value->items.empty()) {
    report.Add(nodes->value->at, "'nodes' is empty: a pipeline has at least one node");
  }
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
