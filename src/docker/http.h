// HTTP/1.1 over the engine's Unix socket, on libcurl's multi interface: one I/O thread, any number of callers.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "docker/call.h"
#include "docker/stream.h"
#include "docker/types.h"

namespace penstock::docker {

class Io;

// Every member has an initialiser so that designated ones may leave it out (-Wmissing-field-initializers).
struct HttpRequest {
  std::string attempt{};  // for errors: "inspect image 'x'"
  std::string method = "GET";
  std::string target{};  // path and query, percent-encoded
  std::string content_type{};
  std::string body{};
  BodyReader body_reader{};  // instead of `body`, sent in chunks; I/O thread
  /// Gets the body of a 2xx answer piece by piece on the I/O thread, instead of HttpResponse::body. An error ends the
  /// request with that error.
  std::function<base::Status(std::string_view)> on_data{};
  /// Called after the last of a 2xx answer that is complete; its error is the request's. I/O thread.
  std::function<base::Status()> on_end{};
  /// Set when the stream's owner has stopped it: no callback of the owner may start any more. Any thread.
  std::shared_ptr<std::atomic<bool>> stopped = std::make_shared<std::atomic<bool>>(false);
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

class HttpClient final {
 public:
  /// Answers that are collected may have `max_answer_bytes`.
  static auto Create(std::string socket_path, std::size_t max_answer_bytes, RequestObserver observer)
      -> base::Expected<std::unique_ptr<HttpClient>>;
  HttpClient(const HttpClient&) = delete;
  auto operator=(const HttpClient&) -> HttpClient& = delete;
  /// Ends all streams with kCancelled. Not while another thread is inside Perform or Open.
  ~HttpClient();

  /// Waits for the complete answer. Answers of 400 and above are errors with the engine's own message.
  auto Perform(HttpRequest request, Call call) -> base::Expected<HttpResponse>;
  /// Waits for the head of the answer; its body goes to `request.on_data` until the stream ends.
  auto Open(HttpRequest request, StreamEnd end, Call call) -> base::Expected<Stream>;

 private:
  HttpClient(std::shared_ptr<Io> io, RequestObserver observer);
  auto Run(const std::shared_ptr<Transfer>& transfer, const Call& call) -> base::Status;

  std::shared_ptr<Io> io_;
  RequestObserver observer_;
};

/// Percent-encodes all but unreserved characters (RFC 3986) and those in `keep`.
auto PercentEncode(std::string_view text, std::string_view keep = {}) -> std::string;

/// "?a=1&b=x%20y", without the pairs whose value is empty; "" when none is left.
auto Query(const std::vector<std::pair<std::string_view, std::string>>& pairs) -> std::string;

}  // namespace penstock::docker
