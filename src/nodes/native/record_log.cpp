#include "nodes/native/record_log.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <climits>
#include <cstdint>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/count.h"
#include "base/log.h"

namespace penstock::nodes::native {
namespace {

class RecordWriter final {
 public:
  explicit RecordWriter(int fd) : fd_(fd) {}

  void Write(base::LogLevel level, std::string_view text) {
    const std::lock_guard lock(mutex_);
    if (dropped_ > 0) {
      auto told = RecordOf(base::LogLevel::kWarning, fmt::format("{} dropped: the runtime did not read fast enough",
                                                                 base::Count(dropped_, "log record")));
      told["dropped"] = dropped_;
      if (Put(told)) dropped_ = 0;
    }
    // Half of what a pipe takes in one piece, as JSON may double the text.
    if (dropped_ > 0 || !Put(RecordOf(level, text.substr(0, PIPE_BUF / 2)))) ++dropped_;
  }

 private:
  static auto RecordOf(base::LogLevel level, std::string_view text) -> nlohmann::json {
    const auto now =
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch());
    return {{"level", base::ToString(level)}, {"logger", "penstock"}, {"message", text}, {"time_ns", now.count()}};
  }

  auto Put(const nlohmann::json& record) const -> bool {
    const auto line = record.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    // Writable means room for PIPE_BUF bytes, and those are written whole.
    pollfd room{.fd = fd_, .events = POLLOUT, .revents = 0};
    if (line.size() > PIPE_BUF || ::poll(&room, 1, 0) != 1 || (room.revents & POLLOUT) == 0) return false;
    return ::write(fd_, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  }

  const int fd_;
  std::mutex mutex_;
  std::uint64_t dropped_ = 0;
};

}  // namespace

void SendLogTo(int fd) {
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return;
  base::SetLogSink([writer = std::make_shared<RecordWriter>(fd)](base::LogLevel level, std::string_view text) {
    writer->Write(level, text);
  });
}

}  // namespace penstock::nodes::native
