#include "cli/quarantine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/count.h"
#include "base/unique_fd.h"
#include "cli/json_output.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "message/header.h"
#include "observe/log_time.h"
#include "observe/quarantine.h"

namespace penstock::cli {
namespace {

using nlohmann::json;

auto Utc(std::int64_t time_ns) -> std::string {
  std::string text;
  observe::AppendUtc(time_ns, text);
  return text;
}

// What the message's file says of it; null when it holds none.
auto MessageOf(const std::filesystem::path& folder) -> json {
  const auto file = folder / "message.bin";
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  message::Header header;
  const base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (error || !fd || size < sizeof(header) ||
      ::read(fd.get(), &header, sizeof(header)) != static_cast<ssize_t>(sizeof(header)) ||
      !message::Validate(header, size - sizeof(header))) {
    return nullptr;
  }
  json described{{"kind", message::ToString(header.kind)},
                 {"payload_bytes", header.payload_bytes},
                 {"metadata_bytes", header.metadata_bytes},
                 {"time_ns", nullptr},
                 {"shape", std::vector(header.shape.begin(), header.shape.begin() + header.dimensions)}};
  if ((header.flags & message::kFlagHasMediaTime) != 0) described["time_ns"] = header.media_time_ns;
  return described;
}

auto ToJson(const observe::Quarantined& entry, const std::filesystem::path& quarantine) -> json {
  auto described = observe::ToJson(entry);
  described.erase("time_ns");
  described["time"] = Utc(entry.time_ns);
  described["folder"] = (quarantine / entry.id).string();
  described["message"] = MessageOf(quarantine / entry.id);
  return described;
}

}  // namespace

auto ComplainOfId(const base::Error& error) -> int {
  Complain(error);
  return kUsage;
}

auto ListQuarantine(bool as_json) -> int {
  const auto quarantine = observe::QuarantineDirectory();
  if (!quarantine) return Complain(quarantine.error());
  const auto entries = observe::ListQuarantined(*quarantine);
  if (as_json) {
    json list = json::array();
    for (const auto& entry : entries) list.push_back(ToJson(entry, *quarantine));
    PrintJson({{"version", 1}, {"messages", std::move(list)}});
    return kDone;
  }
  if (entries.empty()) {
    fmt::print("no message is in quarantine\n");
    return kDone;
  }
  std::vector<Row> rows{{"time", "pipeline", "node", "message", "edge", "attempts", "id"}};
  for (const auto& entry : entries) {
    rows.push_back({Utc(entry.time_ns).substr(0, 19) + "Z", entry.pipeline, entry.node, std::to_string(entry.sequence),
                    entry.edge, std::to_string(entry.failures.size()), entry.id});
  }
  fmt::print("{}", RenderTable(rows, OutputWidth()));
  return kDone;
}

auto ShowQuarantined(const std::string& id, bool as_json) -> int {
  const auto quarantine = observe::QuarantineDirectory();
  if (!quarantine) return Complain(quarantine.error());
  const auto entry = observe::FindQuarantined(*quarantine, id);
  if (!entry) return ComplainOfId(entry.error());
  const auto described = ToJson(*entry, *quarantine);
  if (as_json) {
    PrintJson(described);
    return kDone;
  }
  const auto& message = described.at("message");
  fmt::print("{}\n  message {} of edge {}, {}\n  node {} ({}) of pipeline {}, {}\n  kept {} in {}\n", entry->id,
             entry->sequence, entry->edge,
             message.is_null() ? "whose file is damaged"
                               : fmt::format("{} of {}", message.at("kind").get<std::string>(),
                                             base::Count(message.at("payload_bytes").get<std::uint64_t>(), "byte")),
             entry->node, entry->node_type, entry->pipeline, entry->manifest, Utc(entry->time_ns),
             (*quarantine / entry->id).string());
  for (std::size_t i = 0; i < entry->failures.size(); ++i) {
    const auto& failure = entry->failures[i];
    fmt::print("\nattempt {}: {}\n{}", i + 1, failure.sentence, failure.traceback);
    if (!failure.traceback.empty() && !failure.traceback.ends_with('\n')) fmt::print("\n");
  }
  return kDone;
}

auto RemoveQuarantined(const std::vector<std::string>& ids, bool all) -> int {
  if (ids.empty() && !all) {
    fmt::print(stderr,
               "penstock: error: which messages are to be removed? Give the beginnings of their ids, or --all\n");
    return kUsage;
  }
  const auto quarantine = observe::QuarantineDirectory();
  if (!quarantine) return Complain(quarantine.error());
  std::vector<std::string> found;
  for (const auto& id : ids) {
    const auto entry = observe::FindQuarantined(*quarantine, id);
    if (!entry) return ComplainOfId(entry.error());
    found.push_back(entry->id);
  }
  if (all) {
    for (const auto& entry : observe::ListQuarantined(*quarantine)) found.push_back(entry.id);
    for (auto& name : observe::ListDamaged(*quarantine)) found.push_back(std::move(name));
  }
  for (const auto& id : found) {
    std::error_code error;
    std::filesystem::remove_all(*quarantine / id, error);
    if (error) return Complain(base::SystemError("remove " + id, error.value()).value());
    fmt::print("removed {}\n", id);
  }
  return kDone;
}

}  // namespace penstock::cli
