#include "nodes/native/record_log.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <climits>
#include <nlohmann/json.hpp>

#include "base/log.h"

namespace penstock::nodes::native {

void SendLogTo(int fd) {
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return;
  base::SetLogSink([fd](base::LogLevel level, std::string_view text) {
    const auto now =
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch());
    // Half of what a pipe takes in one piece, as JSON may double the text.
    const nlohmann::json record{{"level", base::ToString(level)},
                                {"logger", "penstock"},
                                {"message", text.substr(0, PIPE_BUF / 2)},
                                {"time_ns", now.count()}};
    const auto line = record.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    // Writable means room for PIPE_BUF bytes, and those are written whole.
    pollfd room{.fd = fd, .events = POLLOUT, .revents = 0};
    if (line.size() > PIPE_BUF || ::poll(&room, 1, 0) != 1 || (room.revents & POLLOUT) == 0) return;
    [[maybe_unused]] const auto written = ::write(fd, line.data(), line.size());
  });
}

}  // namespace penstock::nodes::native
