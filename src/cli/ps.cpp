// What runs: the sessions of this user and the containers that they use or that wait for the next one.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/json_output.h"
#include "cli/ps_words.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "container/entry.h"
#include "session/control.h"

namespace penstock::cli {
namespace {

using nlohmann::json;
constexpr std::chrono::seconds kAnswer{2};

// By SIGSTOP, Ctrl-Z or a debugger.
auto IsStopped(pid_t pid) -> bool {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string stat;
  std::getline(file, stat, '\0');
  const auto name_end = stat.rfind(')');  // which may itself be in the name
  return name_end != std::string::npos && name_end + 2 < stat.size() &&
         (stat[name_end + 2] == 'T' || stat[name_end + 2] == 't');
}

// Null when it has ended meanwhile.
auto AskSession(const std::string& id) -> json {
  const auto client = session::ControlClient::Connect(id, base::Deadline::In(kAnswer));
  auto answer = client ? client->Ask("status", base::Deadline::In(kAnswer)) : tl::make_unexpected(client.error());
  if (answer) return std::move(*answer);
  const auto code = answer.error().code();
  if (code == base::ErrorCode::kNotFound || code == base::ErrorCode::kPeerGone) return nullptr;
  const pid_t pid = client ? client->RuntimePid().value_or(0) : 0;
  json silent{{"session", id}, {"pid", nullptr}, {"phase", "does not answer"}, {"problem", answer.error().message()}};
  if (pid != 0) silent["pid"] = pid;
  if (pid != 0 && IsStopped(pid)) {
    silent["problem"] = fmt::format(
        "its runtime, process {0}, is stopped: 'kill -CONT {0}' has it go on, 'kill -KILL {0}' ends it and its nodes",
        pid);
  }
  return silent;
}

// Only where it cannot be asked: for a moment nobody else could use it.
auto IsInUse(const std::filesystem::path& entry) -> bool { return !container::LockedDirectory::Claim(entry); }
// All at once, as each takes two readings of its containers' CPU time and the time between them.
auto AskSessions(const std::vector<std::string>& ids) -> json {
  std::vector<std::future<json>> asked;
  asked.reserve(ids.size());
  for (const auto& id : ids) asked.push_back(std::async(std::launch::async, AskSession, id));
  auto sessions = json::array();
  for (auto& answer : asked) {
    if (auto session = answer.get(); !session.is_null()) sessions.push_back(std::move(session));
  }
  return sessions;
}

auto Containers(const json& sessions) -> base::Expected<json> {
  const bool silent = std::ranges::any_of(sessions, [](const json& session) { return session.contains("problem"); });
  std::map<std::string, std::set<std::string>> users;
  for (const auto& session : sessions) {
    for (const auto& node : session.value("nodes", json::array())) {
      const auto container = node.value("container", "");
      if (!container.empty()) users[container].insert(session.at("session").get<std::string>());
    }
  }
  PENSTOCK_ASSIGN(const auto entries, container::EntriesDirectory());
  auto found = json::array();
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(entries, error)) {
    const auto record = container::ReadRecord(entry.path());
    if (!record || !container::AgentAnswers(entry.path())) continue;
    const auto& sessions_of = users[record->container];
    const bool used = !sessions_of.empty() || (silent && IsInUse(entry.path()));
    found.push_back({{"name", container::EngineName(entry.path())},
                     {"container", record->container},
                     {"identity", record->identity},
                     {"state", used ? "leased" : "warm"},
                     {"sessions", sessions_of}});
  }
  return found;
}

auto Number(const json& object, const char* name) -> std::uint64_t {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<std::uint64_t>() : 0;
}

constexpr std::uint64_t kMebibyte = std::uint64_t{1024} * 1024;

auto Megabytes(const json& node, const char* name) -> std::string {
  const auto bytes = Number(node, name);
  return bytes == 0 ? "-" : fmt::format("{} MB", bytes / kMebibyte);
}

auto OfLimit(const json& node) -> std::string {
  const auto used = Number(node, "memory_bytes");
  const auto limit = Megabytes(node, "memory_limit_bytes");
  return used == 0 || limit == "-" ? Megabytes(node, "memory_bytes") : fmt::format("{} of {}", used / kMebibyte, limit);
}

auto Cores(const json& node) -> std::string {
  const auto used = node.find("cpu_cores");
  const auto limit = node.find("cpu_limit_cores");
  if (used == node.end() || !used->is_number() || limit == node.end() || !limit->is_number()) return "-";
  return fmt::format("{:.2f} of {:g}", used->get<double>(), limit->get<double>());
}

void PrintSession(const json& session) {
  const auto width = OutputWidth();
  const auto id = session.at("session").get<std::string>();
  if (const auto problem = session.find("problem"); problem != session.end()) {
    const auto pid = Number(session, "pid");
    return fmt::print("{}  {}{}\n  {}\n\n", id, session.value("phase", ""), pid > 0 ? fmt::format(", pid {}", pid) : "",
                      problem->get<std::string>());
  }
  fmt::print("{}  {}  {}, {:.0f} s, pid {}\n", id, session.value("pipeline", ""), session.value("phase", ""),
             session.value("age_s", 0.0), Number(session, "pid"));
  const auto& shown = session.at("nodes");
  const bool restarted = std::ranges::any_of(shown, [](const json& node) { return Number(node, "restarts") > 0; });
  std::vector<Row> nodes{{"  node", "where", "container", "memory", "peak", "cores", "queued", "handled", "sent"}};
  if (restarted) nodes.front().emplace_back("restarts");
  for (const auto& node : shown) {
    nodes.push_back({"  " + node.value("id", ""), node.value("placement", ""),
                     node.value("container", "").substr(0, 12), OfLimit(node), Megabytes(node, "peak_memory_bytes"),
                     Cores(node), std::to_string(Number(node, "queued")), std::to_string(Number(node, "messages")),
                     std::to_string(Number(node, "sent"))});
    if (restarted) nodes.back().push_back(std::to_string(Number(node, "restarts")));
  }
  std::vector<Row> edges{{"  edge", "policy", "sent", "queued", "unacknowledged", "lost", "redelivered"}};
  for (const auto& edge : session.at("edges")) {
    const auto acknowledged = Number(edge, "acknowledged");  // what was lost is among them
    const auto sent = Number(edge, "sent");
    edges.push_back({"  " + edge.value("id", ""), edge.value("policy", ""), std::to_string(sent),
                     std::to_string(Number(edge, "queued")),
                     std::to_string(sent > acknowledged ? sent - acknowledged : 0),
                     std::to_string(Number(edge, "lost")), std::to_string(Number(edge, "redelivered"))});
  }
  fmt::print("{}{}", RenderTable(nodes, width), edges.size() > 1 ? RenderTable(edges, width) : "");
  for (const auto& node : shown) {
    for (const auto& sentence : StandingSentences(node)) fmt::print("  {}\n", sentence);
  }
  fmt::print("\n");
}

}  // namespace

auto Ps(bool as_json) -> int {
  const auto live = session::LiveSessions();
  if (!live) return Complain(live.error());
  const auto sessions = AskSessions(*live);
  const auto containers = Containers(sessions);
  if (!containers) return Complain(containers.error());
  if (as_json) {
    PrintJson({{"version", 1}, {"sessions", sessions}, {"containers", *containers}});
    return kDone;
  }
  for (const auto& session : sessions) PrintSession(session);
  if (sessions.empty()) fmt::print("no session runs\n");
  if (containers->empty()) return kDone;
  std::vector<Row> rows{{"container", "state", "sessions"}};
  for (const auto& container : *containers) {
    rows.push_back(
        {container.value("name", ""), container.value("state", ""), std::to_string(container.at("sessions").size())});
  }
  fmt::print("{}", RenderTable(rows, OutputWidth()));
  return kDone;
}

}  // namespace penstock::cli
