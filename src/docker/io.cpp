#include "docker/io.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <exception>
#include <mutex>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "docker/errors.h"

namespace penstock::docker {
namespace {
using base::ErrorCode;
using base::Fail;
using base::Status;

constexpr std::size_t kMaxHeadBytes = 256UL * 1024;
constexpr std::size_t kMaxRefusalBytes = 64UL * 1024;  // of the body of a refusal; what is beyond is not read

// Workers are started by this process: none may inherit a connection to the engine.
auto OpenSocket(void* user, curlsocktype /*purpose*/, curl_sockaddr* address) -> curl_socket_t {
  const auto opened = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (opened < 0) static_cast<Transfer*>(user)->socket_errno = errno;
  return opened;
}

template <class... Options>
auto SetAll(CURL* easy, Options... options) -> bool {
  return ((curl_easy_setopt(easy, options.first, options.second) == CURLE_OK) && ...);
}

auto Lower(std::string_view text) -> std::string {
  std::string lower(text);
  for (auto& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

/// What the caller makes of the end of a complete answer.
auto AfterTheLast(const Transfer& transfer) -> Status {
  const auto& request = transfer.request;
  if (!request.on_end || transfer.response.status >= 300 || *request.stopped) return {};
  try {
    return request.on_end();
  } catch (const std::exception& error) {
    return Fail(ErrorCode::kInternal, "cannot {}: {}", request.attempt, error.what());
  }
}

auto Trim(std::string_view text) -> std::string_view {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}
}  // namespace

auto Io::Create(std::string socket_path, std::size_t max_answer_bytes) -> base::Expected<std::shared_ptr<Io>> {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_NOTHING);
  if (global != CURLE_OK)
    return Fail(ErrorCode::kInternal, "cannot initialise libcurl: {}", curl_easy_strerror(global));
  PENSTOCK_ASSIGN(auto loop, base::EventLoop::Create());
  auto* multi = curl_multi_init();
  if (multi == nullptr) return Fail(ErrorCode::kExhausted, "cannot initialise libcurl: out of memory or descriptors");
  auto io = std::shared_ptr<Io>(new Io(std::move(socket_path), max_answer_bytes, std::move(loop), multi));
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &Io::OnSocket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, io.get());
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &Io::OnTimer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, io.get());

  // Signals are for the program's own threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    io->thread_ = std::thread([self = io.get()] {
      pthread_setname_np(pthread_self(), "penstock-docker");
      self->loop_->Run();
    });
    io->thread_id_ = io->thread_.get_id();
  } catch (const std::system_error& error) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return Fail(ErrorCode::kExhausted, "cannot start the thread that talks to the Docker engine: {}", error.what());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return io;
}

Io::Io(std::string socket_path, std::size_t max_answer_bytes, std::unique_ptr<base::EventLoop> loop, CURLM* multi)
    : socket_path_(std::move(socket_path)),
      max_answer_bytes_(max_answer_bytes),
      loop_(std::move(loop)),
      multi_(multi) {}

Io::~Io() { Shutdown(); }

void Io::Shutdown() {
  if (!thread_.joinable()) return;
  loop_->Post([this] {
    while (!active_.empty()) {
      const auto transfer = active_.begin()->second;
      Finish(transfer, tl::unexpected(CancelledError(transfer->request.attempt)));
    }
  });
  loop_->Stop();
  thread_.join();
}

void Io::Submit(std::shared_ptr<Transfer> transfer) {
  transfer->started = std::chrono::steady_clock::now();
  loop_->Post([this, transfer = std::move(transfer)] { Start(transfer); });
}

void Io::Cancel(std::shared_ptr<Transfer> transfer) {
  loop_->Post([this, transfer = std::move(transfer)] {
    Finish(transfer, tl::unexpected(CancelledError(transfer->request.attempt)));
  });
}

auto Io::Waited(const Transfer& transfer) const -> std::chrono::nanoseconds {
  return std::chrono::steady_clock::now() - transfer.started;
}

