#include "docker/http.h"

#include <optional>
#include <utility>
#include <vector>

#include "docker/errors.h"
#include "docker/io.h"

namespace penstock::docker {
using base::ErrorCode;
using base::Fail;
using base::Status;

auto HttpClient::Create(std::string socket_path, std::size_t max_answer_bytes, RequestObserver observer)
    -> base::Expected<std::unique_ptr<HttpClient>> {
  PENSTOCK_ASSIGN(auto io, Io::Create(std::move(socket_path), max_answer_bytes));
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(io), std::move(observer)));
}

HttpClient::HttpClient(std::shared_ptr<Io> io, RequestObserver observer)
    : io_(std::move(io)), observer_(std::move(observer)) {}

HttpClient::~HttpClient() { io_->Shutdown(); }

auto HttpClient::Run(const std::shared_ptr<Transfer>& transfer, const Call& call) -> Status {
  const auto& attempt = transfer->request.attempt;
  if (io_->OnThisThread()) {
    return Fail(ErrorCode::kInternal, "cannot {}: a callback of the engine must not make blocking calls", attempt);
  }
  if (call.stop.stop_requested()) return tl::unexpected(CancelledError(attempt));
  io_->Submit(transfer);
  {
    const std::stop_callback cancel(call.stop, [this, &transfer] { io_->Cancel(transfer); });
    transfer->WaitUntilUsable();
  }
  if (observer_) {
    observer_({.method = transfer->request.method,
               .target = transfer->request.target,
               .started = transfer->started,
               .finished = transfer->finished,
               .status = transfer->response.status});
  }
  if (transfer->has_head()) return {};
  PENSTOCK_TRY(transfer->result());
  const auto& response = transfer->response;
  // 304: what was asked for is so already. It has no body, and who follows one waits for it.
  const bool nothing_to_do = response.status == 304 && transfer->kind == Transfer::Kind::kAnswer;
  if (response.status >= 300 && !nothing_to_do) {
    return tl::unexpected(HttpError(attempt, response.status, response.body));
  }
  return {};
}

auto HttpClient::Perform(HttpRequest request, Call call) -> base::Expected<HttpResponse> {
  const auto transfer =
      std::make_shared<Transfer>(std::move(request), Transfer::Kind::kAnswer, nullptr, call.deadline, io_);
  PENSTOCK_TRY(Run(transfer, call));
  return std::move(transfer->response);
}

auto HttpClient::Open(HttpRequest request, StreamEnd end, Call call) -> base::Expected<Stream> {
  const auto transfer =
      std::make_shared<Transfer>(std::move(request), Transfer::Kind::kStream, std::move(end), call.deadline, io_);
  PENSTOCK_TRY(Run(transfer, call));
  return Stream(transfer);
}

auto PercentEncode(std::string_view text, std::string_view keep) -> std::string {
  constexpr std::string_view kUnreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string encoded;
  for (const char c : text) {
    if (kUnreserved.find(c) != std::string_view::npos || keep.find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

auto Query(const std::vector<std::pair<std::string_view, std::string>>& pairs) -> std::string {
  std::string query;
  for (const auto& [name, value] : pairs) {
    if (value.empty()) continue;
    query += query.empty() ? '?' : '&';
    query += fmt::format("{}={}", name, PercentEncode(value));
  }
  return query;
}

}  // namespace penstock::docker
