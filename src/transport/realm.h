// The private tmpfs that holds one output port's shared memory: a detached mount without a name anywhere.
//
// Whoever holds its descriptor can use it, nobody else can find it, `..` stays inside, and the kernel frees it with the
// last descriptor and mapping. Made in a private user namespace where the process is not privileged.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"

namespace penstock::transport {

class Realm final {
 public:
  /// `quota_bytes` bounds what peers can ever write into it. Errors: kUnavailable with the remedy when the host
  /// refuses user namespaces; kUnsupported for kernels older than 5.15.
  static auto Create(std::uint64_t quota_bytes) -> base::Expected<Realm>;

  auto fd() const noexcept -> const base::UniqueFd& { return fd_; }

 private:
  explicit Realm(base::UniqueFd fd) : fd_(std::move(fd)) {}
  base::UniqueFd fd_;
};

/// The root path by which every process that holds the realm at descriptor `number` names it. iceoryx2 stores the path,
/// so the number is the same in all of them.
auto RealmPath(int number) -> std::string;

}  // namespace penstock::transport
