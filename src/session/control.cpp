#include "session/control.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/mapping.h"
#include "base/paths.h"

namespace penstock::session {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr auto kSocket = "control.sock";
constexpr int kVersion = 1;

auto SessionsDirectory() -> base::Expected<fs::path> {
  PENSTOCK_ASSIGN(const auto home, base::RuntimeDirectory());
  return home / "s";
}

// Empty for what is no packet of our version.
auto TypeOf(const json& packet) -> std::string {
  if (!packet.is_object()) return {};
  const auto version = packet.find("v");
  const auto type = packet.find("type");
  if (version == packet.end() || *version != kVersion || type == packet.end() || !type->is_string()) return {};
  return type->get<std::string>();
}

auto NonBlocking(int fd) -> bool { return ::fcntl(fd, F_SETFL, O_NONBLOCK) == 0; }

// A session of very many nodes says more than fits into a packet.
auto SendAny(const base::PacketSocket& socket, const std::string& text) -> base::Status {
  if (text.size() <= base::PacketSocket::kMaxPacketBytes) return socket.Send(text);
  PENSTOCK_ASSIGN(const auto file, base::CreateSealedMemfd("penstock-answer", text.size()));
  PENSTOCK_ASSIGN(const auto memory, base::Mapping::Map(file, text.size()));
  std::memcpy(memory.data(), text.data(), text.size());
  const std::array fds{file.get()};
  return socket.Send(json{{"v", kVersion}, {"type", "file"}, {"bytes", text.size()}}.dump(), fds);
}

auto ReadAll(const base::UniqueFd& file, std::size_t bytes) -> base::Expected<std::string> {
  std::string text(bytes, '\0');
  for (std::size_t at = 0; at < bytes;) {
    const auto got = ::pread(file.get(), text.data() + at, bytes - at, static_cast<off_t>(at));
    if (got <= 0) return base::Fail(base::ErrorCode::kPeerCorrupt, "the session's answer is shorter than it says");
    at += static_cast<std::size_t>(got);
  }
  return text;
}

}  // namespace

auto ControlServer::Create(base::EventLoop& loop, const std::string& session, Handlers handlers)
    -> base::Expected<std::unique_ptr<ControlServer>> {
  PENSTOCK_ASSIGN(const auto parent, SessionsDirectory());
  PENSTOCK_ASSIGN(auto directory, container::LockedDirectory::Create(parent, session));
  PENSTOCK_ASSIGN(auto listener, base::ListenPacket((directory.path() / kSocket).string(), 0600));
  if (!NonBlocking(listener.get())) return base::SystemError("make the control socket non-blocking");
  const int fd = listener.get();
  std::unique_ptr<ControlServer> server(
      new ControlServer(loop, std::move(directory), std::move(listener), std::move(handlers)));
  PENSTOCK_TRY(loop.Watch(fd, EPOLLIN, [self = server.get()](std::uint32_t) { self->Accept(); }));
  return server;
}

ControlServer::ControlServer(base::EventLoop& loop, container::LockedDirectory directory, base::UniqueFd listener,
                             Handlers handlers)
    : loop_(loop), directory_(std::move(directory)), listener_(std::move(listener)), handlers_(std::move(handlers)) {}

ControlServer::~ControlServer() {
  loop_.Unwatch(listener_.get());
  for (const auto& [fd, connection] : connections_) loop_.Unwatch(fd);
  if (directory_.ClaimIfLast()) directory_.Remove();
}

void ControlServer::Accept() {
  auto accepted = base::AcceptPacket(listener_);
  if (!accepted) return;
  const auto peer = accepted->Credentials();
  if (!peer || peer->uid != ::getuid()) return;
  const int fd = accepted->fd().get();
  // A client that does not read its answer is dropped rather than waited for.
  if (!NonBlocking(fd) || !loop_.Watch(fd, EPOLLIN, [this, fd](std::uint32_t) { Answer(fd); })) return;
  connections_.emplace(fd, std::make_shared<const base::PacketSocket>(std::move(*accepted)));
}

void ControlServer::Answer(int connection) {
  const auto socket = connections_.at(connection);
  const auto packet = socket->Receive(base::Deadline::In({}));
  if (!packet) return Drop(connection);
  const auto type = TypeOf(json::parse(packet->data, nullptr, false));
  if (type == "status") {
    // A later connection may get the same descriptor.
    return handlers_.status([this, connection, asker = std::weak_ptr(socket)](const json& answer) {
      if (!asker.expired()) Send(connection, answer);
    });
  }
  if (type == "stop") {
    handlers_.stop();
  } else if (type == "kill") {
    handlers_.kill();
  } else {
    return Drop(connection);
  }
  Send(connection, {{"v", kVersion}, {"type", "ok"}});
}

void ControlServer::Send(int connection, const json& answer) {
  const auto& socket = connections_.at(connection);
  if (!SendAny(*socket, answer.dump(-1, ' ', false, json::error_handler_t::replace))) Drop(connection);
}

void ControlServer::Drop(int connection) {
  loop_.Unwatch(connection);
  connections_.erase(connection);
}

auto SessionDirectory(const std::string& session) -> base::Expected<fs::path> {
  PENSTOCK_ASSIGN(const auto parent, SessionsDirectory());
  return parent / session;
}

auto LiveSessions() -> base::Expected<std::vector<std::string>> {
  PENSTOCK_ASSIGN(const auto parent, SessionsDirectory());
  std::vector<std::string> live;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(parent, error)) {
    if (const auto claimed = container::LockedDirectory::Claim(entry.path())) {
      claimed->Remove();
    } else if (fs::exists(entry.path() / kSocket, error)) {
      live.push_back(entry.path().filename());
    }
  }
  std::ranges::sort(live);  // version 7 UUIDs begin with their time
  return live;
}

auto ControlClient::Connect(const std::string& session, base::Deadline deadline) -> base::Expected<ControlClient> {
  PENSTOCK_ASSIGN(const auto directory, SessionDirectory(session));
  PENSTOCK_ASSIGN(auto socket, base::PacketSocket::Connect((directory / kSocket).string(), deadline));
  return ControlClient(std::move(socket));
}

auto ControlClient::Ask(const std::string& type, base::Deadline deadline) const -> base::Expected<json> {
  PENSTOCK_TRY(socket_.Send(json{{"v", kVersion}, {"type", type}}.dump()));
  PENSTOCK_ASSIGN(const auto packet, socket_.Receive(deadline));
  auto answer = json::parse(packet.data, nullptr, false);
  if (TypeOf(answer) == "file" && packet.fds.size() == 1) {
    PENSTOCK_ASSIGN(const auto text, ReadAll(packet.fds.front(), answer.value("bytes", std::size_t{0})));
    answer = json::parse(text, nullptr, false);
  }
  if (TypeOf(answer).empty())
    return base::Fail(base::ErrorCode::kPeerCorrupt, "the session's answer is no packet of version {}", kVersion);
  return answer;
}

// The kernel has noted who listens.
auto ControlClient::RuntimePid() const -> std::optional<pid_t> {
  const auto peer = socket_.Credentials();
  if (!peer || peer->pid == 0) return std::nullopt;
  return peer->pid;
}

auto ControlClient::AwaitEnd(base::Deadline deadline) const -> base::Status {
  for (;;) {
    const auto packet = socket_.Receive(deadline);
    if (packet) continue;
    if (packet.error().code() == base::ErrorCode::kPeerGone) return {};
    return tl::make_unexpected(packet.error());
  }
}

}  // namespace penstock::session
