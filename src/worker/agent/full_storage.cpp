#include "worker/agent/full_storage.h"

#include <mntent.h>
#include <sys/statvfs.h>

#include <cstdio>
#include <cstring>
#include <memory>

namespace penstock::worker::agent {
namespace {

struct TableCloser {
  void operator()(std::FILE* table) const noexcept { ::endmntent(table); }
};

}  // namespace

auto FullFileSystems(const std::string& table) -> std::vector<FullFileSystem> {
  std::vector<FullFileSystem> full;
  const std::unique_ptr<std::FILE, TableCloser> mounts(::setmntent(table.c_str(), "re"));
  if (!mounts) return full;
  // What is left may be less than the write that failed needed.
  constexpr unsigned long long kRest = 64ULL * 1024;
  // The agent is single-threaded; the runtime does not call this.
  while (const auto* mount = ::getmntent(mounts.get())) {  // NOLINT(concurrency-mt-unsafe)
    if (std::strcmp(mount->mnt_type, "tmpfs") != 0 || ::hasmntopt(mount, MNTOPT_RW) == nullptr) continue;
    struct statvfs room{};
    if (::statvfs(mount->mnt_dir, &room) != 0 || room.f_blocks == 0) continue;
    if (static_cast<unsigned long long>(room.f_bavail) * room.f_frsize > kRest) continue;
    full.push_back({.path = mount->mnt_dir, .bytes = static_cast<std::uint64_t>(room.f_blocks) * room.f_frsize});
  }
  return full;
}

}  // namespace penstock::worker::agent
