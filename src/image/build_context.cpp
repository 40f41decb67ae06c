#include "image/build_context.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <system_error>

#include "base/file.h"
#include "base/paths.h"
#include "base/sha256.h"
#include "image/ignore_file.h"

namespace penstock::image {
namespace fs = std::filesystem;
using base::ErrorCode;
using base::Expected;
using base::Fail;
using base::Status;
namespace {

constexpr std::size_t kLargestIgnoreFile = std::size_t{1} << 20U;
constexpr auto kIgnoreFile = ".dockerignore";
constexpr mode_t kModeBits = 07777;
constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20U;
constexpr std::size_t kLargestShown = 3;

// Which one holds, relative to the context; it need not exist. One of the Dockerfile's own takes the place of the
// common one.
auto IgnoreFileOf(const fs::path& context, const std::string& dockerfile) -> std::string {
  std::error_code error;
  auto own = dockerfile + kIgnoreFile;
  return fs::exists(context / own, error) ? own : std::string(kIgnoreFile);
}

auto ReadIgnoreFile(const fs::path& file) -> Expected<IgnoreFile> {
  std::error_code error;
  if (!fs::exists(file, error)) return IgnoreFile();
  PENSTOCK_ASSIGN(const auto text, base::ReadFile(file, kLargestIgnoreFile));
  auto parsed = IgnoreFile::Parse(text);
  if (parsed) return parsed;
  return Fail(ErrorCode::kInvalidArgument, "'{}', {}", file.string(), parsed.error().message());
}

class Collector final {
 public:
  Collector(fs::path root, std::string dockerfile, std::string ignore_file, IgnoreFile ignore)
      : root_(std::move(root)),
        dockerfile_(std::move(dockerfile)),
        ignore_file_(std::move(ignore_file)),
        ignore_(std::move(ignore)) {}

  auto Walk(const fs::path& folder) -> Status {
    std::error_code error;
    fs::directory_iterator files(folder, error);
    for (; !error && files != fs::directory_iterator(); files.increment(error)) PENSTOCK_TRY(Take(files->path()));
    if (!error) return {};
    return Fail(error == std::errc::permission_denied ? ErrorCode::kPermission : ErrorCode::kUnavailable,
                "cannot read the folder '{}' of the build context: {}; make it readable, or name it in {}",
                folder.string(), error.message(), ignore_file_);
  }
  auto entries() -> std::vector<docker::TarEntry>& { return entries_; }

 private:
  auto Take(const fs::path& file) -> Status {
    const auto path = file.lexically_relative(root_).string();
    struct stat status{};
    if (::lstat(file.c_str(), &status) != 0) return base::SystemError(fmt::format("look at '{}'", file.string()));
    const bool is_read = path == dockerfile_ || (path == kIgnoreFile && path == ignore_file_);
    const bool ignored = !is_read && ignore_.Ignores(path);
    if (S_ISDIR(status.st_mode)) {
      if (!ignored) entries_.push_back({.path = path + "/", .mode = status.st_mode & kModeBits});
      const bool look_inside = !ignored || ignore_.has_exceptions() || dockerfile_.starts_with(path + "/");
      return look_inside ? Walk(file) : Status();
    }
    if (ignored || S_ISSOCK(status.st_mode)) return {};
    if (S_ISLNK(status.st_mode)) {
      std::error_code error;
      const auto target = fs::read_symlink(file, error);
      if (error) return Fail(ErrorCode::kUnavailable, "cannot read the link '{}': {}", file.string(), error.message());
      entries_.push_back({.path = path, .mode = status.st_mode & kModeBits, .link_target = target.string()});
      return {};
    }
    if (!S_ISREG(status.st_mode)) {
      return Fail(ErrorCode::kInvalidArgument, "'{}' is neither a file nor a folder; name it in {}", file.string(),
                  ignore_file_);
    }
    entries_.push_back({.path = path,
                        .mode = status.st_mode & kModeBits,
                        .source = file,
                        .source_bytes = static_cast<std::uint64_t>(status.st_size)});
    return {};
  }

