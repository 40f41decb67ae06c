// Whole HTTP answers, sent to the real client over a Unix socket by an engine that says what the input says and hangs
// up. The first byte of an input: 'A' for an answer that is collected, 'O' for output in frames, 'E' for events.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>

#include "base/testing/fuzz.h"
#include "base/testing/temporary_directory.h"
#include "base/unique_fd.h"
#include "docker/decode.h"
#include "docker/frames.h"
#include "docker/http.h"
#include "docker/lines.h"

namespace penstock::docker {
namespace {
using base::ErrorCode;
using base::testing::FuzzInput;
using base::testing::Require;

// The client must find the end of every answer by itself; this is only where a hang becomes a crash.
constexpr std::chrono::seconds kHang{60};

/// Serves one connection after another, on a thread that lives as long as the process.
class Engine final {
 public:
  Engine() : path_((directory_.path() / "engine").string()) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(static_cast<char*>(address.sun_path), sizeof(address.sun_path) - 1);
    listener_ = base::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    Require(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
                ::listen(listener_.get(), 16) == 0,
            "no socket at {}", path_);
    std::thread([this] { Serve(); }).detach();
  }

  auto path() const -> const std::string& { return path_; }
  void Say(std::string_view answer) {
    const std::lock_guard lock(mutex_);
    answer_ = answer;
  }

 private:
  void Serve() {
    for (;;) {
      const base::UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (client && ReadHead(client)) Answer(client);
    }
  }

  static auto ReadHead(const base::UniqueFd& client) -> bool {
    std::string head;
    std::array<char, 4096> part{};
    while (head.find("\r\n\r\n") == std::string::npos) {
      const auto got = ::read(client.get(), part.data(), part.size());
      if (got <= 0) return false;
      head.append(part.data(), static_cast<std::size_t>(got));
    }
    return true;
  }

  void Answer(const base::UniqueFd& client) {
    const std::lock_guard lock(mutex_);
    std::string_view left = answer_;
    while (!left.empty()) {
      const auto sent = ::send(client.get(), left.data(), left.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      left.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  base::testing::TemporaryDirectory directory_;
  std::string path_;
  base::UniqueFd listener_;
  std::mutex mutex_;
  std::string answer_;
};

auto TheEngine() -> Engine& {
  static auto& engine = *new Engine;  // NOLINT: its thread outlives main
  return engine;
}

auto Client() -> HttpClient& {
  static const auto client = *HttpClient::Create(TheEngine().path(), nullptr);
  return *client;
}

void RequireExplained(const base::Error& error) {
  Require(error.code() != ErrorCode::kDeadline, "an answer without an end: {}", error.ToString());
  Require(error.code() != ErrorCode::kInternal && error.code() != ErrorCode::kCancelled, "{}", error.ToString());
  Require(!error.message().empty(), "an error without a sentence");
}

void TryAnswer(const Call& call) {
  const auto answer = Client().Perform({.attempt = "fuzz", .target = "/fuzz"}, call);
  if (!answer) return RequireExplained(answer.error());
  Require((answer->status >= 200 && answer->status < 300) || answer->status == 304, "status {} is taken for success",
          answer->status);
  for (const auto& [name, value] : answer->headers) {
    for (const char c : name) Require(c < 'A' || c > 'Z', "a header is called '{}'", name);
    Require(!value.starts_with(' ') && !value.ends_with('\r'), "a header says '{}'", value);
  }
}

void TryStream(HttpRequest request, const Call& call) {
  bool ended = false;
  auto stream = Client().Open(std::move(request), [&ended](const base::Status&) { ended = true; }, call);
  if (!stream) return RequireExplained(stream.error());
  const auto how = stream->Wait(call.deadline);
  Require(ended, "a stream has ended unheard");
  if (!how) RequireExplained(how.error());
}

void Try(const std::uint8_t* data, std::size_t size) {
  FuzzInput input(data, size);
  const auto what = input.Take<std::uint8_t>();
  TheEngine().Say(input.text());
  const Call call(base::Deadline::In(kHang));
  if (what == 'O') {
    FrameDecoder frames;
    const OutputSink sink = [](OutputStream, std::string_view) {};
    return TryStream({.attempt = "fuzz",
                      .target = "/fuzz",
                      .on_data = [&](std::string_view piece) { return frames.Feed(piece, sink); }},
                     call);
  }
  if (what == 'E') {
    LineDecoder lines;
    const LineDecoder::Sink decode = [](std::string_view line) -> base::Status {
      PENSTOCK_ASSIGN(const auto event, DecodeEvent("fuzz", line));
      Require(!event.type.empty(), "an event of nothing");
      return {};
    };
    return TryStream({.attempt = "fuzz",
                      .target = "/fuzz",
                      .on_data = [&](std::string_view piece) { return lines.Feed(piece, decode); }},
                     call);
  }
  TryAnswer(call);
}

}  // namespace
}  // namespace penstock::docker

extern "C" auto LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) -> int {
  penstock::docker::Try(data, size);
  return 0;
}
