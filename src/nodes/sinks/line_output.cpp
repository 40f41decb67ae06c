#include "nodes/sinks/line_output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <optional>

#include "base/count.h"

namespace penstock::nodes::sinks {
namespace {

namespace fs = std::filesystem;

auto DeviceOf(const fs::path& path) -> std::optional<dev_t> {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return status.st_dev;
}

// "; the disk mounted at '/data' has 0 of 4096 MB free: …"; empty where that cannot be seen.
auto DiskOf(const std::string& path) -> std::string {
  constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20U;
  std::error_code error;
  auto mounted = fs::canonical(path, error).parent_path();
  struct statvfs disk{};
  const auto device = DeviceOf(mounted);
  if (error || !device || ::statvfs(mounted.c_str(), &disk) != 0) return {};
  while (mounted.has_relative_path() && DeviceOf(mounted.parent_path()) == device) mounted = mounted.parent_path();
  return fmt::format("; the disk mounted at '{}' has {} of {} MB free: make room there, or give the node another path",
                     mounted.string(), std::uint64_t{disk.f_bavail} * disk.f_frsize / kMebibyte,
                     std::uint64_t{disk.f_blocks} * disk.f_frsize / kMebibyte);
}

}  // namespace

auto LineOutput::Open(const std::string& path) -> base::Expected<LineOutput> { return OpenWith(path, O_TRUNC); }
auto LineOutput::Reopen(const std::string& path) -> base::Expected<LineOutput> { return OpenWith(path, 0); }

auto LineOutput::OpenWith(const std::string& path, int flags) -> base::Expected<LineOutput> {
  LineOutput output;
  output.path_ = path.empty() ? "standard output" : path;
  output.file_ = base::UniqueFd(path.empty() ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                                             : ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666));
  if (!output.file_) return base::SystemError(fmt::format("open '{}' for writing", output.path_));
  struct stat status{};
  if (::fstat(output.file_.get(), &status) != 0) return base::SystemError(fmt::format("look at '{}'", output.path_));
  output.is_file_ = !path.empty() && S_ISREG(status.st_mode);
  return output;
}

auto LineOutput::GoOnAfter(std::string_view written) -> base::Status {
  std::uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(written.data(), written.data() + written.size(), bytes);
  if (error != std::errc() || end != written.data() + written.size()) {
    return base::Fail(base::ErrorCode::kPeerCorrupt, "how far '{}' was written is not a number", path_);
  }
  struct stat status{};
  if (::fstat(file_.get(), &status) != 0) return base::SystemError(fmt::format("look at '{}'", path_));
  // Shorter: somebody has emptied or replaced it meanwhile, and what is left is left.
  written_ = std::min(bytes, static_cast<std::uint64_t>(status.st_size));
  const auto place = static_cast<off_t>(written_);
  if (::ftruncate(file_.get(), place) != 0 || ::lseek(file_.get(), place, SEEK_SET) != place)
    return base::SystemError(fmt::format("go on in '{}' after {}", path_, base::Count(written_, "byte")));
  return {};
}

auto LineOutput::Broken(int error) -> base::Status {
  is_broken_ = true;
  // Needs no room; a disk that refuses this too has the line cut.
  if (is_file_) static_cast<void>(::ftruncate(file_.get(), static_cast<off_t>(written_)));
  const auto failed = base::SystemError(fmt::format("write to '{}'", path_), error);
  if (error == EDQUOT)
    return base::Fail(base::ErrorCode::kExhausted, "{}; the quota of this user on that disk is used up",
                      failed.value().message());
  if (error != ENOSPC) return failed;
  return base::Fail(base::ErrorCode::kExhausted, "{}{}", failed.value().message(), DiskOf(path_));
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
      return Broken(errno);
    }
  }
  written_ += buffer_.size();
  return {};
}

}  // namespace penstock::nodes::sinks
