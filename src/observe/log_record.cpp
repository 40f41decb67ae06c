#include "observe/log_record.h"

#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "observe/json_text.h"
#include "observe/log_time.h"

namespace penstock::observe {
namespace {

using nlohmann::json;

constexpr std::array kStreams{Stream::kStdout, Stream::kStderr, Stream::kLog, Stream::kRuntime};
constexpr std::array kLevels{base::LogLevel::kDebug, base::LogLevel::kInfo, base::LogLevel::kWarning,
                             base::LogLevel::kError};

void AppendMember(std::string_view name, std::string_view text, std::string& out) {
  out += ",\"";
  out += name;
  out += "\":";
  AppendJsonString(text, out);
}

auto TextOf(const json& object, const char* key) -> std::string {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

auto CountOf(const json& object, const char* key) -> std::uint64_t {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

}  // namespace

auto ToString(Stream stream) -> std::string_view {
  switch (stream) {
    case Stream::kStdout:
      return "stdout";
    case Stream::kStderr:
      return "stderr";
    case Stream::kLog:
      return "log";
    case Stream::kRuntime:
      return "runtime";
  }
  return "unknown";
}

auto Now() -> std::int64_t {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

auto ParseLevel(std::string_view name) -> base::Expected<base::LogLevel> {
  for (const auto level : kLevels) {
    if (name == base::ToString(level)) return level;
  }
  return base::Fail(base::ErrorCode::kInvalidArgument, "there is no level '{}'; use debug, info, warning or error",
                    name);
}

void AppendJson(const LogRecord& record, std::string_view session, std::string& out) {
  out += "{\"time\":\"";
  AppendUtc(record.time_ns, out);
  out += '"';
  AppendMember("session", session, out);
  AppendMember("node", record.node, out);
  AppendMember("stream", ToString(record.stream), out);
  AppendMember("level", base::ToString(record.level), out);
  if (!record.logger.empty()) AppendMember("logger", record.logger, out);
  if (!record.event.empty()) AppendMember("event", record.event, out);
  AppendMember("message", record.text, out);
  if (!IsUtf8(record.text)) AppendMember("base64", Base64(record.text), out);
  if (record.continued) out += ",\"continued\":true";
  if (record.dropped > 0) out += fmt::format(",\"dropped\":{}", record.dropped);
  out += "}\n";
}

auto ParseRecord(std::string_view text) -> base::Expected<LogRecord> {
  const auto corrupt = [] { return base::Fail(base::ErrorCode::kPeerCorrupt, "a line of the log is no record"); };
  const auto object = json::parse(text, nullptr, false);
  if (!object.is_object()) return corrupt();
  LogRecord record;
  const auto time = ParseUtc(TextOf(object, "time"));
  const auto level = ParseLevel(TextOf(object, "level"));
  const auto stream_name = TextOf(object, "stream");
  std::optional<Stream> stream;
  for (const auto candidate : kStreams) {
    if (ToString(candidate) == stream_name) stream = candidate;
  }
  if (!time || !level || !stream) return corrupt();
  record.time_ns = *time;
  record.level = *level;
  record.stream = *stream;
  record.node = TextOf(object, "node");
  record.logger = TextOf(object, "logger");
  record.event = TextOf(object, "event");
  record.text = TextOf(object, "message");
  if (object.contains("base64")) {
    auto bytes = FromBase64(TextOf(object, "base64"));
    if (!bytes) return corrupt();
    record.text = std::move(*bytes);
  }
  record.continued = object.value("continued", json()) == true;
  record.dropped = CountOf(object, "dropped");
  return record;
}

auto RecordOfWorker(std::string_view line, std::string node, std::int64_t read_ns) -> LogRecord {
  LogRecord record{.time_ns = read_ns, .node = std::move(node), .stream = Stream::kLog};
  const auto object = json::parse(line, nullptr, false);
  if (!object.is_object() || !object.contains("message")) {
    record.text = line;
    return record;
  }
  if (const auto level = ParseLevel(TextOf(object, "level"))) record.level = *level;
  if (const auto time = CountOf(object, "time_ns"); time > 0 && time <= INT64_MAX)
    record.time_ns = static_cast<std::int64_t>(time);
  record.logger = TextOf(object, "logger");
  record.text = TextOf(object, "message");
  record.dropped = CountOf(object, "dropped");
  if (record.dropped > 0) record.event = "dropped";
  return record;
}

}  // namespace penstock::observe
