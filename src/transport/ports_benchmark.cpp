// What the transport costs by itself: one cycle in one process, and round trips between two processes without spinning.
// `echo.loaned` hands memory over, `echo.copied` copies into and out of it. Times are per hop (half a round trip).
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "transport/iceoryx2/bridge.h"
#include "transport/monotonic.h"
#include "transport/test_pipeline.h"

namespace penstock::transport {
namespace {
using base::Deadline;
using testing::Must;
using testing::TestPipeline;

constexpr std::uint64_t kLargest = 40'000'000;

// The library alone, without account, doorbells and checks.
void BridgeCycle(benchmark::State& state) {
  TestPipeline pipeline({.edges = {{}}});
  const iceoryx2::Service service{
      .root = RealmPath(pipeline.realm().get()), .name = "bare", .buffer = 8, .history = 8, .max_held = 5};
  const auto output = Must(iceoryx2::Output::Open(service, {.max_message_bytes = 1U << 20U, .consumers = 1}));
  const auto input = Must(iceoryx2::Input::Open(service, 8, 8));
  for (auto _ : state) {
    Must(iceoryx2::Output::Send(Must(output.Borrow(static_cast<std::size_t>(state.range(0))))));
    auto sample = Must(input.Receive());
    benchmark::DoNotOptimize(sample->bytes.data());
  }
}
BENCHMARK(BridgeCycle)->Name("transport.bridge")->Arg(8)->Arg(1'000'000);

void Cycle(benchmark::State& state) {
  TestPipeline pipeline({.edges = {{}}});
  auto output = pipeline.OpenOutput();
  auto input = pipeline.OpenInput();
  for (auto _ : state) {
    auto loan = Must(output->Borrow(static_cast<std::uint64_t>(state.range(0))));
    Must(output->Publish(std::move(loan), Deadline::Never()));
    auto message = Must(input->TryTake());
    input->Acknowledge(message->header().sequence);
  }
}
BENCHMARK(Cycle)->Name("transport.cycle")->Arg(8)->Arg(4096)->Arg(1'000'000);

void Echo(benchmark::State& state, bool copied) {
  const auto bytes = static_cast<std::uint64_t>(state.range(0));
  // The peer answers on a second pipeline of its own.
  TestPipeline there({.edges = {{.depth = 2}}, .max_message_bytes = kLargest, .quota_bytes = 2ULL << 30U});
  TestPipeline back({.edges = {{.depth = 2}}, .max_message_bytes = kLargest, .quota_bytes = 2ULL << 30U});
  auto output = there.OpenOutput();
  auto input = back.OpenInput();
  auto peer = there.SpawnEcho(back);
  if (peer->Ask("input 0") != "ok") throw std::runtime_error("the echo's input did not open");
  if (peer->Ask("reply") != "ok") throw std::runtime_error("the echo's output did not open");
  Must(output->Refresh());
  peer->Tell(copied ? "echo 1" : "echo 0");

  std::vector<std::byte> data(bytes, std::byte{7});
  std::vector<double> hops;
  for (auto _ : state) {
    const auto since = MonotonicNow();
    auto loan = Must(output->Borrow(bytes));
    if (copied) std::memcpy(loan.bytes().data(), data.data(), data.size());
    Must(output->Publish(std::move(loan), Deadline::Never()));
    auto message = testing::Take(*input, back.bell().arrivals());
    if (copied) std::memcpy(data.data(), message->payload().data(), data.size());
    input->Acknowledge(message->header().sequence);
    const auto hop = static_cast<double>(MonotonicNow() - since) / 2;
    state.SetIterationTime(hop * 1e-9);
    hops.push_back(hop / 1000);
  }
  std::ranges::sort(hops);
  state.counters["p50_us"] = hops[hops.size() / 2];
  state.counters["p99_us"] = hops[hops.size() * 99 / 100];
}
BENCHMARK_CAPTURE(Echo, loaned, false)
    ->Name("transport.echo.loaned")
    ->UseManualTime()
    ->Arg(8)
    ->Arg(4096)
    ->Arg(400'000)
    ->Arg(4'000'000)
    ->Arg(40'000'000);
BENCHMARK_CAPTURE(Echo, copied, true)
    ->Name("transport.echo.copied")
    ->UseManualTime()
    ->Arg(8)
    ->Arg(4096)
    ->Arg(400'000)
    ->Arg(4'000'000)
    ->Arg(40'000'000);

}  // namespace
}  // namespace penstock::transport

BENCHMARK_MAIN();
