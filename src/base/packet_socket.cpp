#include "base/packet_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace penstock::base {
namespace {

auto Address(const std::string& path) -> Expected<sockaddr_un> {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return Fail(ErrorCode::kInvalidArgument,
                "the socket path '{}' is longer than the {} bytes a Unix socket allows; set a shorter XDG_RUNTIME_DIR",
                path, sizeof(address.sun_path) - 1);
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

// A packet larger than the send buffer is refused by the kernel, so the buffer is made as large as a packet may be.
void WidenSendBuffer(int fd) {
  const int bytes = 2 * static_cast<int>(PacketSocket::kMaxPacketBytes);
  if (::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0) {
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
  }
}

}  // namespace

auto PacketSocket::Pair() -> Expected<std::pair<PacketSocket, PacketSocket>> {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data()) != 0)
    return SystemError("create a socket pair");
  for (const int fd : fds) WidenSendBuffer(fd);
  return std::pair(PacketSocket(UniqueFd(fds[0])), PacketSocket(UniqueFd(fds[1])));
}

auto PacketSocket::Connect(const std::string& path, Deadline deadline) -> Expected<PacketSocket> {
  PENSTOCK_ASSIGN(const auto address, Address(path));
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd) return SystemError("create a socket");
  WidenSendBuffer(fd.get());
  // connect(2) of a Unix socket blocks only while the listener's backlog is full.
  const auto left = deadline.remaining();
  if (left) {
    const auto micros = std::chrono::ceil<std::chrono::microseconds>(*left).count() + 1;
    const timeval timeout{.tv_sec = micros / 1'000'000, .tv_usec = micros % 1'000'000};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  }
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return SystemError(fmt::format("connect to '{}'", path), errno == EAGAIN ? ETIMEDOUT : errno);
  }
  const timeval forever{};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &forever, sizeof(forever));
  return PacketSocket(std::move(fd));
}

auto PacketSocket::Send(std::string_view data, std::span<const int> fds) const -> Status {
  if (data.empty() || data.size() > kMaxPacketBytes || fds.size() > kMaxDescriptors) {
    return Fail(ErrorCode::kInvalidArgument,
                "a packet of {} bytes with {} descriptors is outside 1-{} bytes and 0-{} descriptors", data.size(),
                fds.size(), kMaxPacketBytes, kMaxDescriptors);
  }
  iovec io{.iov_base = const_cast<char*>(data.data()), .iov_len = data.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxDescriptors)> control{};
  msghdr header{};
  header.msg_iov = &io;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* message = CMSG_FIRSTHDR(&header);
    message->cmsg_level = SOL_SOCKET;
    message->cmsg_type = SCM_RIGHTS;
    message->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(message), fds.data(), fds.size_bytes());
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(fd_.get(), &header, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return SystemError("send a packet");
  return {};
}

auto PacketSocket::Receive(Deadline deadline) const -> Expected<Packet> {
  if (!deadline.never()) {
    pollfd waiting{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    int ready = 0;
    do {
      ready = ::poll(&waiting, 1, deadline.poll_timeout_ms());
    } while (ready < 0 && errno == EINTR);
    if (ready < 0) return SystemError("wait for a packet");
    if (ready == 0) return Fail(ErrorCode::kDeadline, "no packet arrived in time");
  }
  // MSG_PEEK|MSG_TRUNC tells the size without a buffer for the largest possible packet on every call.
  ssize_t size = 0;
  do {
    size = ::recv(fd_.get(), nullptr, 0, MSG_PEEK | MSG_TRUNC);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return SystemError("receive a packet");
  if (size == 0) return Fail(ErrorCode::kPeerGone, "the other end closed the connection");
  Packet packet;
  packet.data.resize(static_cast<std::size_t>(size));
  iovec io{.iov_base = packet.data.data(), .iov_len = packet.data.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxDescriptors)> control{};
  msghdr header{};
  header.msg_iov = &io;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t received = 0;
  do {
    received = ::recvmsg(fd_.get(), &header, MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  if (received < 0) return SystemError("receive a packet");
  for (cmsghdr* message = CMSG_FIRSTHDR(&header); message != nullptr; message = CMSG_NXTHDR(&header, message)) {
    if (message->cmsg_level != SOL_SOCKET || message->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (message->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(message) + i * sizeof(int), sizeof(int));
      packet.fds.emplace_back(fd);
    }
  }
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    // The kernel says no more than that when it found no numbers for them.
    if (const UniqueFd one_more(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0)); !one_more && errno == EMFILE)
      return SystemError("take the descriptors of a packet");
    return Fail(ErrorCode::kPeerCorrupt, "a packet or its descriptors were cut off");
  }
  return packet;
}

auto PacketSocket::Credentials() const -> Expected<PeerCredentials> {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return SystemError("ask who is at the other end");
  return PeerCredentials{.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid};
}

auto ListenPacket(const std::string& path, mode_t mode) -> Expected<UniqueFd> {
  PENSTOCK_ASSIGN(const auto address, Address(path));
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd) return SystemError("create a socket");
  WidenSendBuffer(fd.get());
  ::unlink(path.c_str());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return SystemError(fmt::format("bind '{}'", path));
  if (::chmod(path.c_str(), mode) != 0) return SystemError(fmt::format("set the mode of '{}'", path));
  if (::listen(fd.get(), SOMAXCONN) != 0) return SystemError(fmt::format("listen at '{}'", path));
  return fd;
}

auto AcceptPacket(const UniqueFd& listener) -> Expected<PacketSocket> {
  int fd = -1;
  do {
    fd = ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return SystemError("accept a connection");
  WidenSendBuffer(fd);
  return PacketSocket(UniqueFd(fd));
}

}  // namespace penstock::base
