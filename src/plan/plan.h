// What a session will do, as data: where each node runs and why, what it may use, and the contract of every edge.
//
// Pure: the same pipeline and host facts give the same plan. The plan knows nothing of descriptors, processes or
// session ids; a session executes it, `penstock plan` prints it. Everything in here is resolved: no field means "the
// default".
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "manifest/pipeline.h"
#include "plan/container_spec.h"
#include "plan/host_facts.h"

namespace penstock::plan {

inline constexpr std::uint64_t kMebibyte = 1024 * 1024;
inline constexpr std::uint64_t kDefaultMaxMessageBytes = 64 * kMebibyte;
inline constexpr std::uint32_t kDefaultDepth = 8;
inline constexpr std::uint32_t kDefaultMaxHeld = 4;
inline constexpr std::uint32_t kMaxLoans = 2;
/// Consumers of one output. The transport has room for 32, of which some are kept for those that died and were
/// replaced.
inline constexpr std::size_t kMaxConsumers = 24;
/// Edges of one node, both directions: a worker gets all their descriptors in one packet, three an edge at most.
inline constexpr std::size_t kMaxConnections = 80;
inline constexpr std::uint64_t kDefaultShmQuotaMb = 1024;
/// Of a realm's quota, what the shared memory's own files take (queues, segments' headers, names).
inline constexpr std::uint64_t kRealmOverheadBytes = 2 * kMebibyte;
/// Behind a message of the size that is expected, for its metadata.
inline constexpr std::uint64_t kExpectedMetadataBytes = 4096;
/// Prepared for an output whose messages nobody has declared: of each chunk, and of all together. Cheap, and enough for
/// audio, text and results; what is larger is learned from the first message.
inline constexpr std::uint64_t kUndeclaredBytes = std::uint64_t{64} * 1024;
inline constexpr std::uint64_t kUndeclaredTotalBytes = 4 * kMebibyte;
inline constexpr std::chrono::seconds kDefaultNodeStartTimeout{30};
inline constexpr std::chrono::seconds kDefaultSessionStartTimeout{120};
inline constexpr std::uint32_t kDefaultMaxAttempts = 3;
inline constexpr std::chrono::milliseconds kDefaultBackoff{100};
inline constexpr std::chrono::seconds kDefaultRetryWindow{60};

enum class Placement { kContainer, kProcess, kNative };
auto ToString(Placement placement) -> std::string_view;

enum class PlacementOverride {
  kAsDeclared,
  kProcess,  // `--placement process`: container nodes run on the host, with the same packages
};

/// An image by the user's own Dockerfile.
struct ImageBuild {
  HostPath context;        // directory
  std::string dockerfile;  // relative to it
};

/// The Python that a node needs, wherever it comes from: an image or a virtual environment on the host.
struct Environment {
  std::string python_version;              // "3.11"; empty: any that the host offers (process only)
  std::optional<std::string> interpreter;  // absolute path, or name of a command in PATH (process only)
  std::optional<std::string> base_image;   // container only
  std::optional<ImageBuild> build;         // container only; instead of a base image
  std::vector<std::string> system_packages;
  std::vector<manifest::PythonPackage> python_packages;

  /// Whether something must be built or installed before the node can run.
  auto NeedsBuild() const -> bool { return !system_packages.empty() || !python_packages.empty(); }
};

struct NodePort {
  std::string node;
  std::string port;
  /// The manifest names the port. Otherwise the name is the convention's, "out" or "in", and a node class with exactly
  /// one such port of another name means that one.
  bool named = false;

