#include "docker/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace penstock::docker {
namespace {
using base::ErrorCode;
using base::Fail;

struct ArchiveDeleter {
  void operator()(archive* tar) const noexcept { archive_write_free(tar); }
};
struct EntryDeleter {
  void operator()(archive_entry* entry) const noexcept { archive_entry_free(entry); }
};

auto Append(archive* /*tar*/, void* bytes, const void* data, std::size_t size) -> la_ssize_t {
  static_cast<std::string*>(bytes)->append(static_cast<const char*>(data), size);
  return static_cast<la_ssize_t>(size);
}

auto Problem(archive* tar) -> std::string {
  const char* text = archive_error_string(tar);
  return text == nullptr ? "out of memory" : text;
}

auto Write(archive* tar, const TarEntry& from) -> base::Status {
  const std::unique_ptr<archive_entry, EntryDeleter> entry(archive_entry_new());
  if (!entry) return Fail(ErrorCode::kExhausted, "cannot make a tar: out of memory");
  archive_entry_set_pathname(entry.get(), from.path.c_str());
  archive_entry_set_perm(entry.get(), from.mode);
  archive_entry_set_uid(entry.get(), 0);
  archive_entry_set_gid(entry.get(), 0);
  archive_entry_set_mtime(entry.get(), 0, 0);
  if (!from.link_target.empty()) {
    archive_entry_set_filetype(entry.get(), AE_IFLNK);
    archive_entry_set_symlink(entry.get(), from.link_target.c_str());
  } else if (from.path.ends_with('/')) {
    archive_entry_set_filetype(entry.get(), AE_IFDIR);
  } else {
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(from.content.size()));
  }
  if (archive_write_header(tar, entry.get()) != ARCHIVE_OK) {
    return Fail(ErrorCode::kInvalidArgument, "cannot put '{}' into a tar: {}", from.path, Problem(tar));
  }
  if (from.content.empty() || archive_entry_filetype(entry.get()) != AE_IFREG) return {};
  const auto written = archive_write_data(tar, from.content.data(), from.content.size());
  if (written != static_cast<la_ssize_t>(from.content.size())) {
    return Fail(ErrorCode::kInternal, "cannot put '{}' into a tar: {}", from.path, Problem(tar));
  }
  return {};
}
}  // namespace

auto MakeTar(std::vector<TarEntry> entries) -> base::Expected<std::string> {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& path = entries[i].path;
    if (path.empty() || path.starts_with('/')) {
      return Fail(ErrorCode::kInvalidArgument, "'{}' is not a relative path, as a tar needs it", path);
    }
    if (i > 0 && path == entries[i - 1].path) {
      return Fail(ErrorCode::kInvalidArgument, "'{}' is twice in a tar", path);
    }
  }
  std::string bytes;
  const std::unique_ptr<archive, ArchiveDeleter> tar(archive_write_new());
  if (!tar || archive_write_set_format_pax_restricted(tar.get()) != ARCHIVE_OK ||
      archive_write_open(tar.get(), &bytes, nullptr, &Append, nullptr) != ARCHIVE_OK) {
    return Fail(ErrorCode::kExhausted, "cannot make a tar: {}", tar ? Problem(tar.get()) : "out of memory");
  }
  for (const auto& entry : entries) PENSTOCK_TRY(Write(tar.get(), entry));
  if (archive_write_close(tar.get()) != ARCHIVE_OK) {
    return Fail(ErrorCode::kInternal, "cannot finish a tar: {}", Problem(tar.get()));
  }
  return bytes;
}

}  // namespace penstock::docker
