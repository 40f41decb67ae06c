#include "transport/segment.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <bit>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>

namespace penstock::transport {
namespace {
using base::ErrorCode;
using base::Fail;

struct FileMapping {
  std::uintptr_t begin = 0;
  std::uint64_t offset = 0;  // of `begin` in the file
  ino_t inode = 0;
  std::string name;  // without folders
};

// The mapping that covers `address`. The kernel's list is the one place that says which file backs an address.
auto MappingAt(std::uintptr_t address) -> std::optional<FileMapping> {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    FileMapping mapping;
    std::uintptr_t end = 0;
    int path = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %*s %" SCNx64 " %*s %ju%n", &mapping.begin, &end,
                    &mapping.offset, &mapping.inode, &path) < 4) {
      continue;
    }
    if (address < mapping.begin || address >= end) continue;
    mapping.name = line.substr(line.rfind('/') + 1);
    return mapping;
  }
  return std::nullopt;
}

}  // namespace

auto Segment::ChunkOf(const std::byte* payload) const noexcept -> std::uint64_t {
  // Wraps around to a large number below the first chunk.
  return (static_cast<std::uint64_t>(payload - base) - layout.header_bytes - layout.first) / layout.stride;
}

auto FindSegment(int realm_number, const std::byte* chunk, SegmentLayout layout) -> base::Expected<Segment> {
  const auto address = std::bit_cast<std::uintptr_t>(chunk);
  const auto mapping = MappingAt(address);
  if (!mapping || mapping->inode == 0)
    return Fail(ErrorCode::kInternal, "a chunk of shared memory is in no file that this process has mapped");
  Segment segment{
      .fd = base::UniqueFd(::openat(realm_number, mapping->name.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)),
      .layout = layout,
      .base = chunk - (address - mapping->begin) - mapping->offset};
  struct stat file{};
  if (!segment.fd || ::fstat(segment.fd.get(), &file) != 0)
    return base::SystemError(fmt::format("open the segment '{}' of a realm", mapping->name));
  if (file.st_ino != mapping->inode)
    return Fail(ErrorCode::kInternal, "the file '{}' of a realm is not the one that is mapped", mapping->name);
  segment.layout.first = static_cast<std::uint64_t>(chunk - segment.base);
  return segment;
}

}  // namespace penstock::transport
