// Which records of a log a person wants to see.
#pragma once

#include <regex.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "observe/log_record.h"

namespace penstock::observe {

/// A POSIX extended regular expression, searched for in any bytes, however many.
class Pattern final {
 public:
  /// Errors: kInvalidArgument with what is wrong with it.
  static auto Compile(const std::string& expression) -> base::Expected<Pattern>;
  auto IsIn(std::string_view text) const -> bool;

 private:
  struct Free {
    void operator()(regex_t* compiled) const;
  };
  explicit Pattern(std::unique_ptr<regex_t, Free> compiled) : compiled_(std::move(compiled)) {}
  std::unique_ptr<regex_t, Free> compiled_;
};

struct LogFilter {
  std::set<std::string, std::less<>> nodes;  // empty: all, and the runtime's own
  std::optional<std::int64_t> since_ns;
  base::LogLevel level = base::LogLevel::kDebug;  // and above
  std::optional<Pattern> pattern;

  auto Matches(const LogRecord& record) const -> bool;
};

}  // namespace penstock::observe
