#include "session/promises.h"

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/paths.h"
#include "plan/promises.h"
#include "session/control.h"

namespace penstock::session {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr auto kFile = "promises.json";
constexpr std::size_t kLargest = std::size_t{1} << 20U;
// Others hold it while they connect to the engine.
constexpr std::chrono::seconds kPatience{10};

auto Text(const json& object, const char* name) -> std::string {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

template <class T>
auto Number(const json& object, const char* name) -> T {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<T>() : T{};
}

// Empty for what is no such file: a session that has containers has written it before the first of them.
auto Parse(const std::string& id, const std::string& text) -> plan::RunningSession {
  plan::RunningSession session{.id = id, .pipeline = {}, .promises = {}};
  const auto file = json::parse(text, nullptr, false);
  if (!file.is_object()) return session;
  session.pipeline = Text(file, "pipeline");
  const auto containers = file.find("containers");
  if (containers == file.end() || !containers->is_array()) return session;
  for (const auto& container : *containers) {
    if (!container.is_object()) continue;
    session.promises.push_back({.node = Text(container, "node"),
                                .memory_mb = Number<std::uint64_t>(container, "memory_mb"),
                                .cpu_cores = Number<double>(container, "cpu_cores"),
                                .shared_as = Text(container, "shared_as"),
                                .max_sessions = Number<std::uint32_t>(container, "max_sessions")});
  }
  return session;
}

}  // namespace

auto AdmissionLock() -> base::Expected<base::FileLock> {
  PENSTOCK_ASSIGN(const auto home, base::RuntimeDirectory());
  return base::FileLock::Acquire(home / "admission.lock", base::Deadline::In(kPatience));
}

auto WritePromises(const fs::path& directory, const plan::Plan& plan) -> base::Status {
  json file{{"pipeline", plan.name}, {"containers", json::array()}};
  for (const auto& promise : plan::PromisesOf(plan)) {
    file["containers"].push_back({{"node", promise.node},
                                  {"memory_mb", promise.memory_mb},
                                  {"cpu_cores", promise.cpu_cores},
                                  {"shared_as", promise.shared_as},
                                  {"max_sessions", promise.max_sessions}});
  }
  return base::ReplaceFile(directory / kFile, file.dump(-1, ' ', false, json::error_handler_t::replace) + '\n');
}

auto RunningSessions() -> base::Expected<std::vector<plan::RunningSession>> {
  PENSTOCK_ASSIGN(const auto live, LiveSessions());
  std::vector<plan::RunningSession> sessions;
  for (const auto& id : live) {
    PENSTOCK_ASSIGN(const auto directory, SessionDirectory(id));
    if (const auto text = base::ReadFile(directory / kFile, kLargest)) sessions.push_back(Parse(id, *text));
  }
  return sessions;
}

}  // namespace penstock::session
