#include "docker/testing/engine_calls.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>

namespace penstock::docker {
namespace {
using base::Status;

// A large body, so that an engine which does not read it fills the socket.
constexpr std::size_t kUploadBytes = 1UL << 20;

template <class T>
auto StatusOf(const base::Expected<T>& result) -> Status {
  if (result) return {};
  return tl::unexpected(result.error());
}

auto Upload() -> BodyReader {
  return [left = kUploadBytes](char* room, std::size_t size) mutable {
    const auto taken = std::min(size, left);
    std::fill_n(room, taken, 'x');
    left -= taken;
    return std::optional(taken);
  };
}

// Waits for the end of the stream that `open` makes. Both who waits and who is called must learn the same.
auto ToItsEnd(const std::function<base::Expected<Stream>(StreamEnd)>& open, const Call& call) -> Status {
  std::mutex mutex;
  std::optional<Status> told;
  auto stream = open([&](const Status& end) {
    const std::lock_guard lock(mutex);
    told = end;
  });
  if (!stream) return tl::unexpected(stream.error());
  auto waited = stream->Wait(call.deadline);
  stream->Stop();
  const std::lock_guard lock(mutex);
  if (told && (told->has_value() != waited.has_value() || (!waited && told->error().code() != waited.error().code()))) {
    return base::Fail(base::ErrorCode::kInternal, "the stream's end is told in two ways: {} and {}",
                      *told ? "success" : told->error().ToString(), waited ? "success" : waited.error().ToString());
  }
  return waited;
}

template <class Function>
auto With(Function function) -> decltype(EngineCall::run) {
  return [function](const Engine* engine, const EngineOptions& /*options*/, const Call& call) {
    return StatusOf(function(*engine, call));
  };
}

constexpr auto kVersion = R"({"Version": "24.0.7", "ApiVersion": "1.43", "MinAPIVersion": "1.12", "Os": "linux"})";
constexpr auto kContainer =
    R"({"Id": "c1", "Name": "/n", "Image": "sha256:a", "State": {"Status": "running", "Running": true, "Pid": 7},)"
    R"( "Config": {"Image": "i:1", "Labels": {"a": "b"}}})";
constexpr auto kImage =
    R"({"Id": "sha256:a", "RepoTags": ["i:1"], "Size": 5, "RootFS": {"Layers": ["sha256:b"]}, "Config": {"Env": ["A=b"]}})";
constexpr auto kEvent =
    "{\"Type\": \"container\", \"Action\": \"die\", \"Actor\": {\"ID\": \"c1\", \"Attributes\": {\"exitCode\": \"3\"}},"
    " \"timeNano\": 5}\n";
constexpr auto kProgress = "{\"status\": \"Pulling\", \"id\": \"a\", \"progressDetail\": {}}\n{\"status\": \"done\"}\n";
constexpr auto kImported = "{\"status\": \"sha256:abc\"}\n";
constexpr auto kBuilt = "{\"stream\": \"Step 1/1 : FROM x\\n\"}\r\n{\"aux\": {\"ID\": \"sha256:abc\"}}\r\n";
constexpr auto kBeingRemoved = R"({"message": "removal of container c1 is already in progress"})";
constexpr auto kEnded = R"({"StatusCode": 3, "Error": null})";

auto WrongLines() -> Strings {
  return {"[]\n",
          "3\n",
          R"({"status": 3})"
          "\n",
          R"({"stream": ["a"]})"
          "\n",
          R"({"errorDetail": "x"})"
          "\n",
          R"({"errorDetail": {"message": 3}})"
          "\n",
          R"({"aux": {"ID": {}}})"
          "\n",
          R"({"id": 1})"};
}
auto WrongExits() -> Strings {
  return {"{}",
          "[]",
          "3",
          "null",
          R"({"StatusCode": "3"})",
          R"({"StatusCode": null})",
          R"({"StatusCode": 1.5})",
          R"({"StatusCode": 1, "Error": "x"})",
          R"({"StatusCode": 1, "Error": {"Message": 1}})"};
}

auto ConnectCalls() -> std::vector<EngineCall> {
  const std::vector<GoodAnswer> answers = {{.to = "/_ping", .body = "OK", .headers = "Api-Version: 1.43\r\n"},
                                           {.to = "/version", .body = kVersion}};
  const auto run = [](const Engine* /*none*/, const EngineOptions& options, const Call& call) {
    return StatusOf(Engine::Connect(options, call));
  };
  return {{.name = "Connect",
           .attempt = "connect to the Docker engine",
           .reads = Reads::kValue,
           .answers = answers,
           .wrong = {"OK"},
           .connects = true,
           .run = run},
          {.name = "ConnectVersion",
           .attempt = "connect to the Docker engine",
           .reads = Reads::kValue,
           .answers = answers,
           .spoiled = 1,
           .wrong = {"[]", "null", "{}", R"({"ApiVersion": 1.43})", R"({"ApiVersion": "latest"})",
                     R"({"ApiVersion": "1.43", "MinAPIVersion": [1, 12]})", R"({"ApiVersion": "1.43", "Os": 1})",
                     R"({"ApiVersion": "1.43", "KernelVersion": {}})"},
           .connects = true,
           .run = run}};
}

auto SystemCalls() -> std::vector<EngineCall> {
  return {
      {.name = "Ping",
       .attempt = "ping the Docker engine",
       .answers = {{.body = "OK"}},
       .run = With([](const Engine& engine, const Call& call) { return engine.Ping(call); })},
      {.name = "Info",
       .attempt = "ask the Docker engine for its settings",
       .reads = Reads::kValue,
       .answers = {{.body = R"({"ID": "i", "NCPU": 2, "MemTotal": 5, "Warnings": null})"}},
       .wrong = {"[]", "null", R"({"ID": 1})", R"({"NCPU": "2"})", R"({"NCPU": 99999999999})", R"({"MemTotal": 1.5})",
                 R"({"MemTotal": 18446744073709551615})", R"({"SecurityOptions": {}})", R"({"Warnings": [3]})"},
       .run = With([](const Engine& engine, const Call& call) { return engine.Info(call); })}};
}

auto ImageCalls() -> std::vector<EngineCall> {
  return {{.name = "InspectImage",
           .attempt = "inspect image 'i:1'",
           .reads = Reads::kValue,
           .answers = {{.body = kImage}},
           .wrong = {"[]", "null", "{}", R"({"Id": ""})", R"({"Id": 1})", R"({"Id": "a", "Config": []})",
                     R"({"Id": "a", "RepoTags": {"a": "b"}})", R"({"Id": "a", "RootFS": {"Layers": [{}]}})",
                     R"({"Id": "a", "Config": {"Labels": ["a"]}})", R"({"Id": "a", "Config": {"Env": "A=b"}})",
                     R"({"Id": "a", "Size": "5"})"},
           .run = With([](const Engine& engine, const Call& call) { return engine.InspectImage("i:1", call); })},
          {.name = "ListImages",
           .attempt = "list images",
           .reads = Reads::kValue,
           .answers = {{.body = R"([{"Id": "sha256:a", "RepoTags": null, "Labels": null, "Created": 1, "Size": 2}])"}},
           .wrong = {"{}", "3", "[3]", "[null]", "[{}]", R"([{"Id": 1}])", R"([{"Id": "a", "RepoTags": "x"}])",
                     R"([{"Id": "a", "Labels": {"a": 1}}])", R"([{"Id": "a", "Created": "now"}])"},
           .run = With([](const Engine& engine, const Call& call) { return engine.ListImages({"l"}, call); })},
          {.name = "TagImage",
           .attempt = "tag image 'i:1' as 'r:t'",
           .answers = {{.status = 201}},
           .run = With([](const Engine& engine, const Call& call) { return engine.TagImage("i:1", "r", "t", call); })},
          {.name = "RemoveImage",
           .attempt = "remove image 'i:1'",
           .answers = {{.body = R"([{"Untagged": "i:1"}])"}},
           .run = With([](const Engine& engine, const Call& call) {
             return engine.RemoveImage("i:1", {.force = true}, call);
           })},
          {.name = "ImportImage",
           .attempt = "import image 'r:t'",
           .reads = Reads::kLines,
           .answers = {{.body = kImported}},
           .wrong = WrongLines(),
           .uploads = true,
           .run = With([](const Engine& engine, const Call& call) {
             return engine.ImportImage(Upload(), "r", "t", {"LABEL a=b"}, call);
           })},
          {.name = "PullImage",
           .attempt = "pull image 'i:1'",
           .reads = Reads::kLines,
           .answers = {{.body = kProgress}},
           .wrong = WrongLines(),
           .run = With([](const Engine& engine, const Call& call) { return engine.PullImage("i:1", nullptr, call); })},
          {.name = "Build",
           .attempt = "build image 'r:t'",
           .reads = Reads::kLines,
           .answers = {{.body = kBuilt}},
           .wrong = WrongLines(),
           .run = With([](const Engine& engine, const Call& call) {
             return engine.Build({.context = std::string(kUploadBytes, 'x'), .tags = {"r:t"}}, nullptr, call);
           })},
          {.name = "BuildFromReader",
           .attempt = "build image 'Dockerfile'",
           .reads = Reads::kLines,
           .answers = {{.body = kBuilt}},
           .wrong = WrongLines(),
           .uploads = true,
           .run = With([](const Engine& engine, const Call& call) {
             return engine.Build({.context_reader = Upload()}, nullptr, call);
           })},
          {.name = "Commit",
           .attempt = "commit container 'c1' as 'r:t'",
           .reads = Reads::kValue,
           .answers = {{.status = 201, .body = R"({"Id": "sha256:a"})"}},
           .wrong = {"{}", "[]", "null", R"({"Id": 1})", R"({"Id": ""})", R"({"ID": "a"})"},
           .run = With([](const Engine& engine, const Call& call) {
             return engine.Commit({.container = "c1", .repository = "r", .tag = "t"}, call);
           })}};
}

auto ContainerCalls() -> std::vector<EngineCall> {
  const auto stop =
      With([](const Engine& engine, const Call& call) { return engine.Stop("c1", std::chrono::hours(1), call); });
  const auto remove = With([](const Engine& engine, const Call& call) { return engine.Remove("c1", call); });
  return {
      {.name = "Create",
       .attempt = "create container 'n' from image 'i:1'",
       .reads = Reads::kValue,
       .answers = {{.status = 201, .body = R"({"Id": "c1", "Warnings": null})"}},
       .wrong = {"{}", "[]", R"({"Id": 1})", R"({"Id": "a", "Warnings": "x"})", R"({"Id": "a", "Warnings": [1]})"},
       .run = With(
           [](const Engine& engine, const Call& call) { return engine.Create({.name = "n", .image = "i:1"}, call); })},
      {.name = "Start",
       .attempt = "start container 'c1'",
       .answers = {{.status = 204}},
       .run = With([](const Engine& engine, const Call& call) { return engine.Start("c1", call); })},
      {.name = "Kill",
       .attempt = "send SIGTERM to container 'c1'",
       .answers = {{.status = 204}},
       .run = With([](const Engine& engine, const Call& call) { return engine.Kill("c1", "SIGTERM", call); })},
      {.name = "Stop",
       .attempt = "send SIGTERM to container 'c1'",
       .answers = {{.to = "/kill", .status = 204}, {.to = "/wait", .body = kEnded}},
       .run = stop},
      {.name = "StopThenWait",
       .attempt = "wait for container 'c1'",
       .reads = Reads::kValue,
       .answers = {{.to = "/kill", .status = 204}, {.to = "/wait", .body = kEnded}},
       .spoiled = 1,
       .wrong = WrongExits(),
       .run = stop},
      {.name = "Wait",
       .attempt = "wait for container 'c1'",
       .reads = Reads::kValue,
       .answers = {{.body = kEnded}},
       .wrong = WrongExits(),
       .run = With([](const Engine& engine, const Call& call) { return engine.Wait("c1", WaitFor::kNextExit, call); })},
      {.name = "Inspect",
       .attempt = "inspect container 'c1'",
       .reads = Reads::kValue,
       .answers = {{.body = kContainer}},
       .wrong = {"{}", "[]", "null", R"({"Id": 1})", R"({"Id": "a"})", R"({"Id": "a", "State": []})",
                 R"({"Id": "a", "State": {"Status": 1}})", R"({"Id": "a", "State": {"Status": "x", "Running": "yes"}})",
                 R"({"Id": "a", "State": {"Status": "x", "Pid": 4294967296}})",
                 R"({"Id": "a", "State": {"Status": "x", "ExitCode": 1.5}})",
                 R"({"Id": "a", "State": {"Status": "x"}, "Config": {"Labels": {"a": 1}}})"},
       .run = With([](const Engine& engine, const Call& call) { return engine.Inspect("c1", call); })},
      {.name = "List",
       .attempt = "list containers",
       .reads = Reads::kValue,
       .answers = {{.body = R"([{"Id": "c1", "Names": ["/n"], "State": "running", "Labels": {}}])"}},
       .wrong = {"{}", "3", "[3]", "[null]", "[{}]", R"([{"Id": 1}])", R"([{"Id": "a", "Names": "n"}])",
                 R"([{"Id": "a", "State": {}}])", R"([{"Id": "a", "Created": -1.5}])"},
       .run = With([](const Engine& engine, const Call& call) { return engine.List({"l"}, call); })},
      {.name = "Remove", .attempt = "remove container 'c1'", .answers = {{.status = 204}}, .run = remove},
      {.name = "RemoveThenWait",
       .attempt = "wait for container 'c1'",
       .reads = Reads::kValue,
       .answers = {{.to = "DELETE", .status = 409, .body = kBeingRemoved}, {.to = "/wait", .body = kEnded}},
       .spoiled = 1,
       .wrong = WrongExits(),
       .run = remove},
      {.name = "Logs",
       .attempt = "read the output of container 'c1'",
       .reads = Reads::kFrames,
       .answers = {{.body = Frame(1, "hello\n") + Frame(2, "oops\n")}},
       .run = With([](const Engine& engine, const Call& call) { return engine.Logs("c1", {.tail_lines = 3}, call); })}};
}

auto StreamCalls() -> std::vector<EngineCall> {
  return {{.name = "Attach",
           .attempt = "attach to container 'c1'",
           .reads = Reads::kFrames,
           .answers = {{.body = Frame(1, "hello\n") + Frame(2, "oops\n")}},
           .streams = true,
           .run =
               [](const Engine* engine, const EngineOptions& /*options*/, const Call& call) {
                 return ToItsEnd(
                     [&](StreamEnd end) {
                       return engine->Attach("c1", [](OutputStream, std::string_view) {}, std::move(end), call);
                     },
                     call);
               }},
          {.name = "Events",
           .attempt = "follow the Docker engine's events",
           .reads = Reads::kLines,
           .answers = {{.body = std::string(kEvent) + kEvent}},
           .wrong = {"[]\n", "{}\n",
                     R"({"Type": "container"})"
                     "\n",
                     R"({"Type": 1, "Action": "die"})"
                     "\n",
                     R"({"Type": "container", "Action": "die", "Actor": []})"
                     "\n",
                     R"({"Type": "container", "Action": "die", "Actor": {"Attributes": {"exitCode": 3}}})"
                     "\n",
                     R"({"Type": "container", "Action": "die", "timeNano": "5"})"
                     "\n"},
           .streams = true,
           .run = [](const Engine* engine, const EngineOptions& /*options*/, const Call& call) {
             return ToItsEnd(
                 [&](StreamEnd end) {
                   return engine->Events({.types = {"container"}}, [](const Event&) {}, std::move(end), call);
                 },
                 call);
           }}};
}
}  // namespace

auto EngineCalls() -> const std::vector<EngineCall>& {
  static const auto calls = [] {
    std::vector<EngineCall> all;
    for (auto& some : {ConnectCalls(), SystemCalls(), ImageCalls(), ContainerCalls(), StreamCalls()}) {
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }();
  return calls;
}

}  // namespace penstock::docker
