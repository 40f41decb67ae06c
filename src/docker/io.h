// The I/O thread: libcurl's multi interface on an event loop.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>
#include <thread>
#include <unordered_map>

#include "base/event_loop.h"
#include "docker/transfer.h"

namespace penstock::docker {

struct MultiDeleter {
  void operator()(CURLM* multi) const noexcept { curl_multi_cleanup(multi); }
};

class Io final {
 public:
  static auto Create(std::string socket_path, std::size_t max_answer_bytes) -> base::Expected<std::shared_ptr<Io>>;
  Io(const Io&) = delete;
  auto operator=(const Io&) -> Io& = delete;
  ~Io();

  // Any thread.
  void Submit(std::shared_ptr<Transfer> transfer);
  /// Ends it with kCancelled, if it has not ended.
  void Cancel(std::shared_ptr<Transfer> transfer);
  auto OnThisThread() const noexcept -> bool { return std::this_thread::get_id() == thread_id_; }
  auto socket_path() const noexcept -> const std::string& { return socket_path_; }

  /// Ends all transfers and the thread. Nothing may be submitted afterwards.
  void Shutdown();

 private:
  Io(std::string socket_path, std::size_t max_answer_bytes, std::unique_ptr<base::EventLoop> loop, CURLM* multi);
  auto Configure(Transfer& transfer) -> base::Status;
  void Start(const std::shared_ptr<Transfer>& transfer);
  void Finish(const std::shared_ptr<Transfer>& transfer, base::Status result);
  void Act(curl_socket_t socket, int events);
  auto ResultOf(Transfer& transfer, CURLcode code) const -> base::Status;
  auto Collect(Transfer& transfer, std::string_view piece) const -> bool;
  auto Waited(const Transfer& transfer) const -> std::chrono::nanoseconds;

  static auto OnSocket(CURL* easy, curl_socket_t socket, int what, void* self, void* unused) -> int;
  static auto OnTimer(CURLM* multi, long timeout_ms, void* self) -> int;
  static auto OnHeader(char* data, std::size_t size, std::size_t count, void* transfer) -> std::size_t;
  static auto OnBody(char* data, std::size_t size, std::size_t count, void* transfer) -> std::size_t;
  static auto OnRead(char* room, std::size_t size, std::size_t count, void* transfer) -> std::size_t;

  const std::string socket_path_;
  const std::size_t max_answer_bytes_;
  std::unique_ptr<base::EventLoop> loop_;
  std::unique_ptr<CURLM, MultiDeleter> multi_;
  base::EventLoop::TimerId curl_timer_ = 0;
  std::unordered_map<CURL*, std::shared_ptr<Transfer>> active_;
  std::thread thread_;
  std::thread::id thread_id_;  // asked for while another thread may be joining
};

}  // namespace penstock::docker
