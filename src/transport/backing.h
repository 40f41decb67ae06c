// Makes sure that a chunk has memory behind it before anyone writes to it: in a realm whose quota or whose host's
// memory is used up, the write would be a SIGBUS. Lives on the node's thread.
#pragma once

#include <cstddef>
#include <span>
#include <unordered_map>

#include "base/error.h"

namespace penstock::transport {

class Backing final {
 public:
  /// `slots` chunks may exist; a page of each is kept free for the headers that iceoryx2 writes itself.
  Backing(int realm_number, std::size_t slots) : realm_(realm_number), slots_(slots) {}

  /// Costs a look-up once the chunk has been as large before; pages of a realm are never given back.
  /// Errors: kExhausted, saying what is left and which limit to raise.
  auto Ensure(std::span<std::byte> chunk) -> base::Status;

 private:
  int realm_;
  std::size_t slots_;
  std::unordered_map<const std::byte*, std::size_t> backed_;  // bytes from each chunk's start
};

}  // namespace penstock::transport
