#include "image/build_log.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

#include "base/log.h"
#include "base/paths.h"

namespace penstock::image {
namespace {
using base::Expected;
using base::UniqueFd;

auto Open(const std::string& identity, int flags) -> Expected<UniqueFd> {
  PENSTOCK_ASSIGN(const auto path, BuildLogPath(identity));
  UniqueFd file(::open(path.c_str(), flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return base::SystemError(fmt::format("open '{}'", path.string()));
  return file;
}

// Reads what has been appended since the last time, and knows the step and the line that are the newest.
class Reader final {
 public:
  Reader(UniqueFd file, std::string subject, const ProgressSink& progress)
      : file_(std::move(file)), subject_(std::move(subject)), progress_(progress) {}

  void ReadOn() {
    struct stat status{};
    // A build that follows a killed one empties the file.
    if (::fstat(file_.get(), &status) == 0 && status.st_size < offset_) offset_ = 0;
    bool read_any = false;
    for (;;) {
      std::array<char, 16384> piece{};
      const auto size = ::pread(file_.get(), piece.data(), piece.size(), offset_);
      if (size <= 0) break;
      offset_ += size;
      read_any = true;
      Take({piece.data(), static_cast<std::size_t>(size)});
    }
    if (read_any) progress_({subject_, step_, line_});
  }

 private:
  void Take(std::string_view text) {
    for (;;) {
      const auto end = text.find('\n');
      rest_.append(text.substr(0, end));
      if (end == std::string_view::npos) return;
      if (rest_.starts_with(kStepMark)) {
        step_ = rest_.substr(kStepMark.size());
        line_.clear();
      } else {
        line_ = rest_;
      }
      rest_.clear();
      text.remove_prefix(end + 1);
    }
  }

  UniqueFd file_;
  std::string subject_;
  const ProgressSink& progress_;
  off_t offset_ = 0;
  std::string rest_;
  std::string step_;
  std::string line_;
};

void Follow(Reader reader, const UniqueFd& changes, const UniqueFd& end) {
  std::array<pollfd, 2> waits{pollfd{changes.get(), POLLIN, 0}, pollfd{end.get(), POLLIN, 0}};
  for (;;) {
    reader.ReadOn();
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return;
    if (waits[1].revents != 0) return;
    alignas(inotify_event) std::array<char, 4096> events{};
    static_cast<void>(::read(changes.get(), events.data(), events.size()));  // that something changed is all they say
  }
}

}  // namespace

auto BuildLogPath(const std::string& identity) -> Expected<std::filesystem::path> {
  PENSTOCK_ASSIGN(const auto state, base::StateDirectory());
  const auto directory = state / "builds";
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return base::SystemError(fmt::format("make '{}'", directory.string()));
  }
  return directory / (identity + ".log");
}

auto BuildLog::Create(const std::string& identity) -> Expected<BuildLog> {
  PENSTOCK_ASSIGN(auto file, Open(identity, O_WRONLY | O_APPEND | O_TRUNC));
  return BuildLog(std::move(file));
}

void BuildLog::Write(std::string line) {
  line.push_back('\n');
  std::string_view rest = line;
  while (!rest.empty()) {
    const auto written = ::write(file_.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

auto BuildFollower::Start(const std::string& identity, std::string subject, const ProgressSink& progress)
    -> Expected<BuildFollower> {
  PENSTOCK_ASSIGN(auto file, Open(identity, O_RDONLY));
  PENSTOCK_ASSIGN(const auto path, BuildLogPath(identity));
  UniqueFd changes(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!changes || ::inotify_add_watch(changes.get(), path.c_str(), IN_MODIFY) < 0) {
    return base::SystemError(fmt::format("watch '{}'", path.string()));
  }
  UniqueFd end(::eventfd(0, EFD_CLOEXEC));
  if (!end) return base::SystemError("make an eventfd");
  PENSTOCK_ASSIGN(auto end_of_thread, end.Duplicate());
  std::jthread thread(
      [reader = Reader(std::move(file), std::move(subject), progress), changes = std::move(changes),
       end_of_thread = std::move(end_of_thread)]() mutable { Follow(std::move(reader), changes, end_of_thread); });
  return BuildFollower(std::move(end), std::move(thread));
}

BuildFollower::~BuildFollower() {
  constexpr std::uint64_t kOne = 1;
  if (end_ && ::write(end_.get(), &kOne, sizeof kOne) < 0) {
    base::Log(base::LogLevel::kWarning, "cannot end the following of a build");
  }
}

}  // namespace penstock::image
