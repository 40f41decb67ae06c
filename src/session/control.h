// How other commands of the same user find a running session, look at it and end it.
//
//   {base::RuntimeDirectory}/s/{session}/   in use as long as the session's runtime lives
//   (container/locked_directory.h)
//       promises.json                       session/promises.h
//       control.sock                        SOCK_SEQPACKET, one JSON object a packet
//
// Requests {"v": 1, "type": "status" | "stop" | "kill"}; answers are the status, or {"v": 1, "type": "ok"}. One that is
// larger than a packet is {"v": 1, "type": "file", "bytes": N}, with a memfd that holds it. The session
// keeps a connection until it ends, so that its end of file is the session's end. Peers must be of the same user.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "base/event_loop.h"
#include "base/packet_socket.h"
#include "container/locked_directory.h"

namespace penstock::session {

/// The session's end. Lives on its loop, and goes with it.
class ControlServer final {
 public:
  /// Answers a question, now or later; without effect once who asked has gone. On the session's loop.
  using Reply = std::function<void(const nlohmann::json& answer)>;
  struct Handlers {
    std::function<void(Reply reply)> status;
    std::function<void()> stop;
    std::function<void()> kill;
  };
  static auto Create(base::EventLoop& loop, const std::string& session, Handlers handlers)
      -> base::Expected<std::unique_ptr<ControlServer>>;
  ControlServer(const ControlServer&) = delete;
  auto operator=(const ControlServer&) -> ControlServer& = delete;
  ~ControlServer();

  /// The session's.
  auto directory() const noexcept -> const std::filesystem::path& { return directory_.path(); }

 private:
  ControlServer(base::EventLoop& loop, container::LockedDirectory directory, base::UniqueFd listener,
                Handlers handlers);
  void Accept();
  void Answer(int connection);
  void Send(int connection, const nlohmann::json& answer);
  void Drop(int connection);

  base::EventLoop& loop_;
  container::LockedDirectory directory_;
  base::UniqueFd listener_;
  Handlers handlers_;
  std::map<int, std::shared_ptr<const base::PacketSocket>> connections_;  // by descriptor
};

/// Of a session of this user, whether it runs or not.
auto SessionDirectory(const std::string& session) -> base::Expected<std::filesystem::path>;

/// Ids of this user's sessions whose runtime lives, oldest first. What dead ones left here is removed on the way.
auto LiveSessions() -> base::Expected<std::vector<std::string>>;

/// One question to a session. Errors: kNotFound or kPeerGone when it has ended; kDeadline.
class ControlClient final {
 public:
  static auto Connect(const std::string& session, base::Deadline deadline) -> base::Expected<ControlClient>;
  auto Ask(const std::string& type, base::Deadline deadline) const -> base::Expected<nlohmann::json>;
  /// Waits for the session's end. Errors: kDeadline.
  auto AwaitEnd(base::Deadline deadline) const -> base::Status;
  /// Of the session's runtime, also when that stands still; nullopt where it cannot be seen from here.
  auto RuntimePid() const -> std::optional<pid_t>;

 private:
  explicit ControlClient(base::PacketSocket socket) : socket_(std::move(socket)) {}
  base::PacketSocket socket_;
};

}  // namespace penstock::session
