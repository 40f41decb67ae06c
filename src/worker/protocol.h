// The packets between runtime and worker and between runtime and agent, as types. docs/worker-protocol.md is the
// specification; this is its only implementation, used by both ends and (through nodes/host.h) by the Python extension.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/packet_socket.h"

namespace penstock::worker {

inline constexpr int kProtocolVersion = 1;

// Numbers of the descriptors that every worker is started with.
inline constexpr int kStdout = 1;
inline constexpr int kStderr = 2;
inline constexpr int kControl = 3;
inline constexpr int kRecords = 4;
// Of a worker that may become the host of further sessions, and the variable by which it knows.
inline constexpr int kAgentLink = 5;
inline constexpr const char* kAgentLinkVariable = "PENSTOCK_AGENT_LINK";

// --- runtime → worker
// ---------------------------------------------------------------------------------------------------

struct RealmHandle {
  int number = 0;
  int fd = -1;  // when sending: a descriptor to attach; when received: owned by the packet's descriptors
};

struct EdgeHandle {
  std::string edge;
  int control = -1;
  int bell = -1;
};

struct OutputSpec {
  std::string port;
  std::string service;
  int realm = 0;
  std::uint64_t max_message_bytes = 0;
  std::uint32_t history = 0;
  std::uint32_t buffer = 0;
  std::uint32_t max_held = 0;
  std::uint32_t epoch = 0;
  std::vector<EdgeHandle> edges;
};

struct InputSpec {
  std::string port;
  EdgeHandle edge;
  std::string service;
  int realm = 0;
  std::uint64_t max_message_bytes = 0;
  std::uint32_t history = 0;
  std::uint32_t buffer = 0;
  std::uint32_t max_held = 0;
};

/// A message that is not to be handled but written down, with its header as it is in shared memory, and acknowledged.
struct Quarantine {
  std::uint32_t input = 0;  // index in `inputs`
  std::uint64_t sequence = 0;
  int fd = -1;  // a stream socket; closed when the message is written, or will not come
};

/// The node's worker is replaced when it fails.
struct Restartable {
  int state = -1;  // memory for what the node keeps of its state: transport::StateMemory
};

struct Configure {
  std::string session;
  std::string node;
  std::string node_type;
  std::string params_json = "{}";  // kept as text: the runtime does not look into it
  std::vector<std::string> modules;
  std::string code;
  std::uint32_t attempt = 0;
  bool measure_cpu = false;
  int bell = -1;
  std::vector<RealmHandle> realms;
  std::vector<OutputSpec> outputs;
  std::vector<InputSpec> inputs;
  std::optional<Quarantine> quarantine{};
  std::optional<std::int64_t> join_tolerance_ns{};  // its inputs are joined on media time
  std::optional<Restartable> restart{};
};

struct OpenInputs {};
struct Connect {};
struct Start {};
struct Stop {};
struct Peer {
  std::string edge;
  enum class State { kAttached, kGone } state = State::kAttached;
};
// Memory that is behind chunks now, payload bytes from their start. Unasked with id 0 when the outputs were opened.
struct Grown {
  std::uint64_t id = 0;  // of the request
  std::uint32_t output = 0;
  std::uint64_t every = 0;  // behind each chunk of the output
  std::uint64_t chunk = 0;  // behind the one that was asked for
};
struct Refused {
  std::uint64_t id = 0;
  std::string message;
};
using ToWorker = std::variant<Configure, OpenInputs, Connect, Start, Stop, Peer, Grown, Refused>;

// --- worker → runtime
// ---------------------------------------------------------------------------------------------------

struct Hello {
  int pid = 0;
  std::string language;
  std::string version;
  std::string sdk;
  std::string executable;
};
// The file that holds an output's chunks, and where they lie in it: transport::SegmentLayout.
struct SegmentHandle {
  int fd = -1;
  std::uint64_t first = 0;
  std::uint64_t stride = 0;
  std::uint64_t header_bytes = 0;
  std::uint32_t chunks = 0;
};
struct OutputsOpen {
  std::vector<SegmentHandle> segments;  // one an output, in the order of `configure`
};
struct Grow {
  std::uint64_t id = 0;      // from 1, chosen by the worker; one request an output at a time
  std::uint32_t output = 0;  // index in `configure`
  std::uint32_t chunk = 0;
  std::uint64_t bytes = 0;
};
struct InputsOpen {};
struct Connected {};
struct Ready {
  std::map<std::string, std::string> inputs;
  std::map<std::string, std::string> outputs;
};
struct Finished {};
/// The phase of a failure that is not the node's: an edge whose policy is to fail was full. Its message is the
/// sentence.
inline constexpr std::string_view kOverflowPhase = "overflow";
struct Failed {
  std::string phase;
  std::string error;
  std::string message;
  std::string traceback;
  std::optional<std::string> edge;
  std::optional<std::uint64_t> sequence;
};
using FromWorker = std::variant<Hello, OutputsOpen, InputsOpen, Connected, Ready, Grow, Finished, Failed>;

// --- runtime → agent
// ----------------------------------------------------------------------------------------------------

struct Lease {
  std::string session;
  std::int64_t keep_warm_ms = 0;   // how long after this lease the agent stays at least, when there is no other
  std::uint32_t max_sessions = 1;  // refused beyond so many different sessions; 1 and more
};
struct Spawn {
  std::uint64_t id = 0;
  std::vector<std::string> argv;
  std::map<std::string, std::string> env;
  std::string cwd = "/";
  std::vector<int> targets;  // numbers in the worker, one for each attached descriptor
  std::vector<int> fds;      // attached, same order; empty when received (they are the packet's)
  /// Requests with the same key may be served by one process, if its node's class wants it; empty: not this one.
  std::string share{};
};
struct Kill {
  std::uint64_t id = 0;
  int signal = 9;
};
/// Asks what the agent does, without a lease or before one: `standing` is the answer.
struct Ask {};
using ToAgent = std::variant<Lease, Spawn, Kill, Ask>;

// --- agent → runtime
// ----------------------------------------------------------------------------------------------------

struct Granted {
  std::string agent;
  int pid = 0;
  unsigned uid = 0;
  std::string architecture;
  std::string glibc;
  int landlock = 0;  // version by which workers are kept apart; 0: they are not
};
/// Answers a lease that would exceed its `max_sessions`; the connection ends.
struct Full {
  std::uint32_t sessions = 0;  // that hold leases
};
struct Standing {
  std::uint32_t sessions = 0;  // that hold leases
  std::int64_t stays_ms = 0;   // how long it would stay if they ended now: the longest that closed leases asked for
};
struct Spawned {
  std::uint64_t id = 0;
  int pid = 0;  // the pidfd is the packet's only descriptor
};
struct SpawnFailed {
  std::uint64_t id = 0;
  std::string error;
  int saved_errno = 0;
};
/// A file system in memory without room, as the agent sees it.
struct FullFileSystem {
  std::string path;
  std::uint64_t bytes = 0;  // its size
};
struct Exited {
  std::uint64_t id = 0;
  std::optional<int> code;
  std::optional<int> signal;
  bool core = false;
  std::int64_t user_ms = 0;
  std::int64_t system_ms = 0;
  std::int64_t max_rss_kb = 0;
  std::vector<FullFileSystem> full;  // looked at after SIGBUS and exit codes but 0
  std::uint32_t others = 0;          // sessions beside this one that its process served
  std::uint32_t beside = 0;          // other sessions in the container
  bool keeps = false;                // its process goes on and holds messages of it
};
using FromAgent = std::variant<Granted, Full, Standing, Spawned, SpawnFailed, Exited>;

// --- agent's bootstrap
// --------------------------------------------------------------------------------------------------

struct Listen {};  // the listening descriptor is the packet's only one

// --- agent ↔ hosted worker (the link)
// ------------------------------------------------------------------------------------------------------------

/// One more session for the process: its standard output, standard error, control channel and records are attached.
struct Join {
  std::uint64_t number = 0;  // from 1; 0 is the session that the process was started for
};
/// That session is over: its thread is to end.
struct End {
  std::uint64_t number = 0;
};
using ToHosted = std::variant<Join, End>;

/// What the process found out about its node's class, once: whether it serves further sessions from now on.
struct Decided {
  bool shared = false;
};
/// A session's thread has ended, with what would be its exit code.
struct Left {
  std::uint64_t number = 0;
  int code = 0;
  bool keeps = false;  // not all of its descriptors could be closed: no further session may come
};
using FromHosted = std::variant<Decided, Left>;

// ------------------------------------------------------------------------------------------------------------------------

/// Packs and sends. Descriptors named in the message are attached (duplicated by the kernel); the caller keeps its own.
auto Send(const base::PacketSocket& socket, const ToWorker& message) -> base::Status;
auto Send(const base::PacketSocket& socket, const FromWorker& message) -> base::Status;
auto Send(const base::PacketSocket& socket, const ToAgent& message) -> base::Status;
auto Send(const base::PacketSocket& socket, const FromAgent& message, int fd = -1) -> base::Status;
auto Send(const base::PacketSocket& socket, Listen message, int fd) -> base::Status;
/// `fds` go with a `join`.
auto Send(const base::PacketSocket& socket, const ToHosted& message, const std::vector<int>& fds) -> base::Status;

/// A received message and its descriptors. In `message`, descriptor fields hold indices into `fds`, checked to be in
/// range and used once.
template <class Message>
struct Received {
  Message message;
  std::vector<base::UniqueFd> fds;
};

/// Errors: kPeerGone, kDeadline, kPeerCorrupt (not JSON, wrong version, unknown type, missing or mistyped field, which
/// one).
auto ParseToWorker(base::Packet packet) -> base::Expected<Received<ToWorker>>;
auto ParseFromWorker(base::Packet packet) -> base::Expected<Received<FromWorker>>;
auto ParseToAgent(base::Packet packet) -> base::Expected<Received<ToAgent>>;
auto ParseFromAgent(base::Packet packet) -> base::Expected<Received<FromAgent>>;
/// A hosted worker attaches no descriptors.
auto ParseFromHosted(const base::Packet& packet) -> base::Expected<FromHosted>;
auto ParseListen(base::Packet packet) -> base::Expected<Received<Listen>>;

}  // namespace penstock::worker
