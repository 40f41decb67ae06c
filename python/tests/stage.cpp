#include "stage.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

namespace penstock::python_tests {
namespace {

using base::ErrorCode;
using base::Fail;

// A watchdog: the start of an interpreter under load takes seconds, nothing here takes minutes.
constexpr std::chrono::seconds kPatience{120};

auto NodeOf(const std::string& end) -> std::string { return end.substr(0, end.find('.')); }
auto PortOf(const std::string& end) -> std::string { return end.substr(end.find('.') + 1); }

// Output goes to files without names, so that no reader is needed while workers run.
auto OutputFile() -> base::UniqueFd { return base::UniqueFd(memfd_create("output", MFD_CLOEXEC)); }

auto ReadAll(const base::UniqueFd& file) -> std::string {
  std::string text(static_cast<std::size_t>(lseek(file.get(), 0, SEEK_END)), '\0');
  if (pread(file.get(), text.data(), text.size(), 0) < 0) return {};
  return text;
}

}  // namespace

struct Stage::Worker {
  Worker(NodeSpec node, transport::Doorbell own) : spec(std::move(node)), bell(std::move(own)) {}

  NodeSpec spec;
  transport::Doorbell bell;
  pid_t pid = -1;
  base::PacketSocket control;
  base::UniqueFd out = OutputFile();
  base::UniqueFd err = OutputFile();
  base::UniqueFd records = OutputFile();
  std::set<std::size_t> seen;  // alternatives of FromWorker received so far
  bool finished = false;
  worker::Failed failed;
  worker::Configure configure;
  std::vector<transport::SegmentMemory> memory;  // of its outputs
};

struct Stage::Edge {
  Edge(EdgeSpec edge, int number, std::shared_ptr<transport::Realm> of_output, transport::ControlBlock block)
      : spec(std::move(edge)),
        id(spec.from + "->" + spec.to),
        realm_number(number),
        realm(std::move(of_output)),
        control(std::move(block)) {}

