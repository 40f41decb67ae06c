#include "cli/output_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <utility>

namespace penstock::cli {
namespace {

// What can be written without waiting once poll(2) says that there is room: all of it to a file, a page to a pipe.
auto ChunkOf(int fd) -> std::size_t {
  struct stat status{};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? OutputWriter::kRoomBytes : PIPE_BUF;
}

// A terminal may have less room than a page: a write(2) would wait in the kernel where nothing reaches it. Opened anew
// it does not, while whoever else has the descriptor keeps what they are used to.
auto WithoutWaiting(int fd) -> base::UniqueFd {
  if (::isatty(fd) == 0) return {};
  return base::UniqueFd(
      ::open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

}  // namespace

OutputWriter::OutputWriter(int fd, std::string thread, std::function<void(int)> on_broken)
    : own_(WithoutWaiting(fd)),
      fd_(own_ ? own_.get() : fd),
      chunk_(ChunkOf(fd)),
      abandoned_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      on_broken_(std::move(on_broken)) {
  thread_ = std::thread([this, name = std::move(thread)] {
    ::pthread_setname_np(::pthread_self(), name.c_str());
    Run();
  });
}

OutputWriter::~OutputWriter() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void OutputWriter::Write(std::string_view text) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    waiting_ += text;
  }
  changed_.notify_all();
}

auto OutputWriter::TryWrite(std::string_view text) -> bool {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return true;
    if (!waiting_.empty() && waiting_.size() + text.size() > kRoomBytes) return false;
    waiting_ += text;
  }
  changed_.notify_all();
  return true;
}

auto OutputWriter::HasRoom(const std::function<void()>& resume) -> bool {
  const std::lock_guard lock(mutex_);
  if (closed_ || waiting_.size() < kRoomBytes) return true;
  resume_.push_back(resume);
  return false;
}

void OutputWriter::Flush() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return closed_ || (waiting_.empty() && !writing_); });
}

void OutputWriter::Abandon() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(abandoned_.get(), &one, sizeof(one));
}

auto OutputWriter::problem() -> int {
  const std::lock_guard lock(mutex_);
  return problem_;
}

auto OutputWriter::WriteNow(std::string_view text) const -> int {
  while (!text.empty()) {
    std::array<pollfd, 2> waits{
        {{.fd = fd_, .events = POLLOUT, .revents = 0}, {.fd = abandoned_.get(), .events = POLLIN, .revents = 0}}};
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return errno;
    if (waits[0].revents == 0 && waits[1].revents != 0) return ECANCELED;
    if (waits[0].revents == 0) continue;
    const auto written = ::write(fd_, text.data(), std::min(text.size(), chunk_));
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR && errno != EAGAIN) {
      return errno;
    }
  }
  return 0;
}

void OutputWriter::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const auto text = std::exchange(waiting_, {});
    const auto resume = std::exchange(resume_, {});
    writing_ = true;
    lock.unlock();
    for (const auto& go_on : resume) go_on();
    const int failed = WriteNow(text);
    if (failed != 0 && failed != ECANCELED && on_broken_) on_broken_(failed);
    lock.lock();
    writing_ = false;
    if (failed != 0) {
      closed_ = true;
      if (failed != EPIPE && failed != ECANCELED) problem_ = failed;
      waiting_.clear();
    }
    changed_.notify_all();
    if (failed != 0) {
      const auto rest = std::exchange(resume_, {});
      lock.unlock();
      for (const auto& go_on : rest) go_on();
      return;
    }
  }
}

}  // namespace penstock::cli
