#include "session/fault_dump.h"

namespace penstock::session {

void FaultDump::Add(std::string_view line) {
  // A dump names at most 100 threads of 100 frames; this keeps the first ones, the thread that crashed among them.
  constexpr std::size_t kMost = 16 * 1024;
  constexpr std::string_view kStart = "Fatal Python error: ";
  if (text_.empty() && !line.starts_with(kStart)) return;
  if (text_.size() + line.size() + 1 > kMost) return;
  text_.append(line).push_back('\n');
}

}  // namespace penstock::session
