// Reads a session's log in order, once each line, also while it is being written and while old files are removed. One
// thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/unique_fd.h"

namespace penstock::observe {

class LogReader final {
 public:
  explicit LogReader(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Called with each line, without its end. False: that is enough.
  using Handler = std::function<bool(std::string_view line)>;
  /// Reads what is there and was not read yet, up to the last line that is complete. False when the handler had enough.
  auto ReadNew(const Handler& handler) -> base::Expected<bool>;

 private:
  auto ReadFile(const Handler& handler) -> base::Expected<bool>;
  /// False when there is no later file.
  auto OpenNext() -> base::Expected<bool>;

  std::filesystem::path folder_;
  std::uint64_t number_ = 0;
  base::UniqueFd file_;
  std::uint64_t offset_ = 0;  // of the first line that was not read
  std::string buffer_;
};

/// Reads `folder` to its end and then what is added, until its session ends or the handler had enough; also when
/// `output`, a descriptor that the handler writes to, has lost its reader. Sleeps in the kernel meanwhile.
auto FollowLog(const std::filesystem::path& folder, int output, const LogReader::Handler& handler) -> base::Status;

}  // namespace penstock::observe
