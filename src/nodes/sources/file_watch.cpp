#include "nodes/sources/file_watch.h"

#include <fnmatch.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "nodes/forward.h"
#include "nodes/params.h"

namespace penstock::nodes::sources {
namespace fs = std::filesystem;
using base::ErrorCode;
using base::Fail;

namespace {

constexpr std::uint32_t kComplete = IN_CLOSE_WRITE | IN_MOVED_TO;
constexpr std::uint32_t kFolderGone = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED;

auto NotWatched(const fs::path& folder) -> base::Status {
  const int error = errno;
  const auto failed = base::SystemError(fmt::format("watch the folder '{}'", folder.string()), error);
  if (error != ENOSPC && error != EMFILE) return failed;
  return Fail(ErrorCode::kExhausted, "{}: this user watches as much as the host lets him: raise fs.inotify.{}",
              failed.value().message(), error == ENOSPC ? "max_user_watches" : "max_user_instances");
}

}  // namespace

auto FileWatch::Setup(const nlohmann::json& params) -> base::Status {
  ParamReader reader("file.watch", params);
  const auto path =
      reader.Required<std::string>("path", "the path of a folder", [](const auto& value) { return !value.empty(); });
  pattern_ = reader.Optional<std::string>(
      "pattern", "a pattern of names, such as \"*.wav\"", "*",
      [](const auto& value) { return !value.empty() && value.find('/') == std::string::npos; });
  const bool existing = reader.Optional<bool>("existing", "true or false", false);
  PENSTOCK_TRY(reader.Finish());
  folder_ = fs::absolute(path).lexically_normal();
  events_ = base::UniqueFd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!events_ ||
      ::inotify_add_watch(events_.get(), folder_.c_str(), kComplete | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR) < 0)
    return NotWatched(folder_);
  // After the watch has begun, so that no file falls between the two.
  return existing ? ListExisting() : base::Status();
}

auto FileWatch::Run(Context& context) -> base::Status {
  for (const auto& name : existing_) {
    if (context.stop_requested()) break;
    PENSTOCK_TRY(Send(context, name, "existing"));
  }
  for (;;) {
    PENSTOCK_ASSIGN(const bool readable, context.AwaitReadable(events_.get()));
    if (!readable) return {};
    PENSTOCK_TRY(ReadEvents(context));
  }
}

auto FileWatch::ListExisting() -> base::Status {
  std::error_code error;
  for (auto entry = fs::directory_iterator(folder_, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    std::error_code ignored;  // gone meanwhile
    if (entry->is_regular_file(ignored)) existing_.push_back(entry->path().filename().string());
  }
  if (error) return base::SystemError(fmt::format("read the folder '{}'", folder_.string()), error.value());
  std::ranges::sort(existing_);
  return {};
}

auto FileWatch::ReadEvents(Context& context) const -> base::Status {
  alignas(inotify_event) std::array<char, 16 * (sizeof(inotify_event) + NAME_MAX + 1)> buffer{};
  const auto got = ::read(events_.get(), buffer.data(), buffer.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  if (got < 0) return base::SystemError(fmt::format("read the events of the folder '{}'", folder_.string()));
  for (std::size_t at = 0; at < static_cast<std::size_t>(got) && !context.stop_requested();) {
    inotify_event event{};
    std::memcpy(&event, &buffer.at(at), sizeof(event));
    const std::string name = event.len == 0 ? "" : &buffer.at(at + sizeof(event));
    at += sizeof(event) + event.len;
    if ((event.mask & IN_Q_OVERFLOW) != 0) {
      return Fail(ErrorCode::kExhausted,
                  "more files appeared in '{}' at a time than the kernel keeps events for, and some were missed: raise "
                  "fs.inotify.max_queued_events, or give the connections more depth",
                  folder_.string());
    }
    if ((event.mask & kFolderGone) != 0)
      return Fail(ErrorCode::kNotFound, "the folder '{}' was removed or moved while it was watched", folder_.string());
    if ((event.mask & IN_ISDIR) != 0) continue;
    PENSTOCK_TRY(Send(context, name, (event.mask & IN_MOVED_TO) != 0 ? "moved" : "written"));
  }
  return {};
}

auto FileWatch::Send(Context& context, const std::string& name, const char* event) const -> base::Status {
  if (!Counts(name)) return {};
  const nlohmann::json value{{"path", (folder_ / name).string()}, {"event", event}};
  return SendText(context, "out", message::Kind::kJson,
                  value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

auto FileWatch::Counts(const std::string& name) const -> bool {
  return ::fnmatch(pattern_.c_str(), name.c_str(), FNM_PERIOD) == 0;
}

}  // namespace penstock::nodes::sources
