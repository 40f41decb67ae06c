#include "transport/file_mappings.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <bit>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>

namespace penstock::transport {

void ForEachMapping(const std::function<bool(const FileMapping&)>& look) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    FileMapping mapping;
    unsigned major = 0;
    unsigned minor = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %*s %" SCNx64 " %x:%x %ju", &mapping.begin, &mapping.end,
                    &mapping.offset, &major, &minor, &mapping.inode) < 6) {
      continue;
    }
    mapping.device = makedev(major, minor);
    mapping.name = std::string_view(line).substr(line.rfind('/') + 1);
    if (!look(mapping)) return;
  }
}

auto RealmMemory::Of(int realm_number) -> base::Expected<RealmMemory> {
  struct stat realm{};
  if (::fstat(realm_number, &realm) != 0) return base::SystemError("look at a realm");
  return RealmMemory(realm.st_dev);
}

auto RealmMemory::Knows(std::uintptr_t begin, std::uintptr_t end) const noexcept -> bool {
  return std::ranges::any_of(known_, [&](const Range& range) { return begin >= range.begin && end <= range.end; });
}

auto RealmMemory::Contains(std::span<const std::byte> bytes) -> bool {
  const auto begin = std::bit_cast<std::uintptr_t>(bytes.data());
  const auto end = begin + bytes.size();
  if (end < begin) return false;
  if (Knows(begin, end)) [[likely]]
    return true;
  known_.clear();
  ForEachMapping([this](const FileMapping& mapping) {
    if (mapping.device == device_ && mapping.inode != 0) known_.push_back({mapping.begin, mapping.end});
    return true;
  });
  return Knows(begin, end);
}

}  // namespace penstock::transport