void Io::Start(const std::shared_ptr<Transfer>& transfer) {
  auto configured = Configure(*transfer);
  if (!configured) {
    transfer->easy.reset();
    transfer->Complete(std::move(configured));
    return;
  }
  active_.emplace(transfer->easy.get(), transfer);
  if (const auto left = transfer->deadline.remaining()) {
    transfer->timer = loop_->After(*left, [this, transfer] {
      transfer->timer.reset();
      Finish(transfer, tl::unexpected(DeadlineError(transfer->request.attempt, socket_path_, Waited(*transfer),
                                                    transfer->head_seen)));
    });
  }
  if (const auto code = curl_multi_add_handle(multi_.get(), transfer->easy.get()); code != CURLM_OK) {
    Finish(transfer,
           Fail(ErrorCode::kInternal, "cannot {}: libcurl: {}", transfer->request.attempt, curl_multi_strerror(code)));
  }
}

auto Io::Configure(Transfer& transfer) -> Status {
  const auto failed = [&] {
    return Fail(ErrorCode::kExhausted, "cannot {}: libcurl refuses the request (out of memory?)",
                transfer.request.attempt);
  };
  transfer.easy.reset(curl_easy_init());
  auto* easy = transfer.easy.get();
  if (easy == nullptr) return failed();
  const auto& request = transfer.request;
  const auto url = "http://docker" + request.target;
  bool good = SetAll(easy, std::pair(CURLOPT_UNIX_SOCKET_PATH, socket_path_.c_str()),   //
                     std::pair(CURLOPT_URL, url.c_str()),                               //
                     std::pair(CURLOPT_PATH_AS_IS, 1L),                                 //
                     std::pair(CURLOPT_PROXY, ""),                                      // whatever the environment says
                     std::pair(CURLOPT_NOSIGNAL, 1L),                                   //
                     std::pair(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1}),      //
                     std::pair(CURLOPT_ERRORBUFFER, transfer.curl_message.data()),      //
                     std::pair(CURLOPT_PRIVATE, static_cast<void*>(&transfer)),         //
                     std::pair(CURLOPT_OPENSOCKETFUNCTION, &OpenSocket),                //
                     std::pair(CURLOPT_OPENSOCKETDATA, static_cast<void*>(&transfer)),  //
                     std::pair(CURLOPT_HEADERFUNCTION, &Io::OnHeader),                  //
                     std::pair(CURLOPT_HEADERDATA, static_cast<void*>(&transfer)),      //
                     std::pair(CURLOPT_WRITEFUNCTION, &Io::OnBody),                     //
                     std::pair(CURLOPT_WRITEDATA, static_cast<void*>(&transfer)));

  const auto add_header = [&](const std::string& line) {
    auto* longer = curl_slist_append(transfer.header_list.get(), line.c_str());
    if (longer == nullptr) return false;
    static_cast<void>(transfer.header_list.release());
    transfer.header_list.reset(longer);
    return true;
  };
  good = good && add_header("Expect:");  // no extra round trip before a body
  if (!request.content_type.empty()) good = good && add_header("Content-Type: " + request.content_type);
  if (request.body_reader) {
    // The engine hears of a body's length by its end only.
    good = good && add_header("Transfer-Encoding: chunked") &&
           SetAll(easy, std::pair(CURLOPT_POST, 1L), std::pair(CURLOPT_READFUNCTION, &Io::OnRead),
                  std::pair(CURLOPT_READDATA, static_cast<void*>(&transfer)),
                  // On a connection that the engine is just closing it would have to be read again from its beginning.
                  std::pair(CURLOPT_FRESH_CONNECT, 1L));
  } else if (request.method == "POST") {
    good = good && SetAll(easy, std::pair(CURLOPT_POST, 1L), std::pair(CURLOPT_POSTFIELDS, request.body.c_str()),
                          std::pair(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size())));
  } else {
    good = good && SetAll(easy, std::pair(CURLOPT_CUSTOMREQUEST, request.method.c_str()));
  }
  good = good && SetAll(easy, std::pair(CURLOPT_HTTPHEADER, transfer.header_list.get()));
  return good ? Status{} : failed();
}

