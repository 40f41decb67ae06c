// Where the runtime's own messages go. One sink a process; observe installs the real one.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <string_view>
#include <utility>

namespace penstock::base {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

auto ToString(LogLevel level) -> std::string_view;

using LogSink = std::function<void(LogLevel, std::string_view)>;

/// Replaces the sink (default: warnings and errors to stderr). Call before other threads log.
void SetLogSink(LogSink sink);
void WriteLog(LogLevel level, std::string_view text);

template <class... Args>
void Log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  WriteLog(level, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace penstock::base