  EdgeSpec spec;
  std::string id;
  int realm_number;  // the same descriptor in both workers
  std::shared_ptr<transport::Realm> realm;
  transport::ControlBlock control;
};

Stage::Stage(std::string python) : python_(std::move(python)) {}

Stage::~Stage() {
  for (const auto& worker : workers_) {
    if (worker->pid <= 0) continue;
    kill(worker->pid, SIGKILL);
    waitpid(worker->pid, nullptr, 0);
  }
}

auto Stage::Find(const std::string& node) -> Worker& {
  return **std::find_if(workers_.begin(), workers_.end(), [&](const auto& worker) { return worker->spec.id == node; });
}

auto Stage::ControlOf(const std::string& from) -> const transport::ControlBlock& {
  return (*std::find_if(edges_.begin(), edges_.end(), [&](const auto& edge) { return edge->spec.from == from; }))
      ->control;
}

auto Stage::Start(std::vector<NodeSpec> nodes, std::vector<EdgeSpec> edges) -> base::Status {
  for (auto& node : nodes) {
    PENSTOCK_ASSIGN(auto bell, transport::Doorbell::Create());
    workers_.push_back(std::make_unique<Worker>(std::move(node), std::move(bell)));
  }
  std::map<std::string, std::pair<int, std::shared_ptr<transport::Realm>>> realms;
  for (auto& edge : edges) {
    if (realms.count(edge.from) == 0) {
      PENSTOCK_ASSIGN(auto realm, transport::Realm::Create(std::uint64_t{256} << 20U));
      const int number = 600 + static_cast<int>(realms.size());
      realms[edge.from] = {number, std::make_shared<transport::Realm>(std::move(realm))};
    }
    PENSTOCK_ASSIGN(auto control, transport::ControlBlock::Create(edge.contract));
    const auto& [number, realm] = realms[edge.from];
    edges_.push_back(std::make_unique<Edge>(std::move(edge), number, realm, std::move(control)));
  }
  for (auto& worker : workers_) PENSTOCK_TRY(Spawn(*worker));
  for (auto& worker : workers_) {
    PENSTOCK_TRY(Expect<worker::Hello>(*worker));
    worker->configure = ConfigurationOf(*worker);
    PENSTOCK_TRY(worker::Send(worker->control, worker::ToWorker(worker->configure)));
  }
  for (auto& worker : workers_) PENSTOCK_TRY(Expect<worker::OutputsOpen>(*worker));
  for (auto& worker : workers_) PENSTOCK_TRY(worker::Send(worker->control, worker::ToWorker(worker::OpenInputs{})));
  for (auto& worker : workers_) PENSTOCK_TRY(Expect<worker::InputsOpen>(*worker));
  for (auto& worker : workers_) PENSTOCK_TRY(worker::Send(worker->control, worker::ToWorker(worker::Connect{})));
  for (auto& worker : workers_) PENSTOCK_TRY(Expect<worker::Connected>(*worker));
  for (auto& worker : workers_) PENSTOCK_TRY(Expect<worker::Ready>(*worker));
  for (auto& worker : workers_) PENSTOCK_TRY(worker::Send(worker->control, worker::ToWorker(worker::Start{})));
  return {};
}

auto Stage::Spawn(Worker& worker) -> base::Status {
  PENSTOCK_ASSIGN(auto pair, base::PacketSocket::Pair());
  worker.control = std::move(pair.first);
  const auto end = pair.second.Release();
  // Everything the child uses is made before the fork: this process has threads.
  const std::string path = fmt::format("PYTHONPATH={}", PENSTOCK_TEST_PYTHONPATH);
  std::vector<const char*> argv{python_.c_str(), "-m", "penstock.worker", nullptr};
  std::vector<const char*> env{path.c_str(), "PATH=/usr/bin:/bin", "HOME=/nonexistent", "PYTHONDONTWRITEBYTECODE=1",
                               nullptr};
  const int sources[] = {open("/dev/null", O_RDONLY | O_CLOEXEC), worker.out.get(), worker.err.get(), end.get(),
                         worker.records.get()};
  // Out of the way of the targets 0 to 4.
  int moved[5];
  for (int i = 0; i < 5; ++i) moved[i] = fcntl(sources[i], F_DUPFD_CLOEXEC, 100);
  const pid_t pid = fork();
  if (pid < 0) return base::SystemError("cannot fork");
  if (pid == 0) {
    for (int i = 0; i < 5; ++i) dup2(moved[i], i);
    execve(python_.c_str(), const_cast<char* const*>(argv.data()), const_cast<char* const*>(env.data()));
    _exit(127);
  }
  for (const int fd : moved) close(fd);
  close(sources[0]);
  worker.pid = pid;
  return {};
}

auto Stage::ConfigurationOf(const Worker& worker) -> worker::Configure {
  worker::Configure c;
  c.session = "01900000-0000-7000-8000-000000000000";
  c.node = worker.spec.id;
  c.node_type = worker.spec.node_type;
  c.params_json = worker.spec.params_json;
  c.code = PENSTOCK_TEST_NODES;
  c.measure_cpu = worker.spec.measure_cpu;
  c.join_tolerance_ns = worker.spec.join_tolerance_ns;
  c.bell = worker.bell.fd().get();
  std::map<std::string, worker::OutputSpec> outputs;
  std::set<int> realms;
  for (const auto& edge : edges_) {
    const auto& [from, to, contract] = edge->spec;
    if (NodeOf(from) != c.node && NodeOf(to) != c.node) continue;
    if (realms.insert(edge->realm_number).second) c.realms.push_back({edge->realm_number, edge->realm->fd().get()});
    const auto service = fmt::format("{}_{}_output.{}", c.session, NodeOf(from), PortOf(from));
    std::uint32_t depth = 1;
    std::uint32_t max_held = 1;
    for (const auto& other : edges_) {
      if (other->spec.from != from) continue;
      depth = std::max(depth, other->spec.contract.depth);
      max_held = std::max(max_held, other->spec.contract.max_held + 1);
    }
    constexpr std::uint64_t kMaxMessageBytes = std::uint64_t{64} << 20U;
    if (NodeOf(from) == c.node) {
      auto& output = outputs[PortOf(from)];
      output.port = PortOf(from);
      output.service = service;
      output.realm = edge->realm_number;
      output.max_message_bytes = kMaxMessageBytes;
      output.history = output.buffer = depth;
      output.max_held = max_held;
      output.edges.push_back({edge->id, edge->control.fd().get(), Find(NodeOf(to)).bell.fd().get()});
    }
    if (NodeOf(to) == c.node) {
      worker::InputSpec input;
      input.port = PortOf(to);
      input.edge = {edge->id, edge->control.fd().get(), Find(NodeOf(from)).bell.fd().get()};
      input.service = service;
      input.realm = edge->realm_number;
      input.max_message_bytes = kMaxMessageBytes;
      input.history = input.buffer = depth;
      input.max_held = max_held;
      c.inputs.push_back(std::move(input));
    }
  }
  for (auto& [port, output] : outputs) c.outputs.push_back(std::move(output));
  return c;
}

template <class Message>
auto Stage::Expect(Worker& worker) -> base::Status {
  const worker::FromWorker wanted = Message{};
  while (worker.seen.count(wanted.index()) == 0) {
    // It may have said so while another was listened to.
    if (!worker.failed.phase.empty()) {
      return Fail(ErrorCode::kNodeFailed, "{} failed in {}: {}\n{}", worker.spec.id, worker.failed.phase,
                  worker.failed.message, worker.failed.traceback);
    }
    if (!worker.control.valid()) return Fail(ErrorCode::kPeerGone, "{} has ended", worker.spec.id);
    PENSTOCK_TRY(HearAny());
  }
  return {};
}

// Of whoever speaks: one worker may wait for memory while the test waits for another.
auto Stage::HearAny() -> base::Status {
  std::vector<pollfd> sockets;
  for (const auto& worker : workers_) sockets.push_back({worker->control.fd().get(), POLLIN, 0});  // -1 is ignored
  if (poll(sockets.data(), sockets.size(), base::Deadline::In(kPatience).poll_timeout_ms()) <= 0)
    return Fail(ErrorCode::kDeadline, "no worker says anything");
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    if (sockets[i].revents != 0) PENSTOCK_TRY(Hear(*workers_[i]));
  }
  return {};
}

