#include "docker/engine.h"

#include <sys/utsname.h>

#include <algorithm>

#include "docker/decode.h"
#include "docker/errors.h"
#include "docker/http.h"
#include "docker/readable.h"
#include "docker/socket_path.h"

namespace penstock::docker {
using base::ErrorCode;
using base::Expected;
using base::Fail;
using base::Status;

auto Engine::Connect(EngineOptions options, Call call) -> Expected<std::unique_ptr<Engine>> {
  PENSTOCK_ASSIGN(auto path, SocketPath(options.host));
  PENSTOCK_ASSIGN(auto http, HttpClient::Create(path, options.max_answer_bytes, std::move(options.observer)));
  auto engine = std::unique_ptr<Engine>(new Engine(std::move(http), std::move(path), options.max_answer_bytes));
  PENSTOCK_TRY(engine->Negotiate(std::move(call)));
  return engine;
}

Engine::Engine(std::unique_ptr<HttpClient> http, std::string socket_path, std::size_t max_answer_bytes)
    : http_(std::move(http)), socket_path_(std::move(socket_path)), max_answer_bytes_(max_answer_bytes) {}

Engine::~Engine() = default;

auto Engine::Negotiate(Call call) -> Status {
  constexpr std::size_t kQuotedBytes = 80;
  constexpr std::string_view kAttempt = "connect to the Docker engine";
  PENSTOCK_ASSIGN(const auto pong, Ask({.attempt = std::string(kAttempt), .target = "/_ping"}, call));
  const auto announced = pong.headers.find("api-version");
  const auto newest = announced == pong.headers.end() ? std::nullopt : ParseApiVersion(announced->second);
  if (!newest) {
    const auto says = announced == pong.headers.end()
                          ? "does not say its API version"
                          : fmt::format("says that its API version is '{}'", Readable(announced->second, kQuotedBytes));
    return tl::unexpected(MalformedError(kAttempt, fmt::format("what listens at {} {}", socket_path_, says)));
  }
  api_ = std::min(*newest, kNewestApi);
  // Asked without a version, so that an engine that is too old or too new can still say so.
  PENSTOCK_ASSIGN(const auto answer, Ask({.attempt = std::string(kAttempt), .target = "/version"}, std::move(call)));
  PENSTOCK_ASSIGN(version_, DecodeVersion(kAttempt, answer.body));
  if (version_.api < version_.api_min) {
    return tl::unexpected(
        MalformedError(kAttempt, fmt::format("what listens at {} says that it speaks API {} to {}", socket_path_,
                                             ToString(version_.api_min), ToString(version_.api))));
  }
  if (api_ < kOldestApi) {
    return Fail(
        ErrorCode::kUnsupported,
        "the Docker engine at {} is too old: version {} speaks API {}, needed is {}: install Docker Engine 20.10 "
        "or newer",
        socket_path_, version_.engine, ToString(*newest), ToString(kOldestApi));
  }
  if (api_ < version_.api_min) {
    return Fail(
        ErrorCode::kUnsupported,
        "the Docker engine at {} is too new for this Penstock: version {} speaks API {} and newer, Penstock {}: "
        "upgrade Penstock",
        socket_path_, version_.engine, ToString(version_.api_min), ToString(kNewestApi));
  }
  if (!version_.os.empty() && version_.os != "linux") {
    return Fail(ErrorCode::kUnsupported,
                "the Docker engine at {} runs {} containers, but Linux ones are needed: switch it to Linux containers",
                socket_path_, version_.os);
  }
  utsname here{};
  ::uname(&here);
  if (!version_.kernel.empty() && version_.kernel != here.release) {
    return Fail(ErrorCode::kUnsupported,
                "the Docker engine at {} runs on another kernel ({}, here it is {}), as in Docker Desktop's virtual "
                "machine or behind a forwarded socket, but must share this machine's, so that memory can be shared: "
                "install Docker Engine here and set DOCKER_HOST to its socket",
                socket_path_, version_.kernel, here.release);
  }
  return {};
}

auto Engine::Path(std::string_view path) const -> std::string { return fmt::format("/v{}{}", ToString(api_), path); }

auto Engine::Ask(HttpRequest request, Call call) const -> Expected<HttpResponse> {
  return http_->Perform(std::move(request), std::move(call));
}

auto Engine::Ping(Call call) const -> Status {
  PENSTOCK_TRY(Ask({.attempt = "ping the Docker engine", .target = "/_ping"}, std::move(call)));
  return {};
}

auto Engine::Info(Call call) const -> Expected<SystemInfo> {
  const std::string attempt = "ask the Docker engine for its settings";
  PENSTOCK_ASSIGN(const auto answer, Ask({.attempt = attempt, .target = Path("/info")}, std::move(call)));
  return DecodeInfo(attempt, answer.body);
}

}  // namespace penstock::docker
