#include "observe/log_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <thread>

#include "observe/log_files.h"
#include "observe/session_folder.h"

namespace penstock::observe {
namespace fs = std::filesystem;
namespace {

// Becomes readable when the session of `folder` has ended.
auto WatchEnd(const fs::path& folder) -> base::Expected<std::shared_ptr<base::UniqueFd>> {
  auto ended = std::make_shared<base::UniqueFd>(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!*ended) return base::SystemError("create an eventfd");
  // A thread, as flock(2) cannot be polled; it is left behind when the reader has enough first.
  std::thread([folder, ended] {
    ::pthread_setname_np(::pthread_self(), "penstock-await");
    AwaitEnd(folder);
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(ended->get(), &one, sizeof(one));
  }).detach();
  return ended;
}

// What changed does not matter: the reader looks for itself.
void Discard(int inotify) {
  std::array<char, 4096> events{};
  while (::read(inotify, events.data(), events.size()) > 0) {
  }
}

}  // namespace

auto LogReader::OpenNext() -> base::Expected<bool> {
  for (const auto number : LogFiles::Numbers(folder_)) {
    if (number <= number_) continue;
    base::UniqueFd file(::open((folder_ / LogFiles::NameOf(number)).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file && errno == ENOENT) continue;  // removed meanwhile
    if (!file) return base::SystemError(fmt::format("open '{}'", (folder_ / LogFiles::NameOf(number)).string()));
    file_ = std::move(file);
    number_ = number;
    offset_ = 0;
    return true;
  }
  return false;
}

auto LogReader::ReadFile(const Handler& handler) -> base::Expected<bool> {
  constexpr std::size_t kRead = std::size_t{1} << 20U;
  buffer_.clear();  // an incomplete line is read again: its writer may have taken it back
  auto at = offset_;
  for (;;) {
    const auto held = buffer_.size();
    buffer_.resize(held + kRead);
    const auto got = ::pread(file_.get(), buffer_.data() + held, kRead, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) {
      buffer_.resize(held);
      continue;
    }
    if (got < 0) return base::SystemError("read the log");
    buffer_.resize(held + static_cast<std::size_t>(got));
    if (got == 0) return true;
    at += static_cast<std::uint64_t>(got);
    std::string_view rest(buffer_);
    for (auto end = rest.find('\n', held); end != std::string_view::npos; end = rest.find('\n')) {
      offset_ += end + 1;
      if (!handler(rest.substr(0, end))) return false;
      rest.remove_prefix(end + 1);
    }
    buffer_.erase(0, buffer_.size() - rest.size());
  }
}

auto LogReader::ReadNew(const Handler& handler) -> base::Expected<bool> {
  if (!file_) {
    PENSTOCK_ASSIGN(const bool opened, OpenNext());
    if (!opened) return true;
  }
  for (;;) {
    // In this order: once a later file is there, nothing more is written to this one.
    const auto numbers = LogFiles::Numbers(folder_);
    const bool is_last = numbers.empty() || numbers.back() <= number_;
    PENSTOCK_ASSIGN(const bool more, ReadFile(handler));
    if (!more) return false;
    if (is_last) return true;
    PENSTOCK_ASSIGN(const bool opened, OpenNext());
    if (!opened) return true;
  }
}

auto FollowLog(const fs::path& folder, int output, const LogReader::Handler& handler) -> base::Status {
  const base::UniqueFd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify) return base::SystemError("watch for changes");
  if (::inotify_add_watch(inotify.get(), folder.c_str(), IN_CREATE | IN_MODIFY) < 0)
    return base::SystemError(fmt::format("watch '{}'", folder.string()));
  PENSTOCK_ASSIGN(const auto ended, WatchEnd(folder));
  LogReader reader(folder);
  std::array<pollfd, 3> waits{{{.fd = inotify.get(), .events = POLLIN, .revents = 0},
                               {.fd = ended->get(), .events = POLLIN, .revents = 0},
                               {.fd = output, .events = 0, .revents = 0}}};
  for (bool last = false;;) {
    PENSTOCK_ASSIGN(const bool more, reader.ReadNew(handler));
    if (!more || last) return {};
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return base::SystemError("wait for changes");
    Discard(inotify.get());
    last = (waits[1].revents & POLLIN) != 0;  // and once more what was written before the end
    if ((waits[2].revents & POLLERR) != 0) return {};
  }
}

}  // namespace penstock::observe
