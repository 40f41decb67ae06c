// Another process for tests: spawned, told what to do line by line, and killed at will.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"

namespace penstock::transport::testing {

// Descriptors in the peer.
inline constexpr int kPeerRealm = 300;  // and up, as in the test's own process
inline constexpr int kPeerProducerBell = 201;
inline constexpr int kPeerControl = 210;       // one for each edge
inline constexpr int kPeerConsumerBell = 230;  // one for each edge
// The pipeline that an echo answers on.
inline constexpr int kPeerReplyControl = 250;
inline constexpr int kPeerReplyConsumerBell = 251;
inline constexpr int kPeerReplyProducerBell = 252;
inline constexpr const char* kPeerService = "session_source_output";

struct PeerShape {
  int edges = 1;
  int realm = kPeerRealm;
  int reply_realm = -1;  // of an echo
  std::uint32_t history = 8;
  std::uint32_t buffer = 8;
  std::uint32_t max_held = 5;
  std::uint64_t max_message_bytes = 1U << 20U;

  auto Text() const -> std::string;
  static auto Parse(const std::string& text) -> PeerShape;
};

struct PeerFd {
  int from;
  int at;
};

class Peer final {
 public:
  enum class Pids { kShared, kOwnNamespace };

  Peer(const PeerShape& shape, std::vector<PeerFd> fds, Pids pids = Pids::kShared);
  Peer(const Peer&) = delete;
  auto operator=(const Peer&) -> Peer& = delete;
  ~Peer();

  void Tell(const std::string& line) const;
  /// The next line it wrote; empty when it is gone.
  auto Hear() -> std::string;
  /// The next line that any of them wrote, and which; empty when that one is gone.
  static auto HearAny(const std::vector<Peer*>& peers) -> std::pair<Peer*, std::string>;
  auto Ask(const std::string& line) -> std::string {
    Tell(line);
    return Hear();
  }
  /// kill -9, and waits until it is gone.
  void Kill();
  /// Its wait status, once Hear has said that it is gone.
  auto Wait() -> int;

 private:
  pid_t pid_ = -1;
  base::UniqueFd input_;
  base::UniqueFd output_;
  std::string buffered_;
};

/// Bytes that tell which message they belong to, at every place.
inline void FillPattern(std::span<std::byte> bytes, std::uint64_t sequence) {
  std::memset(bytes.data(), static_cast<int>(sequence % 251), bytes.size());
}
auto HasPattern(std::span<const std::byte> bytes, std::uint64_t sequence) -> bool;

/// "device inode offset" of the file behind an address, from /proc/self/maps.
auto PlaceOf(const void* address) -> std::string;

}  // namespace penstock::transport::testing
