// One HTTP exchange, shared by the thread that asked for it and the I/O thread that carries it out.
#pragma once

#include <curl/curl.h>

#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/event_loop.h"
#include "docker/http.h"

namespace penstock::docker {

class Io;

struct EasyDeleter {
  void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
};
struct HeadersDeleter {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};

class Transfer final {
 public:
  enum class Kind { kAnswer, kStream };

  Transfer(HttpRequest what, Kind how, StreamEnd at_end, base::Deadline until, std::weak_ptr<Io> carrier)
      : request(std::move(what)), kind(how), end(std::move(at_end)), deadline(until), io(std::move(carrier)) {}

  // I/O thread.
  /// The head of a stream's answer is there: whoever waits in WaitUntilUsable goes on.
  void SetHead();
  /// Tells the caller the result. The last thing that happens to a transfer.
  void Complete(base::Status result);

  // Callers.
  /// Waits until a stream has its head, or the exchange is over.
  void WaitUntilUsable();
  auto WaitUntilDone(base::Deadline until) -> bool;
  /// Did a stream get as far as its head? After WaitUntilUsable.
  auto has_head() -> bool;
  /// After the end.
  auto result() -> base::Status;

  // Constant, or the I/O thread's until Complete.
  HttpRequest request;
  const Kind kind;
  StreamEnd end;
  const base::Deadline deadline;
  const std::weak_ptr<Io> io;

  std::unique_ptr<CURL, EasyDeleter> easy;
  std::unique_ptr<curl_slist, HeadersDeleter> header_list;
  std::array<char, CURL_ERROR_SIZE> curl_message{};
  std::optional<base::EventLoop::TimerId> timer;
  std::optional<base::Error> callback_error;  // what a callback failed with; more exact than libcurl's code
  HttpResponse response;
  std::size_t headers_bytes = 0;
  int socket_errno = 0;  // why there is no socket
  bool head_seen = false;
  bool refusal_cut = false;  // the beginning of a refusal's body is there, and enough

  // Written by the I/O thread before SetHead or Complete; read by the caller after.
  std::chrono::steady_clock::time_point started;
  std::chrono::steady_clock::time_point finished;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool head_ = false;
  std::optional<base::Status> result_;
};

}  // namespace penstock::docker
