#include "nodes/sinks/line_output.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace penstock::nodes::sinks {

auto LineOutput::Open(const std::string& path) -> base::Expected<LineOutput> {
  LineOutput output;
  output.path_ = path.empty() ? "standard output" : path;
  output.file_ = base::UniqueFd(path.empty() ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                                             : ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!output.file_) return base::SystemError(fmt::format("open '{}' for writing", output.path_));
  return output;
}

auto LineOutput::Write(std::string_view line) -> base::Status {
  buffer_.assign(line);
  buffer_ += '\n';
  for (std::string_view rest = buffer_; !rest.empty();) {
    const auto written = ::write(file_.get(), rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // whoever shares the open file made it non-blocking
      pollfd room{.fd = file_.get(), .events = POLLOUT, .revents = 0};
      ::poll(&room, 1, -1);
    } else if (errno != EINTR) {
      return base::SystemError(fmt::format("write to '{}'", path_));
    }
  }
  return {};
}

}  // namespace penstock::nodes::sinks
