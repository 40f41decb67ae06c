#include "transport/segment.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <bit>
#include <functional>
#include <optional>
#include <string>

#include "transport/file_mappings.h"

namespace penstock::transport {
namespace {
using base::ErrorCode;
using base::Fail;

struct Found {
  FileMapping mapping;
  std::string name;
};

// The mapping that covers `address`.
auto MappingAt(std::uintptr_t address) -> std::optional<Found> {
  std::optional<Found> found;
  ForEachMapping([&](const FileMapping& mapping) {
    if (address < mapping.begin || address >= mapping.end) return true;
    found = Found{.mapping = mapping, .name = std::string(mapping.name)};
    return false;
  });
  return found;
}

}  // namespace

auto Segment::Contains(std::span<const std::byte> payload) const noexcept -> bool {
  const auto* first = base + layout.first + layout.header_bytes;
  const auto* end = base + layout.first + layout.stride * layout.chunks;
  // As addresses: a peer can make these any.
  return std::less_equal<>()(first, payload.data()) && std::less_equal<>()(payload.data(), end) &&
         payload.size() <= static_cast<std::size_t>(end - payload.data());
}

auto Segment::ChunkOf(const std::byte* payload) const noexcept -> std::uint64_t {
  // Wraps around to a large number below the first chunk.
  return (static_cast<std::uint64_t>(payload - base) - layout.header_bytes - layout.first) / layout.stride;
}

auto FindSegment(int realm_number, const std::byte* chunk, SegmentLayout layout) -> base::Expected<Segment> {
  const auto address = std::bit_cast<std::uintptr_t>(chunk);
  const auto found = MappingAt(address);
  if (!found || found->mapping.inode == 0)
    return Fail(ErrorCode::kInternal, "a chunk of shared memory is in no file that this process has mapped");
  const auto& [mapping, name] = *found;
  Segment segment{
      .fd = base::UniqueFd(::openat(realm_number, name.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)),
      .layout = layout,
      .base = chunk - (address - mapping.begin) - mapping.offset};
  struct stat file{};
  if (!segment.fd || ::fstat(segment.fd.get(), &file) != 0)
    return base::SystemError(fmt::format("open the segment '{}' of a realm", name));
  if (file.st_ino != mapping.inode)
    return Fail(ErrorCode::kInternal, "the file '{}' of a realm is not the one that is mapped", name);
  segment.layout.first = static_cast<std::uint64_t>(chunk - segment.base);
  return segment;
}

}  // namespace penstock::transport
