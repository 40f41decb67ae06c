#include "session/memory_grants.h"

#include <pthread.h>

#include <memory>
#include <utility>

namespace penstock::session {
namespace {
using base::ErrorCode;
using base::Fail;

auto NameOf(const plan::Output& output) -> std::string {
  return fmt::format("{}.{}", output.port.node, output.port.port);
}

}  // namespace

MemoryGrants::MemoryGrants(base::EventLoop& loop, const plan::Plan& plan, const Wiring& wiring, Handlers handlers)
    : loop_(loop), plan_(plan), wiring_(wiring), handlers_(std::move(handlers)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { Serve(stop); });
}

MemoryGrants::~MemoryGrants() = default;

void MemoryGrants::Open(std::size_t node, const worker::OutputsOpen& opened, std::vector<base::UniqueFd> fds) {
  const auto& outputs = plan_.nodes.at(node).outputs;
  if (!opened_.insert(node).second || opened.segments.size() != outputs.size()) {
    return handlers_.on_failed(
        node, base::Error(ErrorCode::kPeerCorrupt, fmt::format("it described {} outputs, of the {} it has to open once",
                                                               opened.segments.size(), outputs.size())));
  }
  Enqueue([this, node, incarnation = incarnations_[node], segments = opened.segments,
           fds = std::make_shared<std::vector<base::UniqueFd>>(std::move(fds))] {
    const auto& indices = plan_.nodes[node].outputs;
    for (std::size_t i = 0; i < indices.size(); ++i) {
      auto grant = OpenOutput(indices[i], segments[i], std::move((*fds)[static_cast<std::size_t>(segments[i].fd)]));
      if (!grant) {
        auto error =
            std::move(grant).error().While(fmt::format("opening output {}", NameOf(plan_.outputs[indices[i]])));
        return Tell(node, incarnation, [this, node, error] { handlers_.on_failed(node, error); });
      }
      Tell(node, incarnation, [this, node, i, grant = *grant] {
        handlers_.on_answer(
            node, worker::Grown{
                      .id = 0, .output = static_cast<std::uint32_t>(i), .every = grant.every, .chunk = grant.chunk});
      });
    }
    Tell(node, incarnation, [this, node] { handlers_.on_prepared(node); });
  });
}

auto MemoryGrants::OpenOutput(std::size_t index, const worker::SegmentHandle& segment, base::UniqueFd fd)
    -> base::Expected<transport::Grant> {
  const auto& output = plan_.outputs[index];
  PENSTOCK_ASSIGN(auto memory, transport::SegmentMemory::Adopt(
                                   std::move(fd),
                                   {.first = segment.first,
                                    .stride = segment.stride,
                                    .header_bytes = segment.header_bytes,
                                    .chunks = segment.chunks},
                                   wiring_.realm(index).fd().get(),
                                   {.max_message_bytes = output.max_message_bytes, .chunks = output.slots}));
  auto& adopted = segments_.insert_or_assign(index, std::move(memory)).first->second;
  auto grant = adopted.Prepare(output.prefault_bytes);
  // What nobody has declared is a guess, and a session that can do without must not fail for it.
  if (!grant && output.expected_bytes == 0) return adopted.Prepare(0);
  return grant;
}

void MemoryGrants::Grow(std::size_t node, const worker::Grow& request) {
  const auto& outputs = plan_.nodes.at(node).outputs;
  if (request.output >= outputs.size() || !opened_.contains(node) || !asking_.insert(outputs[request.output]).second) {
    return handlers_.on_failed(
        node, base::Error(ErrorCode::kPeerCorrupt,
                          fmt::format("it asked for memory behind output {}, which it does not have, has not opened, "
                                      "or has asked for already",
                                      request.output)));
  }
  Enqueue([this, node, incarnation = incarnations_[node], request, output = outputs[request.output]] {
    auto grant = GrowOutput(output, request);
    Tell(node, incarnation, [this, node, request, output, grant = std::move(grant)] {
      asking_.erase(output);
      if (grant) {
        handlers_.on_answer(
            node,
            worker::Grown{.id = request.id, .output = request.output, .every = grant->every, .chunk = grant->chunk});
      } else if (grant.error().code() == ErrorCode::kPeerCorrupt) {
        handlers_.on_failed(node, grant.error());
      } else {
        handlers_.on_answer(node, worker::Refused{.id = request.id, .message = grant.error().ToString()});
      }
    });
  });
}

auto MemoryGrants::GrowOutput(std::size_t index, const worker::Grow& request) -> base::Expected<transport::Grant> {
  const auto found = segments_.find(index);
  if (found == segments_.end()) return Fail(ErrorCode::kPeerCorrupt, "it asked for memory before its output was ready");
  auto grant = found->second.Grow(request.chunk, request.bytes);
  if (!grant) {
    return tl::unexpected(
        std::move(grant).error().While(fmt::format("sending from output {}", NameOf(plan_.outputs[index]))));
  }
  return grant;
}

void MemoryGrants::Forget(std::size_t node) {
  ++incarnations_[node];
  opened_.erase(node);
  for (const auto output : plan_.nodes.at(node).outputs) asking_.erase(output);
  Enqueue([this, node] {
    for (const auto output : plan_.nodes[node].outputs) segments_.erase(output);
  });
}

void MemoryGrants::Tell(std::size_t node, std::uint64_t incarnation, std::function<void()> then) {
  loop_.Post([this, node, incarnation, then = std::move(then)] {
    if (incarnations_[node] == incarnation) then();
  });
}

void MemoryGrants::Enqueue(Work work) {
  const std::lock_guard lock(mutex_);
  queue_.push_back(std::move(work));
  filled_.notify_one();
}

void MemoryGrants::Serve(const std::stop_token& stop) {
  ::pthread_setname_np(::pthread_self(), "penstock-memory");
  for (;;) {
    Work work;
    {
      std::unique_lock lock(mutex_);
      if (!filled_.wait(lock, stop, [this] { return !queue_.empty(); })) return;
      if (stop.stop_requested()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

}  // namespace penstock::session
