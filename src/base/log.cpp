#include "base/log.h"

#include <cstdio>

namespace penstock::base {
namespace {

void ToStderr(LogLevel level, std::string_view text) {
  if (level < LogLevel::kWarning) return;
  fmt::print(stderr, "penstock: {}: {}\n", ToString(level), text);
}

auto Sink() -> LogSink& {
  static LogSink sink = ToStderr;
  return sink;
}

}  // namespace

auto ToString(LogLevel level) -> std::string_view {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "unknown";
}

void SetLogSink(LogSink sink) { Sink() = std::move(sink); }
void WriteLog(LogLevel level, std::string_view text) { Sink()(level, text); }

}  // namespace penstock::base