  auto operator==(const NodePort&) const -> bool = default;
};

/// One edge's contract.
struct Edge {
  std::string id;  // "vad.out->asr.in"
  NodePort from;
  NodePort to;
  std::size_t output = 0;  // index in Plan::outputs
  manifest::Policy policy = manifest::Policy::kBlock;
  std::uint32_t depth = kDefaultDepth;       // messages; latest: always 1
  std::uint32_t max_held = kDefaultMaxHeld;  // messages a handler may keep beyond its own call
  manifest::Delivery delivery = manifest::Delivery::kAtLeastOnce;
  std::uint64_t max_in_flight_bytes = 0;       // unacknowledged; 0: as many as the depth allows
  std::optional<manifest::Duration> deadline;  // of the producer's wait for room; beyond it the consumer has failed
};

/// One output port: one shared memory service in one realm, read by all edges that start here.
struct Output {
  NodePort port;
  bool only_output = true;         // of its node: then the service name does not carry the port
  std::vector<std::size_t> edges;  // indices in Plan::edges
  std::uint32_t history = 0;       // messages: the largest depth of its edges that never drop
  std::uint32_t buffer = 0;        // messages: the largest depth of any edge
  std::uint32_t max_held = 0;      // messages a consumer may have in hands: the largest max_held + 1
  std::uint32_t max_loans = kMaxLoans;
  std::uint32_t slots = 0;  // chunks of max_message_bytes in a segment, sparse
  /// Segments that its realm may have to hold at a time: two where the node restarts, since the old one stays until its
  /// consumers have let go of it. Each has an equal part of `realm_bytes`.
  std::uint32_t segments = 1;
  std::uint64_t max_message_bytes = kDefaultMaxMessageBytes;
  std::uint64_t expected_bytes = 0;  // of one message; 0: not declared
  std::uint64_t prefault_bytes = 0;  // of each chunk, taken from the host before the start
  std::uint64_t realm_bytes = 0;     // quota of its realm, its share of the session's: for all its segments
};

/// `{session}_{node}_output`, with `.port` appended when the node has several outputs (FR-010).
auto ServiceName(const Output& output, std::string_view session_id) -> std::string;

/// One descriptor, or group of them, that a worker is handed.
struct Grant {
  enum class Kind { kRealm, kControlBlock, kDoorbell, kControlChannel, kLogPipe, kState };
  Kind kind;
  std::string subject;  // service pattern, edge id, or node id
  std::string why;      // "writes its output", "rings its consumer", …
};
auto ToString(Grant::Kind kind) -> std::string_view;

/// What follows a failure of a node while it runs; absent on a node: the session fails.
struct Restart {
  /// At one message, which is then put into quarantine; also, each within the window, restarts for other failures, and
  /// messages put into quarantine.
  std::uint32_t max_attempts = kDefaultMaxAttempts;
  /// Before the second restart within the window, the first is at once; doubled for each further one.
  manifest::Duration backoff{kDefaultBackoff};
  manifest::Duration window{kDefaultRetryWindow};
};

/// Messages of all inputs are handled together: of each the one whose media time is nearest to that of the first input.
struct Join {
  manifest::Duration tolerance{};  // by which they may differ
};

struct Node {
  std::string id;
  std::string node_type;
  manifest::NodeTypeKind kind = manifest::NodeTypeKind::kNative;
  manifest::Json params;
  Placement placement = Placement::kNative;
  std::string reason;                      // why it is placed there, a clause for people
  std::optional<Environment> environment;  // absent for native nodes
  std::optional<ContainerSpec> container;  // present for container nodes
  std::map<std::string, std::string> env;
  std::optional<HostPath> env_file;  // more variables, read when the node starts: their values are not for plans
  std::vector<std::size_t> inputs;   // indices in Plan::edges
  std::vector<std::size_t> outputs;  // indices in Plan::outputs
  manifest::Duration start_timeout{kDefaultNodeStartTimeout};
  bool skip = false;  // once it has failed for good, the session goes on without it
  std::optional<Restart> restart;
  std::optional<manifest::Duration> process_timeout;  // of one call of its handler for a message; never on sources
  std::optional<Join> join;                           // then each input port has one edge
  std::vector<Grant> grants;
  std::vector<std::string> notes;  // what the manifest says and the plan only shows, or what an override leaves out

  auto is_source() const -> bool { return inputs.empty(); }
};

struct Plan {
  std::string name;
  std::optional<std::string> description;  // these two as the manifest has them, for readers
  std::optional<std::string> created_at;
  std::string file;
  std::filesystem::path directory;  // node code: first on PYTHONPATH, /app in containers
  std::vector<std::string> modules;
  std::vector<Node> nodes;  // in the order of the manifest
  std::vector<Output> outputs;
  std::vector<Edge> edges;
  std::vector<std::size_t> start_order;  // indices of nodes, consumers before their producers, sources last
  manifest::Duration start_timeout{kDefaultSessionStartTimeout};
  std::uint64_t shm_quota_bytes = 0;
  std::vector<std::string> warnings;
};

/// Errors are the manifest's, with positions: limits beyond the host, node types that do not exist, a quota too small
/// for what the edges promise. Not the manifest's, and alone: kExhausted, when running sessions leave no room.
auto MakePlan(const manifest::Pipeline& pipeline, const HostFacts& host, PlacementOverride placement)
    -> tl::expected<Plan, std::vector<base::Error>>;

/// What of a manifest that has errors of its own, and so no plan, this host refuses as well: of each node by itself.
auto CheckHost(const manifest::Pipeline& pipeline, const HostFacts& host, PlacementOverride placement)
    -> std::vector<base::Error>;

}  // namespace penstock::plan
