#include "docker/testing/fake_engine.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>

namespace penstock::docker {

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
  char byte = 0;
  while (::read(fd_, &byte, 1) > 0) {
  }
}

FakeEngine::FakeEngine(FakeHandler handler, std::string api, std::string api_min, std::string kernel)
    : handler_(std::move(handler)), api_(std::move(api)), api_min_(std::move(api_min)), kernel_(std::move(kernel)) {
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

void FakeEngine::Accept() {
  for (;;) {
    base::UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const std::lock_guard lock(mutex_);
    if (!connection || stopping_) return;
    const int fd = connection.get();
    connections_.push_back(std::move(connection));
    threads_.emplace_back([this, fd] { Serve(fd); });
  }
}

void FakeEngine::Serve(int fd) {
  const FakeConnection connection(fd);
  std::string input;
  std::array<char, 4096> room{};
  // Reads until `ends` bytes (npos: until `mark` is there); false at end of file.
  const auto fill = [&](std::string_view mark, std::size_t ends) {
    while (mark.empty() ? input.size() < ends : input.find(mark) == std::string::npos) {
      const auto got = ::read(fd, room.data(), room.size());
      if (got <= 0) return false;
      input.append(room.data(), static_cast<std::size_t>(got));
    }
    return true;
  };
  auto then = Then::kKeepOpen;
  while (then == Then::kKeepOpen && fill("\r\n\r\n", 0)) {
    const auto head_end = input.find("\r\n\r\n") + 4;
    const auto head = input.substr(0, head_end);
    input.erase(0, head_end);
    constexpr std::string_view kLength = "Content-Length: ";
    if (const auto length = head.find(kLength); length != std::string::npos) {
      const auto size = std::strtoul(head.c_str() + length + kLength.size(), nullptr, 10);
      if (!fill({}, size)) break;
      input.erase(0, size);
    } else if (head.find("chunked") != std::string::npos) {
      if (!fill("0\r\n\r\n", 0)) break;
      input.clear();
    }
    const auto request = head.substr(0, head.find(" HTTP/"));
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    then = Handle(request, connection);
  }
  const std::lock_guard lock(mutex_);
  connections_.remove_if([&](const base::UniqueFd& each) { return each.get() == fd; });
}

auto FakeEngine::Handle(const std::string& request, const FakeConnection& connection) -> Then {
  if (request == "GET /_ping") {
    connection.Answer(200, "OK", api_.empty() ? "" : fmt::format("Api-Version: {}\r\n", api_));
    return Then::kKeepOpen;
  }
  if (request == "GET /version") {
    connection.Answer(200,
                      fmt::format(R"({{"Version": "0-fake", "ApiVersion": "{}", "MinAPIVersion": "{}", "Os": "linux",)"
                                  R"( "KernelVersion": "{}"}})",
                                  api_, api_min_, kernel_));
    return Then::kKeepOpen;
  }
  return handler_(request, connection);
}

}  // namespace penstock::docker
