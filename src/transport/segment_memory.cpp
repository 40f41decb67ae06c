#include "transport/segment_memory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <limits>
#include <string>
#include <utility>

#include "base/count.h"

namespace penstock::transport {
namespace {
using base::ErrorCode;
using base::Fail;

constexpr auto kMebibyte = std::uint64_t{1024} * 1024;
// Of every realm, for the library's own files: queues and tables that grow as participants come and go.
constexpr std::uint64_t kReservedInRealm = kMebibyte;
// Of the host's memory: the kernel kills somebody before a last megabyte is found.
constexpr std::uint64_t kReservedOnHost = 64 * kMebibyte;

struct Left {
  std::uint64_t in_realm = 0;
  std::uint64_t on_host = 0;

  // Chunks that may never be used get at most half of what others could need, too.
  auto budget() const -> Budget {
    return {.for_all = std::min(in_realm, on_host / 2), .for_one = std::min(in_realm, on_host)};
  }
};

auto Minus(std::uint64_t a, std::uint64_t b) -> std::uint64_t { return a > b ? a - b : 0; }

auto LeftInRealm(const base::UniqueFd& segment) -> base::Expected<std::uint64_t> {
  struct statvfs realm{};
  if (::fstatvfs(segment.get(), &realm) != 0) return base::SystemError("ask how much shared memory is left");
  // A realm without a quota says that it has no blocks at all.
  if (realm.f_blocks == 0) return std::numeric_limits<std::uint64_t>::max();
  return Minus(std::uint64_t{realm.f_bavail} * realm.f_frsize, kReservedInRealm);
}

// What the kernel could free without swapping.
auto LeftOnHost() -> std::uint64_t {
  std::ifstream info("/proc/meminfo");
  std::string name;
  for (std::uint64_t kilobytes = 0; info >> name >> kilobytes;) {
    if (name == "MemAvailable:") return Minus(kilobytes * 1024, kReservedOnHost);
    std::getline(info, name);
  }
  return std::numeric_limits<std::uint64_t>::max();
}

auto Allocate(const base::UniqueFd& segment, Holdings::Range range) -> base::Status {
  if (range.bytes == 0) return {};
  // The size stays as it is: a peer that has cut the file short does not get it back from us.
  while (::fallocate(segment.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(range.offset),
                     static_cast<off_t>(range.bytes)) != 0) {
    if (errno != EINTR) return base::SystemError("take shared memory from the host");
  }
  return {};
}

auto Refused(std::uint64_t bytes, const Left& left) -> tl::unexpected<base::Error> {
  if (left.on_host < left.in_realm) {
    return Fail(ErrorCode::kOverQuota,
                "a message of {} does not fit into the memory that this host has left ({} MiB): end something "
                "else, or lower depth or max_held of the edges",
                base::Count(bytes, "byte"), left.on_host / kMebibyte);
  }
  return Fail(ErrorCode::kOverQuota,
              "a message of {} does not fit into the shared memory that is left ({} KiB): raise the session's "
              "shm_quota_mb, declare expected_bytes where messages are large, or lower depth or max_held of the edges",
              base::Count(bytes, "byte"), left.in_realm / 1024);
}

auto NotASegment(std::string_view why) -> tl::unexpected<base::Error> {
  return Fail(ErrorCode::kPeerCorrupt, "what was sent as the segment of an output {}", why);
}

}  // namespace

auto SegmentMemory::Adopt(base::UniqueFd segment, const SegmentLayout& layout, int realm, SegmentPromise promise)
    -> base::Expected<SegmentMemory> {
  struct stat file{};
  struct stat root{};
  if (::fstat(segment.get(), &file) != 0) return base::SystemError("look at the segment of an output");
  if (::fstat(realm, &root) != 0) return base::SystemError("look at a realm");
  if (!S_ISREG(file.st_mode)) return NotASegment("is no regular file");
  if (file.st_dev != root.st_dev) return NotASegment("is a file outside of the output's realm");
  const int mode = ::fcntl(segment.get(), F_GETFL);
  if (mode < 0 || (mode & O_ACCMODE) != O_RDWR) return NotASegment("cannot be written to");
  if (layout.chunks != promise.chunks) return NotASegment("has another number of chunks than the plan");
  const auto size = static_cast<std::uint64_t>(file.st_size);
  std::uint64_t end = 0;
  if (layout.header_bytes > layout.stride || layout.stride - layout.header_bytes < promise.max_message_bytes ||
      __builtin_mul_overflow(layout.stride, layout.chunks, &end) || __builtin_add_overflow(end, layout.first, &end) ||
      end > size) {
    return NotASegment("has no room for its chunks");
  }
  return SegmentMemory(std::move(segment), layout, promise);
}

auto SegmentMemory::Prepare(std::uint64_t bytes) -> base::Expected<Grant> {
  PENSTOCK_ASSIGN(const auto in_realm, LeftInRealm(fd_));
  const Left left{.in_realm = in_realm, .on_host = LeftOnHost()};
  if (held_.MissingInAll(bytes) > left.budget().for_one || !TakeAll(0, bytes)) {
    auto refused = Refused(bytes, left);
    return tl::unexpected(std::move(refused.value()).While(fmt::format("preparing {} chunks", promise_.chunks)));
  }
  return Grant{.every = held_.every(), .chunk = held_.every()};
}

auto SegmentMemory::Grow(std::uint32_t chunk, std::uint64_t bytes) -> base::Expected<Grant> {
  if (chunk >= promise_.chunks || bytes > promise_.max_message_bytes) {
    return Fail(ErrorCode::kPeerCorrupt, "a worker asked for {} bytes behind chunk {} of a port that has {} of {}",
                bytes, chunk, promise_.chunks, promise_.max_message_bytes);
  }
  PENSTOCK_ASSIGN(const auto in_realm, LeftInRealm(fd_));
  const Left left{.in_realm = in_realm, .on_host = LeftOnHost()};
  const auto decision = Decide(held_, chunk, bytes, promise_.max_message_bytes, left.budget());
  switch (decision.scope) {
    case Decision::Scope::kRefused:
      return Refused(bytes, left);
    case Decision::Scope::kNothing:
      break;
    case Decision::Scope::kAll:
      // Somebody may have been faster: then what was got has to do for the one that asked.
      if (!TakeAll(chunk, decision.bytes) && held_.Of(chunk) < bytes) return Refused(bytes, left);
      break;
    case Decision::Scope::kOne:
      if (!Take(chunk, decision.bytes)) return Refused(bytes, left);
      break;
  }
  return Grant{.every = held_.every(), .chunk = held_.Of(chunk)};
}

auto SegmentMemory::Take(std::uint32_t chunk, std::uint64_t bytes) -> base::Status {
  PENSTOCK_TRY(Allocate(fd_, held_.Missing(chunk, bytes)));
  held_.Raise(chunk, bytes);
  return {};
}

auto SegmentMemory::TakeAll(std::uint32_t first, std::uint64_t bytes) -> base::Status {
  for (std::uint32_t i = 0; i < promise_.chunks; ++i) PENSTOCK_TRY(Take((first + i) % promise_.chunks, bytes));
  held_.RaiseAll(bytes);
  return {};
}

}  // namespace penstock::transport
