// Whole HTTP answers, sent to the real client over a Unix socket by an engine that says what the input says and hangs
// up. Of a real engine only connect(2) is missing, which costs more than all the rest. The first byte of an input: 'A'
// for an answer that is collected, 'O' for output in frames, 'E' for events.
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "base/testing/fuzz.h"
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

// A place for the client to connect to, where nobody listens: see connect() below.
constexpr const char* kPath = "/engine-of-the-fuzz-target";
constexpr std::size_t kMaxAnswerBytes = 1UL << 20;

/// The engine of all inputs, without a thread: it has answered and ended its side before it is asked. What is asked
/// stays unread in the socket, which is closed when the next input comes.
class Engine final {
 public:
  void Say(std::string_view answer) {
    const std::lock_guard lock(mutex_);
    answer_ = answer;
    connections_.clear();
  }

  /// Makes the client's socket one end of a pair.
  auto Connect(int client) -> int {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) return -1;
    const base::UniqueFd theirs(ends[0]);
    base::UniqueFd ours(ends[1]);
    if (::dup3(theirs.get(), client, O_CLOEXEC) < 0) return -1;
    const std::lock_guard lock(mutex_);
    Require(::send(ours.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(answer_.size()),
            "an answer of {} bytes does not fit into a socket", answer_.size());
    ::shutdown(ours.get(), SHUT_WR);
    connections_.push_back(std::move(ours));
    return 0;
  }

 private:
  std::mutex mutex_;
  std::string answer_;
  std::vector<base::UniqueFd> connections_;
};

auto TheEngine() -> Engine& {
  static auto& engine = *new Engine;  // NOLINT: the client's thread may outlive main
  return engine;
}

// Where it is asked and where it is answered are two threads that take turns: handing over is cheapest on one
// processor.
void StayOnThisProcessor() {
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(static_cast<std::size_t>(::sched_getcpu()), &here);
  ::sched_setaffinity(0, sizeof(here), &here);
}

auto Client() -> HttpClient& {
  static const auto client = [] {
    StayOnThisProcessor();
    return *HttpClient::Create(kPath, kMaxAnswerBytes, nullptr);
  }();
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
    FrameDecoder frames("fuzz");
    const OutputSink sink = [](OutputStream, std::string_view) {};
    return TryStream({.attempt = "fuzz",
                      .target = "/fuzz",
                      .on_data = [&](std::string_view piece) { return frames.Feed(piece, sink); },
                      .on_end = [&] { return frames.Finish(); }},
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
                      .on_data = [&](std::string_view piece) { return lines.Feed(piece, decode); },
                      .on_end = [&] { return lines.Flush(decode); }},
                     call);
  }
  TryAnswer(call);
}

}  // namespace
}  // namespace penstock::docker

// Instead of the C library's, for libcurl, which finds it only where it is visible. No other connections are made here.
extern "C" [[gnu::visibility("default")]] auto connect(int client, const sockaddr* /*address*/, socklen_t /*size*/)
    -> int {
  return penstock::docker::TheEngine().Connect(client);
}

// Most of the time went into keeping freed memory, and the stack of every allocation.
extern "C" auto __asan_default_options() -> const char* { return "quarantine_size_mb=4:malloc_context_size=6"; }

// The fuzzer takes an input for a leak whose memory the client's thread is still freeing, and runs it again under a
// much slower check. What is leaked is found at the end.
extern "C" auto LLVMFuzzerInitialize(int* count, char*** arguments) -> int {
  static std::vector<char*> all(*arguments, *arguments + *count);
  static std::string option = "-detect_leaks=0";
  all.insert(all.begin() + 1, option.data());
  all.push_back(nullptr);
  *count += 1;
  *arguments = all.data();
  return 0;
}

extern "C" auto LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) -> int {
  penstock::docker::Try(data, size);
  return 0;
}
