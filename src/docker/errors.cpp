#include "docker/errors.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "docker/readable.h"

namespace penstock::docker {
namespace {
using base::Error;
using base::ErrorCode;

constexpr std::size_t kMessageBytes = 2000;
constexpr std::size_t kQuotedBytes = 300;  // of an answer that is not the engine's usual {"message": …}

auto UserName() -> std::string {
  std::array<char, 4096> room{};
  passwd entry{};
  passwd* found = nullptr;
  const auto uid = ::geteuid();
  if (::getpwuid_r(uid, &entry, room.data(), room.size(), &found) == 0 && found != nullptr) return found->pw_name;
  return fmt::format("uid {}", uid);
}

auto Seconds(std::chrono::nanoseconds duration) -> std::string {
  return fmt::format("{:.1f} s", std::chrono::duration<double>(duration).count());
}

auto EngineMessage(std::string_view body) -> std::string {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (json.is_object()) {
    const auto message = json.find("message");
    if (message != json.end() && message->is_string()) {
      return Readable(message->get_ref<const std::string&>(), kMessageBytes);
    }
  }
  return Readable(body, kQuotedBytes);
}

auto IsTooOldForIt(std::string_view message) -> bool {
  return message.find("client version") != std::string_view::npos &&
         message.find("is too old") != std::string_view::npos;
}

auto CodeOf(int status, std::string_view message) -> ErrorCode {
  const auto says = [&](std::string_view words) { return message.find(words) != std::string_view::npos; };
  if (says("no space left on device") || says("disk quota exceeded")) return ErrorCode::kExhausted;
  if (IsTooOldForIt(message) || (says("client version") && says("is too new"))) return ErrorCode::kUnsupported;
  switch (status) {
    case 400:
      return ErrorCode::kInvalidArgument;
    case 401:
    case 403:
      return ErrorCode::kPermission;
    case 404:
      return ErrorCode::kNotFound;
    case 409:
      return ErrorCode::kConflict;
    case 501:
      return ErrorCode::kUnsupported;
    default:
      return status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kPeerCorrupt;
  }
}

auto Remedy(ErrorCode code, std::string_view message) -> std::string_view {
  switch (code) {
    case ErrorCode::kExhausted:
      return ": free space on the engine's disk ('docker system df' shows what uses it)";
    case ErrorCode::kUnsupported:
      return IsTooOldForIt(message) ? ": upgrade Penstock" : ": install Docker Engine 20.10 or newer";
    case ErrorCode::kUnavailable:
      return message.empty() ? "; 'journalctl -u docker' may say why" : "";
    case ErrorCode::kPeerCorrupt:
      return "; is DOCKER_HOST the socket of a Docker engine?";
    default:
      return "";
  }
}
// connect(2) says of any other file what it says of a socket without a listener.
auto IsSocket(const std::string& path) -> bool {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
}

auto NotItsSocketError(const std::string& socket_path) -> Error {
  return {ErrorCode::kUnavailable,
          fmt::format("{} is not the socket of a Docker engine: correct DOCKER_HOST", socket_path)};
}
}  // namespace

auto ConnectError(const std::string& socket_path, int saved_errno) -> Error {
  switch (saved_errno) {
    case ENOENT:
    case ENOTDIR:
      return {
          ErrorCode::kUnavailable,
          fmt::format("no Docker engine at {} (no such socket): start it with 'sudo systemctl start docker', install "
                      "Docker Engine 20.10 or newer, or set DOCKER_HOST=unix:///path/of/docker.sock",
                      socket_path)};
    case ECONNREFUSED:
      if (!IsSocket(socket_path)) return NotItsSocketError(socket_path);
      return {ErrorCode::kUnavailable,
              fmt::format("the Docker engine at {} is not running (the socket is there, but nobody listens): start it "
                          "with 'sudo systemctl start docker'",
                          socket_path)};
    case EACCES:
    case EPERM: {
      const auto user = UserName();
      return {
          ErrorCode::kPermission,
          fmt::format("user '{0}' may not use the Docker engine at {1}: run 'sudo usermod -aG docker {0}' and log in "
                      "again, or set DOCKER_HOST to the socket of a rootless engine",
                      user, socket_path)};
    }
    case EPROTOTYPE:  // a socket of another type
      return NotItsSocketError(socket_path);
    default: {
      const char* description = strerrordesc_np(saved_errno);
      return {ErrorCode::kUnavailable,
              fmt::format("cannot reach the Docker engine at {}: {}; check it with 'docker version'", socket_path,
                          description == nullptr ? "unknown error" : description)};
    }
  }
}

auto NoSocketError(std::string_view attempt, int saved_errno) -> Error {
  const auto cause = base::SystemError("make a socket", saved_errno).value();
  return {cause.code(), fmt::format("cannot {}: {}; 'ulimit -n' says how many files this process may have open",
                                    attempt, cause.message())};
}

auto HttpError(std::string_view attempt, int status, std::string_view body) -> Error {
  const auto message = EngineMessage(body);
  const auto code = CodeOf(status, message);
  return {code, fmt::format("cannot {}: {} (Docker engine, HTTP {}){}", attempt,
                            message.empty() ? "(no message)" : message, status, Remedy(code, message))};
}

auto DeadlineError(std::string_view attempt, const std::string& socket_path, std::chrono::nanoseconds waited,
                   bool answering) -> Error {
  if (answering) {
    return {ErrorCode::kDeadline, fmt::format("cannot {}: not finished after {}", attempt, Seconds(waited))};
  }
  return {ErrorCode::kDeadline,
          fmt::format("cannot {}: the Docker engine at {} did not answer within {}; if 'docker version' hangs too, "
                      "restart it with 'sudo systemctl restart docker'",
                      attempt, socket_path, Seconds(waited))};
}

auto CancelledError(std::string_view attempt) -> Error {
  return {ErrorCode::kCancelled, fmt::format("cannot {}: cancelled", attempt)};
}

auto LostError(std::string_view attempt, const std::string& socket_path) -> Error {
  return {ErrorCode::kPeerGone,
          fmt::format("cannot {}: the Docker engine at {} closed the connection before its answer was complete; it may "
                      "have been restarted ('journalctl -u docker' says why)",
                      attempt, socket_path)};
}

auto MalformedError(std::string_view attempt, std::string_view problem) -> Error {
  return {ErrorCode::kPeerCorrupt,
          fmt::format("cannot {}: {}; is DOCKER_HOST the socket of a Docker engine?", attempt, problem)};
}

}  // namespace penstock::docker
