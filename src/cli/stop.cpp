// Ends sessions that other processes run.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/json_output.h"
#include "cli/verbs.h"
#include "session/control.h"

namespace penstock::cli {
namespace {

constexpr std::chrono::seconds kAnswer{5};

// Ids of the sessions that are meant; empty after an error was printed.
auto Meant(const StopOptions& options, const std::vector<std::string>& live) -> std::vector<std::string> {
  if (options.all) return live;
  std::vector<std::string> meant;
  for (const auto& id : live) {
    if (id.starts_with(options.session)) meant.push_back(id);
  }
  if (meant.size() == 1) return meant;
  if (meant.empty()) {
    fmt::print(stderr, "penstock: error: no session that runs begins with '{}'; 'penstock ps' lists them\n",
               options.session);
  } else {
    fmt::print(stderr, "penstock: error: {} sessions begin with '{}'; give more of the id:\n", meant.size(),
               options.session);
    for (const auto& id : meant) fmt::print(stderr, "  {}\n", id);
  }
  return {};
}

auto End(const std::string& id, const StopOptions& options) -> base::Status {
  const auto client = session::ControlClient::Connect(id, base::Deadline::In(kAnswer));
  const auto gone = [](const base::Error& error) {
    return error.code() == base::ErrorCode::kNotFound || error.code() == base::ErrorCode::kPeerGone;
  };
  if (!client) return gone(client.error()) ? base::Status() : tl::make_unexpected(client.error());
  const auto answer = client->Ask(options.now ? "kill" : "stop", base::Deadline::In(kAnswer));
  // One that releases its containers answers nothing more, and ends soon.
  const bool ending = !answer && answer.error().code() == base::ErrorCode::kDeadline;
  if (!answer && !ending && !gone(answer.error())) return tl::make_unexpected(answer.error());
  return client->AwaitEnd(base::Deadline::In(options.timeout));
}

}  // namespace

auto Stop(const StopOptions& options) -> int {
  if (options.all != options.session.empty()) {
    fmt::print(stderr, "penstock: error: give a session's id, or --all; 'penstock ps' lists them\n");
    return kUsage;
  }
  const auto live = session::LiveSessions();
  if (!live) return Complain(live.error());
  const auto meant = Meant(options, *live);
  if (meant.empty() && !options.all) return kUsage;
  const bool told = !options.quiet && !options.json;
  if (meant.empty() && told) fmt::print("no session runs\n");
  int code = kDone;
  auto list = nlohmann::json::array();
  for (const auto& id : meant) {
    const auto ended = End(id, options);
    list.push_back({{"session", id}, {"ended", ended.has_value()}});
    if (ended) {
      if (told) fmt::print("{} ended\n", id);
      continue;
    }
    code = kPipelineFailed;
    const bool late = ended.error().code() == base::ErrorCode::kDeadline;  // whatever was waited for
    fmt::print(stderr, "penstock: error: session {} has not ended within {:.0f} s{}{}\n", id,
               std::chrono::duration<double>(options.timeout).count(), late ? "" : ": " + ended.error().message(),
               options.now ? "" : "; --now ends it without waiting for what is in flight");
  }
  if (options.json) PrintJson({{"version", 1}, {"sessions", std::move(list)}});
  return code;
}

}  // namespace penstock::cli