void Io::Finish(const std::shared_ptr<Transfer>& transfer, Status result) {
  const auto kept = transfer;  // `transfer` may be a reference into active_
  if (active_.erase(kept->easy.get()) == 0) return;
  curl_multi_remove_handle(multi_.get(), kept->easy.get());
  kept->easy.reset();
  kept->header_list.reset();
  if (kept->timer) loop_->Cancel(*kept->timer);
  kept->Complete(std::move(result));
}

void Io::Act(curl_socket_t socket, int events) {
  int running = 0;
  curl_multi_socket_action(multi_.get(), socket, events, &running);
  // After every action: a finished transfer causes no further event.
  int left = 0;
  while (const auto* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const auto found = active_.find(message->easy_handle);
    if (found == active_.end()) continue;
    const auto transfer = found->second;
    const auto code = message->data.result;  // the message does not outlive the handle
    Finish(transfer, ResultOf(*transfer, code));
  }
}

auto Io::ResultOf(Transfer& transfer, CURLcode code) const -> Status {
  const auto& attempt = transfer.request.attempt;
  if (transfer.callback_error) return tl::unexpected(*transfer.callback_error);
  if (transfer.refusal_cut) return {};
  const std::string_view message(transfer.curl_message.data());
  switch (code) {
    case CURLE_OK:
      // libcurl takes an end of file inside the head for an answer without a body.
      if (!transfer.head_seen) return tl::unexpected(LostError(attempt, socket_path_));
      return AfterTheLast(transfer);
    case CURLE_COULDNT_CONNECT: {
      if (transfer.socket_errno != 0) {
        return tl::unexpected(NoSocketError(attempt, transfer.socket_errno));
      }
      long saved_errno = 0;
      curl_easy_getinfo(transfer.easy.get(), CURLINFO_OS_ERRNO, &saved_errno);
      return tl::unexpected(ConnectError(socket_path_, static_cast<int>(saved_errno)));
    }
    case CURLE_OUT_OF_MEMORY:
      // Also libcurl's word for a line of the head beyond its bound.
      return tl::unexpected(
          MalformedError(attempt, "the answer has a header line of more than 100 kB, or memory is short"));
    case CURLE_RECV_ERROR:
      if (message.find("chunk") != std::string_view::npos) break;  // broken framing has the same code
      [[fallthrough]];
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
      return tl::unexpected(LostError(attempt, socket_path_));
    default:
      break;
  }
  return tl::unexpected(MalformedError(attempt, fmt::format("the answer is not proper HTTP ({})",
                                                            message.empty() ? curl_easy_strerror(code) : message)));
}

auto Io::OnSocket(CURL* /*easy*/, curl_socket_t socket, int what, void* self, void* /*unused*/) -> int {
  auto& io = *static_cast<Io*>(self);
  io.loop_->Unwatch(socket);
  if (what == CURL_POLL_REMOVE) return 0;
  const auto events = ((what & CURL_POLL_IN) != 0 ? std::uint32_t{EPOLLIN} : 0U) |
                      ((what & CURL_POLL_OUT) != 0 ? std::uint32_t{EPOLLOUT} : 0U);
  const auto watched = io.loop_->Watch(socket, events, [&io, socket](std::uint32_t ready) {
    int flags = 0;
    if ((ready & (EPOLLIN | EPOLLHUP)) != 0) flags |= CURL_CSELECT_IN;
    if ((ready & EPOLLOUT) != 0) flags |= CURL_CSELECT_OUT;
    if ((ready & EPOLLERR) != 0) flags |= CURL_CSELECT_ERR;
    io.Act(socket, flags);
  });
  if (watched) return 0;
  base::Log(base::LogLevel::kError, "the Docker engine's connection cannot be watched: {}", watched.error().ToString());
  return -1;
}

