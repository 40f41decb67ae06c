// Engine: calls about containers.
#include <fmt/chrono.h>

#include <cmath>

#include "docker/decode.h"
#include "docker/encode.h"
#include "docker/engine.h"
#include "docker/frames.h"
#include "docker/http.h"
#include "docker/paths.h"

namespace penstock::docker {
namespace {
using base::ErrorCode;
using base::Expected;
using base::Status;

constexpr auto kJson = "application/json";

auto WaitCondition(WaitFor condition) -> std::string {
  switch (condition) {
    case WaitFor::kNotRunning:
      return "not-running";
    case WaitFor::kNextExit:
      return "next-exit";
    case WaitFor::kRemoved:
      return "removed";
  }
  return {};
}
}  // namespace

auto Engine::Create(const ContainerSpec& spec, Call call) const -> Expected<CreatedContainer> {
  const auto attempt = fmt::format("create container '{}' from image '{}'", spec.name, spec.image);
  PENSTOCK_ASSIGN(auto body, EncodeContainer(spec));
  PENSTOCK_ASSIGN(const auto answer, Ask({.attempt = attempt,
                                          .method = "POST",
                                          .target = Path("/containers/create") + Query({{"name", spec.name}}),
                                          .content_type = kJson,
                                          .body = std::move(body)},
                                         std::move(call)));
  return DecodeCreated(attempt, answer.body);
}

auto Engine::Start(const std::string& container, Call call) const -> Status {
  PENSTOCK_ASSIGN(const auto name, PathSegment("container", container));
  PENSTOCK_TRY(Ask({.attempt = fmt::format("start container '{}'", container),
                    .method = "POST",
                    .target = Path(fmt::format("/containers/{}/start", name))},
                   std::move(call)));
  return {};
}

auto Engine::Kill(const std::string& container, const std::string& signal, Call call) const -> Status {
  PENSTOCK_ASSIGN(const auto name, PathSegment("container", container));
  PENSTOCK_TRY(Ask({.attempt = fmt::format("send {} to container '{}'", signal, container),
                    .method = "POST",
                    .target = Path(fmt::format("/containers/{}/kill", name)) + Query({{"signal", signal}})},
                   std::move(call)));
  return {};
}

auto Engine::Stop(const std::string& container, std::chrono::milliseconds grace, Call call) const
    -> Expected<std::int64_t> {
  const auto signal = [&](const std::string& which) -> Status {
    auto sent = Kill(container, which, call);
    if (!sent && sent.error().code() == ErrorCode::kConflict) return {};  // it ended first
    return sent;
  };
  PENSTOCK_TRY(signal("SIGTERM"));
  const auto asked = base::Deadline::In(grace);
  const bool grace_ends_first = call.deadline.never() || *asked.time() < *call.deadline.time();
  auto ended = Wait(container, WaitFor::kNotRunning, {grace_ends_first ? asked : call.deadline, call.stop});
  if (ended || ended.error().code() != ErrorCode::kDeadline || !grace_ends_first) return ended;
  PENSTOCK_TRY(signal("SIGKILL"));
  return Wait(container, WaitFor::kNotRunning, std::move(call));
}

auto Engine::Wait(const std::string& container, WaitFor condition, Call call) const -> Expected<std::int64_t> {
  const auto attempt = fmt::format("wait for container '{}'", container);
  PENSTOCK_ASSIGN(const auto name, PathSegment("container", container));
  PENSTOCK_ASSIGN(const auto answer, Ask({.attempt = attempt,
                                          .method = "POST",
                                          .target = Path(fmt::format("/containers/{}/wait", name)) +
                                                    Query({{"condition", WaitCondition(condition)}})},
                                         std::move(call)));
  return DecodeExitCode(attempt, answer.body);
}

auto Engine::Inspect(const std::string& container, Call call) const -> Expected<Container> {
  const auto attempt = fmt::format("inspect container '{}'", container);
  PENSTOCK_ASSIGN(const auto name, PathSegment("container", container));
  PENSTOCK_ASSIGN(const auto answer,
                  Ask({.attempt = attempt, .target = Path(fmt::format("/containers/{}/json", name))}, std::move(call)));
  return DecodeContainer(attempt, answer.body);
}

auto Engine::List(const Strings& labels, Call call) const -> Expected<std::vector<ContainerSummary>> {
  const std::string attempt = "list containers";
  PENSTOCK_ASSIGN(auto filters, EncodeFilters({{"label", labels}}));
  PENSTOCK_ASSIGN(const auto answer,
                  Ask({.attempt = attempt,
                       .target = Path("/containers/json") + Query({{"all", "1"}, {"filters", std::move(filters)}})},
                      std::move(call)));
  return DecodeContainers(attempt, answer.body);
}

auto Engine::Remove(const std::string& container, Call call) const -> Expected<Removal> {
  PENSTOCK_ASSIGN(const auto name, PathSegment("container", container));
  const auto answer = Ask({.attempt = fmt::format("remove container '{}'", container),
                           .method = "DELETE",
                           .target = Path(fmt::format("/containers/{}", name)) + Query({{"force", "1"}, {"v", "1"}})},
                          call);
  if (answer) return Removal::kRemoved;
  if (answer.error().code() == ErrorCode::kNotFound) return Removal::kWasGone;
  const bool going = answer.error().code() == ErrorCode::kConflict &&
                     answer.error().message().find("already in progress") != std::string::npos;
  if (!going) return tl::unexpected(answer.error());
  const auto gone = Wait(container, WaitFor::kRemoved, std::move(call));
  if (gone || gone.error().code() == ErrorCode::kNotFound) return Removal::kWasGone;
  return tl::unexpected(gone.error());
}

auto Engine::Logs(const std::string& container, const LogQuery& query, Call call) const -> Expected<Output> {
  const auto attempt = fmt::format("read the output of container '{}'", container);
  PENSTOCK_ASSIGN(const auto name, PathSegment("container", container));
  std::string since;
  if (query.since) {
    const auto time = std::chrono::duration_cast<std::chrono::nanoseconds>(query.since->time_since_epoch()).count();
    since = fmt::format("{}.{:09}", time / 1'000'000'000, time % 1'000'000'000);
  }
  Output output;
  FrameDecoder frames(attempt);
  const OutputSink collect = [&output](OutputStream stream, std::string_view piece) {
    (stream == OutputStream::kStdout ? output.out : output.err).append(piece);
  };
  PENSTOCK_TRY(Ask({.attempt = attempt,
                    .target = Path(fmt::format("/containers/{}/logs", name)) +
                              Query({{"stdout", "1"},
                                     {"stderr", "1"},
                                     {"timestamps", query.timestamps ? "1" : ""},
                                     {"since", since},
                                     {"tail", query.tail_lines ? std::to_string(*query.tail_lines) : ""}}),
                    .on_data = [&](std::string_view piece) -> Status {
                      if (output.out.size() + output.err.size() + piece.size() > max_answer_bytes_) {
                        return base::Fail(ErrorCode::kExhausted,
                                          "cannot {}: it is more than {} bytes: read its last lines only (tail_lines)",
                                          attempt, max_answer_bytes_);
                      }
                      return frames.Feed(piece, collect);
                    },
                    .on_end = [&] { return frames.Finish(); }},
                   std::move(call)));
  return output;
}

}  // namespace penstock::docker
