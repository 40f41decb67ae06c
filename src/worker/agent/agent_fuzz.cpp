// Packets between runtime and agent: "a2{…}" is a packet with two descriptors for the agent, "r…" one for the runtime,
// "b…" one for an agent that waits for its listening descriptor. What the agent would do with a request to
// start a process is checked as far as it goes without starting one.
#include <algorithm>
#include <set>

#include "worker/agent/exec.h"
#include "worker/testing/fuzz_packets.h"

namespace penstock::worker::agent {
namespace {
using base::testing::Require;
using worker::testing::CheckPacket;
using worker::testing::Ends;
using worker::testing::FuzzPacket;

auto Numbers(const std::vector<base::UniqueFd>& fds) -> std::vector<int> {
  std::vector<int> numbers;
  for (const auto& fd : fds) numbers.push_back(fd.get());
  return numbers;
}

auto SendToAgent(const Received<ToAgent>& received) -> base::Status {
  auto message = received.message;
  if (auto* spawn = std::get_if<Spawn>(&message)) spawn->fds = Numbers(received.fds);
  return Send(Ends().first, message);
}

auto SendFromAgent(const Received<FromAgent>& received) -> base::Status {
  return Send(Ends().first, received.message, received.fds.empty() ? -1 : received.fds.front().get());
}

auto SendListen(const Received<Listen>& received) -> base::Status {
  Require(received.fds.size() == 1, "{} listening descriptors", received.fds.size());
  return Send(Ends().first, received.message, received.fds.front().get());
}

// What execve and dup2 take literally.
void CheckChecked(const Spawn& spawn) {
  const auto checked = CheckSpawn(spawn);
  if (!checked) {
    Require(checked.error().code() == base::ErrorCode::kInvalidArgument && !checked.error().message().empty(),
            "a spawn is refused without a reason");
    return;
  }
  const auto has_nul = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  Require(!spawn.argv.empty() && !spawn.argv.front().empty(), "no program to run");
  Require(std::ranges::none_of(spawn.argv, has_nul) && !has_nul(spawn.cwd), "a text that ends early");
  Require(spawn.cwd.starts_with('/'), "a relative directory");
  for (const auto& [name, value] : spawn.env)
    Require(!name.empty() && !has_nul(name + value) && name.find('=') == std::string::npos, "a variable '{}'", name);
  const std::set<int> targets(spawn.targets.begin(), spawn.targets.end());
  Require(targets.size() == spawn.targets.size(), "a target given twice");
  Require(targets.empty() || (*targets.begin() >= 0 && *targets.rbegin() <= 255), "a target out of range");
}

void Try(const FuzzPacket& packet) {
  if (packet.reader == 'r') return CheckPacket(packet, ParseFromAgent, SendFromAgent);
  if (packet.reader == 'b') return CheckPacket(packet, ParseListen, SendListen);
  CheckPacket(packet, ParseToAgent, SendToAgent);
  if (const auto received = ParseToAgent(packet.Arrive())) {
    if (const auto* spawn = std::get_if<Spawn>(&received->message)) CheckChecked(*spawn);
  }
}

}  // namespace
}  // namespace penstock::worker::agent

extern "C" auto LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) -> int {
  penstock::worker::agent::Try(penstock::worker::testing::FuzzPacket::Of(data, size));
  return 0;
}
