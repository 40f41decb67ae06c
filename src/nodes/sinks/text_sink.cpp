#include "nodes/sinks/text_sink.h"

#include "nodes/params.h"

namespace penstock::nodes::sinks {
namespace {

auto Path(const nlohmann::json& params) -> base::Expected<std::string> {
  ParamReader reader("text.sink", params);
  auto path = reader.Optional<std::string>("path", "a string", "");
  PENSTOCK_TRY(reader.Finish());
  return path;
}

}  // namespace

auto TextSink::Setup(const nlohmann::json& params) -> base::Status {
  PENSTOCK_ASSIGN(const auto path, Path(params));
  PENSTOCK_ASSIGN(output_, LineOutput::Open(path));
  return {};
}

auto TextSink::Resume(const nlohmann::json& params) -> base::Status {
  PENSTOCK_ASSIGN(const auto path, Path(params));
  PENSTOCK_ASSIGN(output_, LineOutput::Reopen(path));
  return {};
}

auto TextSink::Process(Context& /*context*/, std::string_view input, std::unique_ptr<Received> message)
    -> base::Status {
  const auto kind = message->header().kind;
  if (kind != message::Kind::kText && kind != message::Kind::kJson) {
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "text.sink takes text or json at input '{}', but received {}; json.sink takes everything", input,
                      message::ToString(kind));
  }
  const auto payload = message->payload();
  return output_.Write({reinterpret_cast<const char*>(payload.data()), payload.size()});
}

}  // namespace penstock::nodes::sinks
