#include "nodes/native/test_session.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <stdexcept>

namespace penstock::nodes::native {
namespace {

constexpr std::chrono::seconds kWatchdog{30};

template <class T>
auto Must(base::Expected<T> value) -> T {
  if (!value) throw std::runtime_error(value.error().ToString());
  return std::move(*value);
}
void Must(const base::Status& status) {
  if (!status) throw std::runtime_error(status.error().ToString());
}

}  // namespace

TestWorker::TestWorker(std::string node, std::string node_type, std::string params) {
  auto [here, there] = Must(base::PacketSocket::Pair());
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  const base::UniqueFd write_end(pipe[1]);
  output_ = base::UniqueFd(pipe[0]);
  const char* const program = std::getenv("PENSTOCK_NATIVE");
  const char* const plugin = std::getenv("PENSTOCK_TEST_PLUGIN");
  if (program == nullptr || plugin == nullptr)
    throw std::runtime_error("run by ctest, which sets PENSTOCK_NATIVE and PENSTOCK_TEST_PLUGIN");
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(write_end.get(), 1);
    ::dup2(there.fd().get(), 3);
    ::execl(program, program, "--plugin", plugin, nullptr);
    ::_exit(127);
  }
  control_ = std::move(here);
  configure.session = "test";
  configure.node = std::move(node);
  configure.node_type = std::move(node_type);
  configure.params_json = std::move(params);
}

TestWorker::~TestWorker() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

auto TestWorker::Receive() -> worker::FromWorker {
  for (;;) {
    auto received = Must(worker::ParseFromWorker(Must(control_.Receive(base::Deadline::In(kWatchdog)))));
    if (const auto* request = std::get_if<worker::Grow>(&received.message)) {
      Answer(*request);
      continue;
    }
    if (const auto* opened = std::get_if<worker::OutputsOpen>(&received.message)) Prepare(*opened, received.fds);
    return std::move(received.message);
  }
}

void TestWorker::Prepare(const worker::OutputsOpen& opened, std::vector<base::UniqueFd>& fds) {
  for (const auto& segment : opened.segments) {
    const auto& output = configure.outputs.at(memory_.size());
    const auto realm = std::find_if(configure.realms.begin(), configure.realms.end(),
                                    [&](const auto& held) { return held.number == output.realm; });
    memory_.push_back(Must(transport::SegmentMemory::Adopt(
        std::move(fds.at(static_cast<std::size_t>(segment.fd))),
        {.first = segment.first,
         .stride = segment.stride,
         .header_bytes = segment.header_bytes,
         .chunks = segment.chunks},
        realm->fd, {.max_message_bytes = output.max_message_bytes, .chunks = segment.chunks})));
    const auto grant = Must(memory_.back().Prepare(prepared_bytes));
    Say(worker::Grown{
        .id = 0, .output = static_cast<std::uint32_t>(memory_.size() - 1), .every = grant.every, .chunk = grant.chunk});
  }
}

void TestWorker::Answer(const worker::Grow& request) {
  requests.push_back(request);
  if (refuses) return Say(worker::Refused{.id = request.id, .message = "nothing is left: raise shm_quota_mb"});
  const auto grant = memory_.at(request.output).Grow(request.chunk, request.bytes);
  if (!grant) return Say(worker::Refused{.id = request.id, .message = grant.error().ToString()});
  Say(worker::Grown{.id = request.id, .output = request.output, .every = grant->every, .chunk = grant->chunk});
}

void TestWorker::Say(const worker::ToWorker& message) { Must(worker::Send(control_, message)); }