  fs::path root_;
  std::string dockerfile_;
  std::string ignore_file_;
  IgnoreFile ignore_;
  std::vector<docker::TarEntry> entries_;
};

// Bytes of every file and, summed up, of every folder, whose path ends in '/'.
using Sizes = std::map<std::string, std::uint64_t>;

auto SizesOf(const std::vector<docker::TarEntry>& entries) -> Sizes {
  Sizes sizes;
  for (const auto& entry : entries) {
    if (entry.source_bytes == 0) continue;
    for (auto slash = entry.path.find('/'); slash != std::string::npos; slash = entry.path.find('/', slash + 1)) {
      sizes[entry.path.substr(0, slash + 1)] += entry.source_bytes;
    }
    sizes[entry.path] += entry.source_bytes;
  }
  return sizes;
}

// What `folder` holds itself, the largest first; "" is the context.
auto Within(const Sizes& sizes, const std::string& folder) -> std::vector<std::string> {
  std::vector<std::string> children;
  for (auto at = sizes.upper_bound(folder); at != sizes.end() && at->first.starts_with(folder); ++at) {
    const auto slash = at->first.find('/', folder.size());
    if (slash == std::string::npos || slash + 1 == at->first.size()) children.push_back(at->first);
  }
  std::ranges::stable_sort(children, std::ranges::greater(), [&](const auto& child) { return sizes.at(child); });
  return children;
}

// Where most of a folder's size comes from: seldom all of "src/" is too much.
auto Culprit(const Sizes& sizes, std::string path) -> std::string {
  while (path.ends_with('/')) {
    auto children = Within(sizes, path);
    if (sizes.at(children.front()) < sizes.at(path) / 10 * 8) break;
    path = std::move(children.front());
  }
  return path;
}

auto TooLarge(const fs::path& context, const fs::path& ignore_file, const std::vector<docker::TarEntry>& entries,
              std::uint64_t bytes) -> tl::unexpected<base::Error> {
  const auto sizes = SizesOf(entries);
  std::string largest;
  auto names = Within(sizes, {});
  names.resize(std::min(names.size(), kLargestShown));
  for (const auto& name : names) {
    const auto culprit = Culprit(sizes, name);
    largest += fmt::format("{}{} ({} MB)", largest.empty() ? "" : ", ", culprit, sizes.at(culprit) / kMebibyte);
  }
  return Fail(ErrorCode::kInvalidArgument,
              "the build context '{}' has {} MB, more than {}; add to '{}' what its Dockerfile does not need. The "
              "largest in it: {}",
              context.string(), bytes / kMebibyte, BuildContext::kLargestBytes / kMebibyte, ignore_file.string(),
              largest);
}

auto WriteAll(int file, std::string_view rest) -> Status {
  while (!rest.empty()) {
    const auto written = ::write(file, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return base::SystemError("write the build context");
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

auto BuildContext::Collect(const ImageBuild& build) -> Expected<BuildContext> {
  std::error_code error;
  if (!fs::is_directory(build.context, error)) {
    return Fail(ErrorCode::kNotFound, "the build context '{}' is no directory", build.context.string());
  }
  const auto dockerfile = fs::path(build.dockerfile).lexically_normal().string();
  if (!fs::is_regular_file(build.context / dockerfile, error)) {
    return Fail(ErrorCode::kNotFound, "the build context '{}' has no Dockerfile '{}'; 'dockerfile' names another one",
                build.context.string(), build.dockerfile);
  }
  const auto ignore_file = IgnoreFileOf(build.context, dockerfile);
  PENSTOCK_ASSIGN(auto ignore, ReadIgnoreFile(build.context / ignore_file));
  Collector collector(build.context, dockerfile, ignore_file, std::move(ignore));
  PENSTOCK_TRY(collector.Walk(build.context));
  BuildContext context;
  context.entries_ = std::move(collector.entries());
  std::uint64_t bytes = 0;
  for (const auto& entry : context.entries_) bytes += entry.source_bytes;
  if (bytes > kLargestBytes) return TooLarge(build.context, build.context / ignore_file, context.entries_, bytes);
  return context;
}

auto BuildContext::Digest() const -> Expected<std::string> {
  base::Sha256Stream digest;
  PENSTOCK_TRY(docker::WriteTar(entries_, [&](std::string_view piece) -> Status {
    digest.Add(piece);
    return {};
  }));
  return digest.Finish();
}

auto BuildContext::Spool(const std::string& digest) const -> Expected<base::UniqueFd> {
  PENSTOCK_ASSIGN(const auto folder, base::CacheDirectory());
  base::UniqueFd file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file) return base::SystemError(fmt::format("make a file in '{}'", folder.string()));
  base::Sha256Stream sent;
  PENSTOCK_TRY(docker::WriteTar(entries_, [&](std::string_view piece) -> Status {
    sent.Add(piece);
    return WriteAll(file.get(), piece);
  }));
  if (sent.Finish() != digest) {
    return Fail(ErrorCode::kConflict, "the build context was changed while it was being read; try again");
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return base::SystemError("rewind the build context");
  return file;
}

}  // namespace penstock::image