auto Stage::Hear(Worker& worker) -> base::Status {
  auto packet = worker.control.Receive(base::Deadline::In(kPatience));
  if (!packet) {
    worker.control.Close();
    return {};
  }
  PENSTOCK_ASSIGN(auto received, worker::ParseFromWorker(std::move(*packet)));
  worker.seen.insert(received.message.index());
  if (std::holds_alternative<worker::Finished>(received.message)) worker.finished = true;
  if (auto* failed = std::get_if<worker::Failed>(&received.message)) worker.failed = *failed;
  if (const auto* opened = std::get_if<worker::OutputsOpen>(&received.message))
    return Prepare(worker, *opened, received.fds);
  if (const auto* request = std::get_if<worker::Grow>(&received.message)) return Answer(worker, *request);
  return {};
}

auto Stage::Prepare(Worker& worker, const worker::OutputsOpen& opened, std::vector<base::UniqueFd>& fds)
    -> base::Status {
  for (const auto& segment : opened.segments) {
    const auto& output = worker.configure.outputs.at(worker.memory.size());
    const auto realm = std::find_if(worker.configure.realms.begin(), worker.configure.realms.end(),
                                    [&](const auto& held) { return held.number == output.realm; });
    PENSTOCK_ASSIGN(auto memory, transport::SegmentMemory::Adopt(
                                     std::move(fds.at(static_cast<std::size_t>(segment.fd))),
                                     {segment.first, segment.stride, segment.header_bytes, segment.chunks}, realm->fd,
                                     {output.max_message_bytes, segment.chunks}));
    constexpr std::uint64_t kEnoughForMost = std::uint64_t{64} << 10U;
    PENSTOCK_ASSIGN(const auto grant, memory.Prepare(kEnoughForMost));
    const auto number = static_cast<std::uint32_t>(worker.memory.size());
    worker.memory.push_back(std::move(memory));
    PENSTOCK_TRY(worker::Send(worker.control, worker::ToWorker(worker::Grown{0, number, grant.every, grant.chunk})));
  }
  return {};
}

auto Stage::Answer(Worker& worker, const worker::Grow& request) -> base::Status {
  const auto grant = worker.memory.at(request.output).Grow(request.chunk, request.bytes);
  if (!grant)
    return worker::Send(worker.control, worker::ToWorker(worker::Refused{request.id, grant.error().ToString()}));
  return worker::Send(worker.control,
                      worker::ToWorker(worker::Grown{request.id, request.output, grant->every, grant->chunk}));
}

auto Stage::SendStop(const std::string& node) -> base::Status {
  return worker::Send(Find(node).control, worker::ToWorker(worker::Stop{}));
}

void Stage::Signal(const std::string& node, int signal) { kill(Find(node).pid, signal); }

void Stage::CloseControl(const std::string& node) { Find(node).control.Close(); }

auto Stage::Await(const std::string& node) -> Ending {
  auto& worker = Find(node);
  // Reads until its last words or end of file; a failure that Start saw already is remembered.
  if (worker.control.valid() && worker.failed.phase.empty() && !worker.finished)
    static_cast<void>(Expect<worker::Finished>(worker));
  int status = 0;
  waitpid(worker.pid, &status, 0);
  worker.pid = -1;
  Ending ending;
  ending.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  ending.finished = worker.finished;
  ending.failed = worker.failed;
  ending.standard_output = ReadAll(worker.out);
  ending.standard_error = ReadAll(worker.err);
  ending.records = ReadAll(worker.records);
  return ending;
}

}  // namespace penstock::python_tests
