// Packets between runtime and worker, and from a hosted worker to its agent: "w3{…}" is a packet with three descriptors
// for a worker, "r…" one for the runtime, "a…" one for the agent.
#include <optional>

#include "worker/testing/fuzz_packets.h"

namespace penstock::worker {
namespace {
using base::testing::Require;
using testing::CheckPacket;
using testing::Ends;
using testing::FuzzPacket;

using Descriptors = std::vector<base::UniqueFd>;

// An index into the packet's descriptors becomes the descriptor. Each is used once, which the parser has checked.
class Attach final {
 public:
  explicit Attach(const Descriptors& fds) : fds_(fds), used_(fds.size(), false) {}

  void operator()(int& index) {
    Require(index >= 0 && static_cast<std::size_t>(index) < fds_.size(), "descriptor {} of {}", index, fds_.size());
    const auto at = static_cast<std::size_t>(index);
    Require(!used_[at], "descriptor {} is used twice", index);
    used_[at] = true;
    index = fds_[at].get();
  }
  void operator()(EdgeHandle& edge) {
    (*this)(edge.control);
    (*this)(edge.bell);
  }
  void operator()(Configure& configure) {
    (*this)(configure.bell);
    for (auto& realm : configure.realms) (*this)(realm.fd);
    for (auto& output : configure.outputs) {
      for (auto& edge : output.edges) (*this)(edge);
    }
    for (auto& input : configure.inputs) (*this)(input.edge);
    if (configure.quarantine) (*this)(configure.quarantine->fd);
    if (configure.restart) (*this)(configure.restart->state);
  }
  void operator()(OutputsOpen& opened) {
    for (auto& segment : opened.segments) (*this)(segment.fd);
  }

 private:
  const Descriptors& fds_;
  std::vector<bool> used_;
};

// Errors are cut when they are sent, at lengths that a short input stays below if its texts do.
auto IsCut(const FromWorker& message) -> bool {
  constexpr std::size_t kNeverCut = 1024;
  const auto* failed = std::get_if<Failed>(&message);
  return failed != nullptr && (failed->error.size() > kNeverCut || failed->message.size() > kNeverCut ||
                               failed->traceback.size() > kNeverCut);
}

auto SendToWorker(const Received<ToWorker>& received) -> base::Status {
  auto message = received.message;
  if (auto* configure = std::get_if<Configure>(&message)) Attach(received.fds)(*configure);
  return Send(Ends().first, message);
}

auto SendFromWorker(const Received<FromWorker>& received) -> base::Status {
  auto message = received.message;
  if (auto* opened = std::get_if<OutputsOpen>(&message)) Attach(received.fds)(*opened);
  return Send(Ends().first, message);
}

void CheckFromHosted(const FuzzPacket& packet) {
  const auto read = ParseFromHosted(packet.Arrive());
  if (!read) return testing::RequireExplained(read.error());
  Require(packet.descriptors == 0, "a hosted worker's descriptors are accepted");
  if (const auto* left = std::get_if<Left>(&*read))
    Require(left->code >= 0 && left->code <= 255, "an exit code of {}", left->code);
}

void Try(const FuzzPacket& packet) {
  if (packet.reader == 'w') return CheckPacket(packet, ParseToWorker, SendToWorker);
  if (packet.reader == 'a') return CheckFromHosted(packet);
  if (const auto read = ParseFromWorker(packet.Arrive()); !read || !IsCut(read->message))
    CheckPacket(packet, ParseFromWorker, SendFromWorker);
}

}  // namespace
}  // namespace penstock::worker

extern "C" auto LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) -> int {
  penstock::worker::Try(penstock::worker::testing::FuzzPacket::Of(data, size));
  return 0;
}
