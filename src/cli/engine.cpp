#include "cli/engine.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>

#include "base/log.h"
#include "cli/harmless.h"
#include "cli/verbs.h"
#include "cli/words.h"
#include "container/orphans.h"

namespace penstock::cli {
namespace {
constexpr std::chrono::seconds kDeadline{10};
}

auto ConnectEngine(docker::RequestObserver observer) -> base::Expected<std::unique_ptr<docker::Engine>> {
  const docker::Call call(base::Deadline::In(kDeadline));
  auto engine = docker::Engine::Connect({.host = {}, .observer = std::move(observer)}, call);
  if (!engine) return engine;
  if (const auto removed = container::RemoveOrphans(**engine, call); !removed) {
    base::Log(base::LogLevel::kWarning, "containers of dead runtimes could not be removed: {}",
              removed.error().ToString());
  }
  return engine;
}

auto Complain(const base::Error& error) -> int {
  fmt::print(stderr, "penstock: error: {}\n", HarmlessAt(STDERR_FILENO, ShortenIds(error.ToString())));
  return kEnvironment;
}

}  // namespace penstock::cli
