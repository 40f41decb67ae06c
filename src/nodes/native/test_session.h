// A test that plays the runtime: real native workers, real realms, control blocks and doorbells, the real protocol.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/packet_socket.h"
#include "transport/control_block.h"
#include "transport/doorbell.h"
#include "transport/realm.h"
#include "transport/segment_memory.h"
#include "worker/protocol.h"

namespace penstock::nodes::native {

/// One worker process; killed with this object.
class TestWorker final {
 public:
  /// `node_type` and `params` as in a manifest.
  TestWorker(std::string node, std::string node_type, std::string params);
  TestWorker(const TestWorker&) = delete;
  auto operator=(const TestWorker&) -> TestWorker& = delete;
  ~TestWorker();

  template <class Message>
  auto Next() -> Message {
    auto received = Receive();
    if (const auto* failed = std::get_if<worker::Failed>(&received);
        failed != nullptr && !std::is_same_v<Message, worker::Failed>) {
      throw std::runtime_error(failed->phase + ": " + failed->message);
    }
    return std::get<Message>(std::move(received));
  }
  /// Grants memory on the way.
  auto Receive() -> worker::FromWorker;
  void Say(const worker::ToWorker& message);
  /// Its exit code, or minus the signal.
  auto Wait() -> int;
  /// The next line of its standard output, without the line end; waits for it.
  auto OutputLine() -> std::string;
  /// Everything else that it wrote to standard output, to its end.
  auto Output() -> std::string;
  auto control() -> base::PacketSocket& { return control_; }

  worker::Configure configure;
  std::uint64_t prepared_bytes = 4096;  // behind each chunk, when outputs are opened
  std::vector<worker::Grow> requests;   // for more; answered by Receive
  bool refuses = false;                 // them

 private:
  void Prepare(const worker::OutputsOpen& opened, std::vector<base::UniqueFd>& fds);
  void Answer(const worker::Grow& request);
  pid_t pid_ = -1;
  base::PacketSocket control_;
  base::UniqueFd output_;
  std::vector<transport::SegmentMemory> memory_;  // of its outputs
};

/// Workers and the edges between them.
class TestSession final {
 public:
  auto Add(const std::string& node, const std::string& node_type, const std::string& params = "{}") -> TestWorker&;
  /// An edge from `from`.out to `to`.in.
  void Connect(const std::string& from, const std::string& to, transport::EdgeContract contract = {});
  /// From configuration to `start`.
  void Start();
  /// Sends `configure` only.
  void Configure();
  auto worker(const std::string& node) -> TestWorker& { return *workers_.at(node); }
  auto control(std::size_t edge) -> transport::ControlBlock& { return blocks_[edge]; }

 private:
  auto Bell(const std::string& node) -> transport::Doorbell&;
  std::map<std::string, std::unique_ptr<TestWorker>> workers_;
  std::map<std::string, transport::Doorbell> bells_;
  std::vector<transport::Realm> realms_;
  std::vector<transport::ControlBlock> blocks_;
};

}  // namespace penstock::nodes::native
