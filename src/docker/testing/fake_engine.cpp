#include "docker/testing/fake_engine.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>

namespace penstock::docker {
namespace {
constexpr std::string_view kHeadEnd = "\r\n\r\n";

/// Appends what comes to `input` until `enough` says so; false at end of file.
template <class Enough>
auto ReadUntil(int fd, std::string& input, Enough enough) -> bool {
  std::array<char, 4096> room{};
  while (!enough()) {
    const auto got = ::read(fd, room.data(), room.size());
    if (got <= 0) return false;
    input.append(room.data(), static_cast<std::size_t>(got));
  }
  return true;
}
}  // namespace

void FakeConnection::Send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void FakeConnection::SendByteByByte(std::string_view bytes) const {
  for (std::size_t i = 0; i < bytes.size(); ++i) Send(bytes.substr(i, 1));
}

void FakeConnection::Answer(int status, std::string_view body, std::string_view headers) const {
  Send(fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\n{}\r\n{}", status, body.size(), headers, body));
}

void FakeConnection::WaitForClose() const {
  std::array<char, 4096> room{};
  while (::read(fd_, room.data(), room.size()) > 0) {
  }
}

void FakeConnection::WaitForCloseUnread() const {
  pollfd peer{.fd = fd_, .events = POLLRDHUP, .revents = 0};
  while (::poll(&peer, 1, -1) <= 0) {
  }
}

FakeEngine::FakeEngine(FakeHandler handler, FakeOptions options)
    : handler_(std::move(handler)), options_(std::move(options)) {
  std::string pattern = (std::filesystem::temp_directory_path() / "penstock-fake-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
  std::filesystem::permissions(pattern, std::filesystem::perms(0755));
  directory_ = pattern;
  path_ = directory_ + "/docker.sock";
  listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(listener_.get(), 64) != 0) {
    throw std::runtime_error("cannot listen at " + path_);
  }
  acceptor_ = std::thread([this] { Accept(); });
}

FakeEngine::~FakeEngine() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    for (const auto& connection : connections_) ::shutdown(connection.get(), SHUT_RDWR);
  }
  acceptor_.join();
  for (auto& thread : threads_) thread.join();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

auto FakeEngine::requests() -> std::vector<std::string> {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void FakeEngine::WaitForRequests(std::size_t count) {
  std::unique_lock lock(mutex_);
  arrived_.wait(lock, [&] { return request_count_ >= count; });
}

void FakeEngine::Accept() {
  for (;;) {
    base::UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    JoinFinished();
    const std::lock_guard lock(mutex_);
    if (!connection || stopping_) return;
    const int fd = connection.get();
    connections_.push_back(std::move(connection));
    const auto place = threads_.emplace(threads_.end());
    *place = std::thread([this, fd, place] {
      Serve(fd);
      const std::lock_guard finishing(mutex_);
      connections_.remove_if([&](const base::UniqueFd& each) { return each.get() == fd; });
      finished_.push_back(place);
    });
  }
}

// Threads that have ended keep their stacks until they are joined.
void FakeEngine::JoinFinished() {
  Threads joinable;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& place : finished_) joinable.splice(joinable.end(), threads_, place);
    finished_.clear();
  }
  for (auto& thread : joinable) thread.join();
}

void FakeEngine::Serve(int fd) {
  const FakeConnection connection(fd);
  std::string input;
  const auto has_head = [&] { return input.find(kHeadEnd) != std::string::npos; };
  auto then = Then::kKeepOpen;
  while (then == Then::kKeepOpen && ReadUntil(fd, input, has_head)) {
    const auto head = input.substr(0, input.find(kHeadEnd) + kHeadEnd.size());
    input.erase(0, head.size());
    if (options_.reads_bodies && !ReadBody(head, input, fd)) return;
    const auto request = head.substr(0, head.find(" HTTP/"));
    {
      const std::lock_guard lock(mutex_);
      ++request_count_;
      if (options_.keeps_requests) requests_.push_back(request);
      arrived_.notify_all();
    }
    then = Handle(request, connection);
  }
}

auto FakeEngine::ReadBody(std::string_view head, std::string& input, int fd) const -> bool {
  constexpr std::string_view kLength = "Content-Length: ";
  if (const auto at = head.find(kLength); at != std::string_view::npos) {
    const auto size = std::strtoul(head.data() + at + kLength.size(), nullptr, 10);
    if (!ReadUntil(fd, input, [&] { return input.size() >= size; })) return false;
    input.erase(0, size);
  } else if (head.find("chunked") != std::string_view::npos) {
    if (!ReadUntil(fd, input, [&] { return input.find("0\r\n\r\n") != std::string::npos; })) return false;
    input.clear();
  }
  return true;
}

auto FakeEngine::Handle(const std::string& request, const FakeConnection& connection) -> Then {
  if (options_.negotiates && request == "GET /_ping") {
    connection.Answer(200, "OK", options_.api.empty() ? "" : fmt::format("Api-Version: {}\r\n", options_.api));
    return Then::kKeepOpen;
  }
  if (options_.negotiates && request == "GET /version") {
    connection.Answer(200,
                      fmt::format(R"({{"Version": "0-fake", "ApiVersion": "{}", "MinAPIVersion": "{}", "Os": "linux",)"
                                  R"( "KernelVersion": "{}"}})",
                                  options_.api, options_.api_min, options_.kernel));
    return Then::kKeepOpen;
  }
  return handler_(request, connection);
}

}  // namespace penstock::docker