auto TestWorker::Wait() -> int {
  // The socket's end is the worker's; a test that hangs before it fails by its watchdog.
  while (control_.valid() && control_.Receive(base::Deadline::In(kWatchdog))) {
  }
  int status = 0;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

auto TestWorker::OutputLine() -> std::string {
  std::string line;
  for (char next = 0; ::read(output_.get(), &next, 1) == 1 && next != '\n';) line += next;
  return line;
}

auto TestWorker::Output() -> std::string {
  std::string text;
  std::array<char, 4096> chunk{};
  for (;;) {
    const auto got = ::read(output_.get(), chunk.data(), chunk.size());
    if (got <= 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

auto TestSession::Add(const std::string& node, const std::string& node_type, const std::string& params) -> TestWorker& {
  bells_.emplace(node, Must(transport::Doorbell::Create()));
  auto& worker = *workers_.emplace(node, std::make_unique<TestWorker>(node, node_type, params)).first->second;
  worker.configure.bell = Bell(node).fd().get();
  return worker;
}

auto TestSession::Bell(const std::string& node) -> transport::Doorbell& { return bells_.at(node); }

// One realm and one service for each producer; the first edge makes them.
void TestSession::Connect(const std::string& from, const std::string& to, transport::EdgeContract contract) {
  auto& producer = worker(from).configure;
  auto& consumer = worker(to).configure;
  if (producer.outputs.empty()) {
    realms_.push_back(Must(transport::Realm::Create(1U << 28U)));
    const int number = 599 + static_cast<int>(realms_.size());
    producer.realms.push_back({.number = number, .fd = realms_.back().fd().get()});
    producer.outputs.push_back({.port = "out",
                                .service = "test_" + from + "_output",
                                .realm = number,
                                .max_message_bytes = 1U << 20U,
                                .history = 0,
                                .buffer = 1,
                                .max_held = 1,
                                .epoch = 0,
                                .edges = {}});
  }
  auto& output = producer.outputs.front();
  const auto depth = contract.policy == transport::Policy::kLatest ? 1 : contract.depth;
  if (!transport::MayDrop(contract.policy)) output.history = std::max(output.history, depth);
  output.buffer = std::max(output.buffer, depth);
  output.max_held = std::max(output.max_held, contract.max_held + 1);
  blocks_.push_back(Must(transport::ControlBlock::Create(contract)));
  const auto id = from + ".out->" + to + ".in";
  const int control = blocks_.back().fd().get();
  output.edges.push_back({.edge = id, .control = control, .bell = Bell(to).fd().get()});
  if (std::none_of(consumer.realms.begin(), consumer.realms.end(),
                   [&](const auto& realm) { return realm.number == output.realm; })) {
    consumer.realms.push_back({.number = output.realm, .fd = producer.realms.back().fd});
  }
  consumer.inputs.push_back({.port = "in",
                             .edge = {.edge = id, .control = control, .bell = Bell(from).fd().get()},
                             .service = output.service,
                             .realm = output.realm,
                             .max_message_bytes = output.max_message_bytes,
                             .history = output.history,
                             .buffer = output.buffer,
                             .max_held = output.max_held});
}

void TestSession::Configure() {
  for (auto& [name, worker] : workers_) {
    // Limits that later edges raised.
    for (auto& input : worker->configure.inputs) {
      for (const auto& [other, producer] : workers_) {
        for (const auto& output : producer->configure.outputs) {
          if (output.service != input.service) continue;
          input.history = output.history;
          input.buffer = output.buffer;
          input.max_held = output.max_held;
        }
      }
    }
    worker->Next<worker::Hello>();
    worker->Say(worker->configure);
  }
}

void TestSession::Start() {
  Configure();
  // `ready` comes whenever the node is set up.
  std::map<TestWorker*, bool> ready;
  const auto expect = [&]<class Answer>(Answer) {
    for (auto& [name, worker] : workers_) {
      auto message = worker->Receive();
      if (std::holds_alternative<worker::Ready>(message)) {
        ready[worker.get()] = true;
        message = worker->Receive();
      }
      if (const auto* failed = std::get_if<worker::Failed>(&message))
        throw std::runtime_error(failed->phase + ": " + failed->message);
      static_cast<void>(std::get<Answer>(message));
    }
  };
  expect(worker::OutputsOpen{.segments = {}});
  for (auto& [name, worker] : workers_) worker->Say(worker::OpenInputs{});
  expect(worker::InputsOpen{});
  for (auto& [name, worker] : workers_) worker->Say(worker::Connect{});
  expect(worker::Connected{});
  for (auto& [name, worker] : workers_) {
    if (!ready[worker.get()]) worker->Next<worker::Ready>();
  }
  for (auto& [name, worker] : workers_) worker->Say(worker::Start{});
}

}  // namespace penstock::nodes::native
