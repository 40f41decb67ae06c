// A scripted engine on a Unix socket of its own, for what a real one does not do on request.
#pragma once

#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace penstock::docker {

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

 private:
  int fd_;
};

enum class Then { kKeepOpen, kClose };
/// Gets "GET /path?query"; bodies of requests are read and dropped. Called on the connection's own thread.
using FakeHandler = std::function<Then(const std::string& request, const FakeConnection& connection)>;

class FakeEngine final {
 public:
  /// /_ping and /version are answered as an engine with the given versions does; the rest is the handler's. `kernel`
  /// empty: it does not say on which it runs.
  explicit FakeEngine(FakeHandler handler, std::string api = "1.41", std::string api_min = "1.12",
                      std::string kernel = "");
  FakeEngine(const FakeEngine&) = delete;
  auto operator=(const FakeEngine&) -> FakeEngine& = delete;
  ~FakeEngine();

  auto path() const -> const std::string& { return path_; }
  /// Requests so far, in order of arrival.
  auto requests() -> std::vector<std::string>;

 private:
  void Accept();
  void Serve(int fd);
  auto Handle(const std::string& request, const FakeConnection& connection) -> Then;

  FakeHandler handler_;
  std::string api_;
  std::string api_min_;
  std::string kernel_;
  std::string directory_;
  std::string path_;
  base::UniqueFd listener_;
  std::mutex mutex_;
  std::vector<std::string> requests_;
  std::list<base::UniqueFd> connections_;
  std::list<std::thread> threads_;
  bool stopping_ = false;
  std::thread acceptor_;
};

}  // namespace penstock::docker