auto Io::OnTimer(CURLM* /*multi*/, long timeout_ms, void* self) -> int {
  auto& io = *static_cast<Io*>(self);
  io.loop_->Cancel(io.curl_timer_);
  // Never acts here: libcurl forbids calls from inside its callbacks.
  if (timeout_ms >= 0) {
    io.curl_timer_ = io.loop_->After(std::chrono::milliseconds(timeout_ms), [&io] { io.Act(CURL_SOCKET_TIMEOUT, 0); });
  }
  return 0;
}

auto Io::OnHeader(char* data, std::size_t size, std::size_t count, void* user) -> std::size_t {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view line(data, size * count);
  transfer.headers_bytes += line.size();
  if (transfer.headers_bytes > kMaxHeadBytes) return 0;
  if (line.starts_with("HTTP/")) {
    transfer.response.headers.clear();
    return line.size();
  }
  if (!Trim(line).empty()) {
    const auto colon = line.find(':');
    if (colon != std::string_view::npos) {
      transfer.response.headers[Lower(Trim(line.substr(0, colon)))] = Trim(line.substr(colon + 1));
    }
    return line.size();
  }
  long status = 0;
  curl_easy_getinfo(transfer.easy.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status < 200 || transfer.head_seen) return line.size();  // "100 Continue" comes before the real one
  transfer.response.status = static_cast<int>(status);
  transfer.head_seen = true;
  if (transfer.kind == Transfer::Kind::kStream && status < 300) {
    const auto io = transfer.io.lock();
    if (io && transfer.timer) io->loop_->Cancel(*std::exchange(transfer.timer, std::nullopt));
    transfer.SetHead();
  }
  return line.size();
}

auto Io::OnBody(char* data, std::size_t size, std::size_t count, void* user) -> std::size_t {
  constexpr std::size_t kRefused = CURL_WRITEFUNC_ERROR;
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view piece(data, size * count);
  try {
    if (transfer.request.on_data && transfer.response.status < 300) {
      if (*transfer.request.stopped) return piece.size();
      auto taken = transfer.request.on_data(piece);
      if (taken) return piece.size();
      transfer.callback_error = std::move(taken).error();
      return kRefused;
    }
    const auto io = transfer.io.lock();
    return io && io->Collect(transfer, piece) ? piece.size() : kRefused;
  } catch (const std::exception& error) {
    transfer.callback_error =
        base::Error(ErrorCode::kInternal, fmt::format("cannot {}: {}", transfer.request.attempt, error.what()));
    return kRefused;
  }
}

auto Io::Collect(Transfer& transfer, std::string_view piece) const -> bool {
  auto& body = transfer.response.body;
  if (transfer.response.status >= 300) {
    body.append(piece.substr(0, kMaxRefusalBytes - body.size()));
    transfer.refusal_cut = body.size() == kMaxRefusalBytes;
    return !transfer.refusal_cut;
  }
  curl_off_t announced = -1;
  curl_easy_getinfo(transfer.easy.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
  if (std::cmp_less_equal(announced, max_answer_bytes_) && body.size() + piece.size() <= max_answer_bytes_) {
    body.append(piece);
    return true;
  }
  transfer.callback_error =
      MalformedError(transfer.request.attempt, fmt::format("the answer is larger than {} bytes", max_answer_bytes_));
  return false;
}

auto Io::OnRead(char* room, std::size_t size, std::size_t count, void* user) -> std::size_t {
  auto& transfer = *static_cast<Transfer*>(user);
  try {
    if (const auto got = transfer.request.body_reader(room, size * count)) return *got;
    transfer.callback_error =
        base::Error(ErrorCode::kUnavailable,
                    fmt::format("cannot {}: reading what was to be sent failed", transfer.request.attempt));
  } catch (const std::exception& error) {
    transfer.callback_error =
        base::Error(ErrorCode::kInternal, fmt::format("cannot {}: {}", transfer.request.attempt, error.what()));
  }
  return CURL_READFUNC_ABORT;
}

}  // namespace penstock::docker
