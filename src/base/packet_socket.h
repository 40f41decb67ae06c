// A SOCK_SEQPACKET Unix socket: whole packets, each with up to kMaxDescriptors descriptors.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "base/unique_fd.h"

namespace penstock::base {

struct Packet {
  std::string data;
  std::vector<UniqueFd> fds;
};

struct PeerCredentials {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

/// One end of a connection. Send and Receive may be called from two different threads.
class PacketSocket final {
 public:
  // What an unprivileged process may send with the default net.core.wmem_max.
  static constexpr std::size_t kMaxPacketBytes = std::size_t{192} * 1024;
  static constexpr std::size_t kMaxDescriptors = 250;  // the kernel's limit is 253 (SCM_MAX_FD)

  PacketSocket() = default;
  explicit PacketSocket(UniqueFd fd) : fd_(std::move(fd)) {}

  static auto Pair() -> Expected<std::pair<PacketSocket, PacketSocket>>;
  static auto Connect(const std::string& path, Deadline deadline) -> Expected<PacketSocket>;

  /// Errors: kPeerGone when the other end is closed; kInvalidArgument beyond the limits above.
  auto Send(std::string_view data, std::span<const int> fds = {}) const -> Status;
  /// Errors: kPeerGone at end of file; kDeadline; kPeerCorrupt for a truncated packet; kExhausted when this process has
  /// no numbers left for its descriptors, which are lost then.
  auto Receive(Deadline deadline) const -> Expected<Packet>;

  auto Credentials() const -> Expected<PeerCredentials>;
  auto fd() const noexcept -> const UniqueFd& { return fd_; }
  auto valid() const noexcept -> bool { return fd_.valid(); }
  void Close() noexcept { fd_.reset(); }
  auto Release() noexcept -> UniqueFd { return std::move(fd_); }

 private:
  UniqueFd fd_;
};

/// A bound and listening SOCK_SEQPACKET socket at `path` (replaced when it exists).
auto ListenPacket(const std::string& path, mode_t mode) -> Expected<UniqueFd>;
auto AcceptPacket(const UniqueFd& listener) -> Expected<PacketSocket>;

}  // namespace penstock::base
