#include "transport/backing.h"

#include <sys/mman.h>
#include <sys/statvfs.h>

#include <bit>
#include <cstdint>

namespace penstock::transport {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kManagementPages = 64;  // queues and tables that grow as participants come
#ifdef MADV_POPULATE_WRITE
constexpr int kPopulateWrite = MADV_POPULATE_WRITE;
#else
constexpr int kPopulateWrite = 23;  // Linux 5.14; older C libraries lack the name
#endif

}  // namespace

auto Backing::Ensure(std::span<std::byte> chunk) -> base::Status {
  auto& backed = backed_[chunk.data()];
  if (backed >= chunk.size()) [[likely]]
    return {};
  const auto begin = (std::bit_cast<std::uintptr_t>(chunk.data()) + backed) / kPage * kPage;
  const auto end = (std::bit_cast<std::uintptr_t>(chunk.data()) + chunk.size() + kPage - 1) / kPage * kPage;
  struct statvfs realm{};
  if (::fstatvfs(realm_, &realm) != 0) return base::SystemError("ask how much shared memory is left");
  const auto needed = (end - begin) / kPage;
  const auto left = static_cast<std::size_t>(realm.f_bavail) * realm.f_frsize / kPage;
  // A realm without a quota says that it has no blocks at all.
  const bool fits = realm.f_blocks == 0 || left >= needed + slots_ + kManagementPages;
  // Populating fails where touching would be a SIGBUS.
  if (!fits || ::madvise(std::bit_cast<void*>(begin), end - begin, kPopulateWrite) != 0) {
    return base::Fail(base::ErrorCode::kExhausted,
                      "a message of {} bytes does not fit into the shared memory that is left ({} KiB): raise the "
                      "session's shm_quota_mb, or lower depth or max_held of the edges",
                      chunk.size(), left * kPage / 1024);
  }
  backed = chunk.size();
  return {};
}

}  // namespace penstock::transport
