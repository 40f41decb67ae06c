// What a manifest says, as types: the pipeline before anything is decided about where and how it runs.
//
// Made by manifest::Load, which has checked everything that can be checked without knowing the host: names, references,
// ranges, cycles. Absent fields stay absent here; plan::MakePlan fills in defaults. Immutable values, any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "manifest/docker_section.h"

namespace penstock::manifest {

/// Never null in a loaded pipeline. Shared because it is immutable, and so that this header needs no JSON library.
using Json = std::shared_ptr<const nlohmann::json>;

enum class Policy { kBlock, kDropOldest, kLatest, kFail };
/// Whether a full queue loses its oldest message, instead of holding its producer up or ending the session.
auto MayDrop(Policy policy) -> bool;
/// What a restart of the consumer means for what it had in hands.
enum class Delivery { kAtLeastOnce, kAtMostOnce };
/// Which interpreter an older manifest wished for. Shown by `plan`, without effect.
enum class RuntimeHint { kAuto, kCPython, kRustPython, kCPythonWasm };
/// What follows a failure of a node while it runs.
enum class OnFailure { kFail, kRestart, kSkip };

auto ToString(Policy policy) -> std::string_view;
auto ToString(Delivery delivery) -> std::string_view;
auto ToString(RuntimeHint hint) -> std::string_view;
auto ToString(OnFailure on_failure) -> std::string_view;

/// How often a node is restarted. Alone, without `on_failure`, it asks for restarts too.
struct Retry {
  std::optional<std::uint32_t> max_attempts;  // 1 to 100
  std::optional<Duration> backoff;            // up to 1 hour, may be 0
  std::optional<Duration> window;             // above 0, up to 24 hours
};

/// What makes messages of several inputs belong together.
enum class JoinOn { kTime };
auto ToString(JoinOn on) -> std::string_view;

/// The node is given one message of each of its inputs at a time.
struct Join {
  JoinOn on = JoinOn::kTime;
  std::optional<Duration> tolerance;  // by which media times may differ; may be 0
};

struct Node {
  std::string id;  // letters, digits, '-' and '_'; unique
  std::string node_type;
  Json params;  // an object, {} when absent
  std::optional<bool> is_streaming;
  Json capabilities;  // as written, null when absent
  std::optional<RuntimeHint> runtime_hint;
  std::optional<DockerSection> docker;
  std::optional<std::string> python;           // of a process node: "3.11", a command, or a path
  std::vector<PythonPackage> python_packages;  // of a process node
  std::optional<Duration> start_timeout;
  std::optional<OnFailure> on_failure;
  std::optional<Retry> retry;
  std::optional<Duration> process_timeout;  // of one call of its handler for a message
  std::optional<Join> join;
  base::SourcePosition at;
  base::SourcePosition node_type_at;
  base::SourcePosition python_at;
  base::SourcePosition on_failure_at;  // of these four, where the key stands
  base::SourcePosition retry_at;
  base::SourcePosition process_timeout_at;
  base::SourcePosition join_at;
};

/// One edge: from an output of a node to an input of another.
struct Connection {
  std::string from;  // node ids
  std::string to;
  std::optional<std::string> from_output;  // absent: the node's only output, by convention "out"
  std::optional<std::string> to_input;     // absent: the node's only input, by convention "in"
  std::optional<Policy> policy;
  std::optional<std::uint32_t> depth;  // messages
  std::optional<std::uint64_t> max_message_bytes;
  std::optional<std::uint64_t> expected_bytes;
  std::optional<std::uint32_t> max_held;  // messages
  std::optional<Delivery> delivery;
  std::optional<std::uint64_t> max_in_flight_bytes;  // unacknowledged; payload and metadata
  std::optional<Duration> deadline;                  // of the producer's wait for room
  base::SourcePosition at;
  base::SourcePosition from_at;
  base::SourcePosition to_at;
  base::SourcePosition from_output_at;
  base::SourcePosition to_input_at;
  base::SourcePosition max_message_at;
  base::SourcePosition delivery_at;  // of these three, where the key stands
  base::SourcePosition max_in_flight_at;
  base::SourcePosition deadline_at;
};

struct Session {
  std::optional<Duration> start_timeout;
  std::optional<std::uint64_t> shm_quota_mb;  // MiB of shared memory for all edges together
  base::SourcePosition shm_quota_at;
};

struct Metadata {
  std::string name;
  std::optional<std::string> description;
  std::optional<std::string> created_at;
};

struct Pipeline {
  std::string file;                 // as it was named by the caller
  std::filesystem::path directory;  // absolute; what node classes and relative paths are relative to
  Metadata metadata;
  std::vector<Node> nodes;  // in the order of the file, as are all lists
  std::vector<Connection> connections;
  std::vector<std::string> modules;  // Python modules that register node names
  Session session;
};

/// What kind of thing a `node_type` names.
enum class NodeTypeKind {
  kNative,       // media.source
  kPythonClass,  // nodes.asr:Recognizer
  kRegistered,   // Recognizer: a name that one of `modules` registers
};

/// nullopt: it is none of the three.
auto ClassifyNodeType(std::string_view node_type) -> std::optional<NodeTypeKind>;

/// The manifest that would load as this pipeline: only what was given, durations in seconds.
auto ToJson(const Pipeline& pipeline) -> nlohmann::json;

}  // namespace penstock::manifest
