#include "observe/traceback_group.h"

#include <algorithm>
#include <utility>

namespace penstock::observe {
namespace {

auto Begins(std::string_view line) -> bool {
  return line.starts_with("Fatal Python error") || line.find("Traceback (most recent call last)") != line.npos ||
         line.find("(most recent call first)") != line.npos;
}

auto IsIndented(std::string_view line) -> bool { return line.empty() || line.front() == ' ' || line.front() == '\t'; }

}  // namespace

TracebackGroup::~TracebackGroup() {
  if (timer_ != 0) loop_.Cancel(timer_);
}

void TracebackGroup::Add(LogRecord line) {
  const bool begins = Begins(line.text);
  if (held_.empty()) {
    if (!begins) {
      std::vector<LogRecord> one;
      one.push_back(std::move(line));
      return handler_(std::move(one));
    }
    began_ = base::Deadline::Clock::now();
  }
  within_ = begins || (within_ && IsIndented(line.text));
  bytes_ += line.text.size();
  held_.push_back(std::move(line));
  if (bytes_ > kMaxBytes) return Flush();
  Arm();
}

void TracebackGroup::Arm() {
  if (timer_ != 0) loop_.Cancel(timer_);
  const auto silence = std::chrono::nanoseconds(within_ ? kSilenceWithin : kSilenceAfter);
  const auto left = began_ + kLongest - base::Deadline::Clock::now();
  timer_ = loop_.After(std::min(silence, std::max(left, std::chrono::nanoseconds::zero())), [this] {
    timer_ = 0;
    Flush();
  });
}

void TracebackGroup::Flush() {
  if (timer_ != 0) loop_.Cancel(std::exchange(timer_, 0));
  within_ = false;
  bytes_ = 0;
  if (!held_.empty()) handler_(std::exchange(held_, {}));
}

}  // namespace penstock::observe
