#include "docker/testing/scripted_engine.h"

#include <atomic>

namespace penstock::docker {
namespace {
constexpr std::size_t kNegotiation = 2;  // requests

auto AnswerTo(const EngineCall& call, const std::string& request) -> std::size_t {
  for (std::size_t i = 0; i < call.answers.size(); ++i) {
    if (request.find(call.answers[i].to) != std::string::npos) return i;
  }
  return call.answers.size();
}
}  // namespace

auto ScriptedEngine(const EngineCall& call, Script script, FakeOptions options) -> std::unique_ptr<FakeEngine> {
  // Connect consists of these two, and Ping repeats one of them.
  options.negotiates = false;
  const auto count = std::make_shared<std::atomic<std::size_t>>(0);
  return std::make_unique<FakeEngine>(
      [&call, count, script = std::move(script)](const std::string& request, const FakeConnection& connection) {
        if (!call.connects && (*count)++ < kNegotiation) {
          connection.Answer(200, R"({"ApiVersion": "1.43"})", "Api-Version: 1.43\r\n");
          return Then::kKeepOpen;
        }
        return script(request, connection, AnswerTo(call, request));
      },
      std::move(options));
}

auto SpoiledEngine(const EngineCall& call, FakeHandler spoil, FakeOptions options) -> std::unique_ptr<FakeEngine> {
  return ScriptedEngine(
      call,
      [&call, spoil = std::move(spoil)](const std::string& request, const FakeConnection& connection,
                                        std::size_t answer) {
        if (answer == call.spoiled) return spoil(request, connection);
        connection.Send(WithLength(call.answers.at(answer)));
        return Then::kKeepOpen;
      },
      std::move(options));
}

auto RequestsUntilSpoiled(const EngineCall& call) -> std::size_t {
  return (call.connects ? 0 : kNegotiation) + call.spoiled + 1;
}

auto Make(const EngineCall& call, const FakeEngine& fake, const Call& limits, EngineOptions options) -> base::Status {
  options.host = fake.path();
  if (call.connects) return call.run(nullptr, options, limits);
  const auto engine = Engine::Connect(options, Call(base::Deadline::In(std::chrono::seconds(120)))).value();
  return call.run(engine.get(), options, limits);
}

}  // namespace penstock::docker
