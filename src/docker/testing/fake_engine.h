// A scripted engine on a Unix socket of its own, for what a real one does not do on request.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "docker/call.h"

namespace penstock::docker {

/// The limit of a call that is expected to end by itself: it passes only when something hangs.
inline auto Soon() -> Call { return Call(base::Deadline::In(std::chrono::seconds(120))); }

/// One connection, inside a handler.
class FakeConnection final {
 public:
  explicit FakeConnection(int fd) : fd_(fd) {}

  void Send(std::string_view bytes) const;
  void SendByteByByte(std::string_view bytes) const;
  /// A whole answer with its length.
  void Answer(int status, std::string_view body, std::string_view headers = {}) const;
  /// Returns when the client has hung up: how a wedged engine behaves.
  void WaitForClose() const;
  /// The same of one that does not even read what it is sent.
  void WaitForCloseUnread() const;

 private:
  int fd_;
};

enum class Then { kKeepOpen, kClose };
/// Gets "GET /path?query"; bodies of requests are read and dropped. Called on the connection's own thread.
using FakeHandler = std::function<Then(const std::string& request, const FakeConnection& connection)>;

struct FakeOptions {
  std::string api = "1.41";      // newest that it says to speak; empty: it says nothing
  std::string api_min = "1.12";  // oldest
  std::string kernel{};          // empty: it does not say on which it runs
  bool negotiates = true;        // false: /_ping and /version are the handler's, too
  bool reads_bodies = true;      // false: handlers are called when a request's head is there, and close the connection
  bool keeps_requests = true;    // false: they are forgotten, where they would be too many
};

class FakeEngine final {
 public:
  explicit FakeEngine(FakeHandler handler, FakeOptions options = {});
  FakeEngine(const FakeEngine&) = delete;
  auto operator=(const FakeEngine&) -> FakeEngine& = delete;
  ~FakeEngine();

  auto path() const -> const std::string& { return path_; }
  /// Requests so far, in order of arrival.
  auto requests() -> std::vector<std::string>;
  /// Returns when `count` requests have arrived, those of the negotiation included.
  void WaitForRequests(std::size_t count);

 private:
  using Threads = std::list<std::thread>;
  void Accept();
  void JoinFinished();
  void Serve(int fd);
  auto ReadBody(std::string_view head, std::string& input, int fd) const -> bool;
  auto Handle(const std::string& request, const FakeConnection& connection) -> Then;

  const FakeHandler handler_;
  const FakeOptions options_;
  std::string directory_;
  std::string path_;
  base::UniqueFd listener_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<std::string> requests_;
  std::size_t request_count_ = 0;
  std::list<base::UniqueFd> connections_;
  Threads threads_;
  std::vector<Threads::iterator> finished_;  // of `threads_`: they only have to be joined
  bool stopping_ = false;
  std::thread acceptor_;
};

}  // namespace penstock::docker
