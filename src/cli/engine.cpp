#include "cli/engine.h"

#include <fmt/format.h>

#include <chrono>

#include "cli/verbs.h"

namespace penstock::cli {
namespace {
constexpr std::chrono::seconds kDeadline{10};
}

auto ConnectEngine(docker::RequestObserver observer) -> base::Expected<std::unique_ptr<docker::Engine>> {
  return docker::Engine::Connect({.host = {}, .observer = std::move(observer)},
                                 docker::Call(base::Deadline::In(kDeadline)));
}

auto Complain(const base::Error& error) -> int {
  fmt::print(stderr, "penstock: error: {}\n", error.ToString());
  return kEnvironment;
}

}  // namespace penstock::cli
