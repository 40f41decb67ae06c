// Plays the runtime for a handful of Python workers on this host: real processes, real realms, the documented protocol.
//
// Test support. The workers are started directly, without an agent; everything they see is what a session hands them.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/packet_socket.h"
#include "base/unique_fd.h"
#include "transport/control_block.h"
#include "transport/doorbell.h"
#include "transport/realm.h"
#include "transport/segment_memory.h"
#include "worker/protocol.h"

namespace penstock::python_tests {

struct NodeSpec {
  std::string id;
  std::string node_type;  // module:Class of python/tests/nodes
  std::string params_json = "{}";
  bool measure_cpu = false;
  std::optional<std::int64_t> join_tolerance_ns{};
};

struct EdgeSpec {
  std::string from;  // "node.port"
  std::string to;
  transport::EdgeContract contract = {};
};

struct Ending {
  int exit_status = -1;  // of waitpid: exit code, or 128 + signal
  bool finished = false;
  worker::Failed failed;  // phase is empty unless the worker reported one
  std::string standard_output;
  std::string standard_error;
  std::string records;
};

class Stage final {
 public:
  /// `python` is the interpreter of all workers.
  explicit Stage(std::string python);
  Stage(const Stage&) = delete;
  auto operator=(const Stage&) -> Stage& = delete;
  ~Stage();  // kills what still runs

  /// Starts the workers and takes them through the protocol up to `start`, or until one fails.
  auto Start(std::vector<NodeSpec> nodes, std::vector<EdgeSpec> edges) -> base::Status;
  auto SendStop(const std::string& node) -> base::Status;
  /// Waits until the worker has ended, with what it said and wrote.
  auto Await(const std::string& node) -> Ending;
  void Signal(const std::string& node, int signal);
  /// What the death of the runtime looks like to a worker.
  void CloseControl(const std::string& node);
  auto ControlOf(const std::string& from) -> const transport::ControlBlock&;

 private:
  struct Worker;
  struct Edge;
  auto Find(const std::string& node) -> Worker&;
  auto Spawn(Worker& worker) -> base::Status;
  auto ConfigurationOf(const Worker& worker) -> worker::Configure;
  /// The runtime's part of the memory behind outputs.
  static auto Prepare(Worker& worker, const worker::OutputsOpen& opened, std::vector<base::UniqueFd>& fds)
      -> base::Status;
  static auto Answer(Worker& worker, const worker::Grow& request) -> base::Status;
  auto HearAny() -> base::Status;
  static auto Hear(Worker& worker) -> base::Status;
  template <class Message>
  auto Expect(Worker& worker) -> base::Status;

  std::string python_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<Edge>> edges_;
};

}  // namespace penstock::python_tests
