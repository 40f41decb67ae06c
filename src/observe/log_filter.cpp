#include "observe/log_filter.h"

#include <array>

namespace penstock::observe {

void Pattern::Free::operator()(regex_t* compiled) const {
  ::regfree(compiled);
  std::default_delete<regex_t>()(compiled);
}

auto Pattern::Compile(const std::string& expression) -> base::Expected<Pattern> {
  auto compiled = std::make_unique<regex_t>();
  if (const int error = ::regcomp(compiled.get(), expression.c_str(), REG_EXTENDED); error != 0) {
    std::array<char, 256> text{};
    ::regerror(error, compiled.get(), text.data(), text.size());
    return base::Fail(base::ErrorCode::kInvalidArgument, "'{}' is no regular expression: {}", expression, text.data());
  }
  return Pattern(std::unique_ptr<regex_t, Free>(compiled.release()));
}

auto Pattern::IsIn(std::string_view text) const -> bool {
  // With REG_STARTEND the text need not end with a null byte, and may hold some.
  std::array<regmatch_t, 1> bounds{{{.rm_so = 0, .rm_eo = static_cast<regoff_t>(text.size())}}};
  return ::regexec(compiled_.get(), text.data(), bounds.size(), bounds.data(), REG_STARTEND) == 0;
}

auto LogFilter::Matches(const LogRecord& record) const -> bool {
  if (!nodes.empty() && !nodes.contains(record.node)) return false;
  if (since_ns && record.time_ns < *since_ns) return false;
  if (record.level < level) return false;
  return !pattern || pattern->IsIn(record.text);
}

}  // namespace penstock::observe
