// Which files are mapped where in this process: the kernel's list is the one place that says what backs an address.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace penstock::transport {

struct FileMapping {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  std::uint64_t offset = 0;  // of `begin` in the file
  dev_t device = 0;
  ino_t inode = 0;        // 0: no file
  std::string_view name;  // without folders
};

/// In the order of addresses, until `look` returns false. `name` is valid during the call only.
void ForEachMapping(const std::function<bool(const FileMapping&)>& look);

/// The addresses at which files of one realm are mapped. A peer can make the library hand out any address: what is not
/// in here is none of its messages. Lives on one thread.
class RealmMemory final {
 public:
  static auto Of(int realm_number) -> base::Expected<RealmMemory>;

  /// Two comparisons for bytes of a file that was seen before; otherwise looks again what is mapped.
  auto Contains(std::span<const std::byte> bytes) -> bool;
  /// What was seen may have been unmapped.
  void Forget() noexcept { known_.clear(); }

 private:
  struct Range {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
  };
  explicit RealmMemory(dev_t device) : device_(device) {}
  auto Knows(std::uintptr_t begin, std::uintptr_t end) const noexcept -> bool;

  dev_t device_;
  std::vector<Range> known_;
};

}  // namespace penstock::transport
