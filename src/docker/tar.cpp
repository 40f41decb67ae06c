#include "docker/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/unique_fd.h"

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

// What libarchive's callbacks see: the sink, and what it failed with.
struct Out {
  const TarSink& sink;
  base::Status result{};
};

auto Append(archive* tar, void* data, const void* bytes, std::size_t size) -> la_ssize_t {
  auto& out = *static_cast<Out*>(data);
  out.result = out.sink({static_cast<const char*>(bytes), size});
  if (out.result) return static_cast<la_ssize_t>(size);
  archive_set_error(tar, EIO, "the reader of the tar has failed");
  return -1;
}

auto Problem(archive* tar) -> std::string {
  const char* text = archive_error_string(tar);
  return text == nullptr ? "out of memory" : text;
}

auto WriteData(archive* tar, const TarEntry& from, std::string_view piece) -> base::Status {
  if (piece.empty()) return {};
  const auto written = archive_write_data(tar, piece.data(), piece.size());
  if (written == static_cast<la_ssize_t>(piece.size())) return {};
  return Fail(ErrorCode::kInternal, "cannot put '{}' into a tar: {}", from.path, Problem(tar));
}

auto WriteSource(archive* tar, const TarEntry& from) -> base::Status {
  const base::UniqueFd file(::open(from.source.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW));
  if (!file) return base::SystemError(fmt::format("open '{}'", from.source.string()));
  const auto changed = [&] {
    return Fail(ErrorCode::kConflict, "'{}' was changed while it was being read; try again", from.source.string());
  };
  constexpr std::size_t kPiece = 65536;
  std::vector<char> piece(kPiece);
  std::uint64_t done = 0;
  for (;;) {
    const auto size = ::read(file.get(), piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return base::SystemError(fmt::format("read '{}'", from.source.string()));
    if (size == 0) break;
    done += static_cast<std::uint64_t>(size);
    if (done > from.source_bytes) return changed();
    PENSTOCK_TRY(WriteData(tar, from, {piece.data(), static_cast<std::size_t>(size)}));
  }
  if (done != from.source_bytes) return changed();
  return {};
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
    const auto size = from.source.empty() ? from.content.size() : from.source_bytes;
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size));
  }
  if (archive_write_header(tar, entry.get()) != ARCHIVE_OK) {
    return Fail(ErrorCode::kInvalidArgument, "cannot put '{}' into a tar: {}", from.path, Problem(tar));
  }
  if (archive_entry_filetype(entry.get()) != AE_IFREG) return {};
  return from.source.empty() ? WriteData(tar, from, from.content) : WriteSource(tar, from);
}

auto WriteSorted(const std::vector<TarEntry>& entries, Out& out) -> base::Status {
  const std::unique_ptr<archive, ArchiveDeleter> tar(archive_write_new());
  if (!tar || archive_write_set_format_pax_restricted(tar.get()) != ARCHIVE_OK ||
      archive_write_open(tar.get(), &out, nullptr, &Append, nullptr) != ARCHIVE_OK) {
    return Fail(ErrorCode::kExhausted, "cannot make a tar: {}", tar ? Problem(tar.get()) : "out of memory");
  }
  for (const auto& entry : entries) {
    auto written = Write(tar.get(), entry);
    if (!out.result) return out.result;  // says more than what libarchive makes of it
    if (!written) return written;
  }
  if (archive_write_close(tar.get()) == ARCHIVE_OK) return {};
  if (!out.result) return out.result;
  return Fail(ErrorCode::kInternal, "cannot finish a tar: {}", Problem(tar.get()));
}

}  // namespace

auto MakeTar(std::vector<TarEntry> entries) -> base::Expected<std::string> {
  std::string bytes;
  PENSTOCK_TRY(WriteTar(std::move(entries), [&](std::string_view piece) -> base::Status {
    bytes.append(piece);
    return {};
  }));
  return bytes;
}

auto WriteTar(std::vector<TarEntry> entries, const TarSink& sink) -> base::Status {
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
  Out out{.sink = sink};
  return WriteSorted(entries, out);
}

}  // namespace penstock::docker
