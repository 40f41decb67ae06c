#include "nodes/sinks/json_sink.h"

#include <fmt/ranges.h>

#include "nodes/params.h"
#include "nodes/type_name.h"

namespace penstock::nodes::sinks {
namespace {
using message::Kind;
using nlohmann::json;

template <std::size_t N>
auto Hex(const std::array<std::uint8_t, N>& id) -> std::string {
  return fmt::format("{:02x}", fmt::join(id, ""));
}

auto Text(std::span<const std::byte> bytes) -> std::string_view {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// JSON made by a node: shown as a string when it is none.
auto Parsed(std::string_view text) -> json {
  auto value = json::parse(text, nullptr, /*allow_exceptions=*/false);
  return value.is_discarded() ? json(std::string(text)) : value;
}

void DescribePayload(const Received& message, json& line) {
  const auto& header = message.header();
  if (header.kind == Kind::kText) {
    line["text"] = std::string(Text(message.payload()));
    return;
  }
  if (header.kind == Kind::kJson) {
    line["value"] = Parsed(Text(message.payload()));
    return;
  }
  line["bytes"] = header.payload_bytes;
  if (header.kind != Kind::kAudio && header.kind != Kind::kImage && header.kind != Kind::kTensor) return;
  line["dtype"] = TypeName(header.dtype);
  line["shape"] = std::vector(header.shape.begin(), header.shape.begin() + header.dimensions);
  if (header.kind == Kind::kAudio) line["rate"] = header.rate;
}

auto Path(const json& params) -> base::Expected<std::string> {
  ParamReader reader("json.sink", params);
  auto path = reader.Optional<std::string>("path", "a string", "");
  PENSTOCK_TRY(reader.Finish());
  return path;
}

}  // namespace

auto ToJsonLine(std::string_view input, const Received& message) -> std::string {
  const auto& header = message.header();
  json line{{"port", input},
            {"sequence", header.sequence},
            {"epoch", header.epoch},
            {"kind", message::ToString(header.kind)},
            {"time_ns", nullptr},
            {"trace", Hex(header.trace_id)},
            {"span", Hex(header.span_id)},
            {"origin", nullptr},
            {"attempt", header.attempt},
            {"metadata", nullptr}};
  if ((header.flags & message::kFlagHasMediaTime) != 0) line["time_ns"] = header.media_time_ns;
  if ((header.flags & message::kFlagHasOrigin) != 0) {
    line["origin"] = {
        {"input", header.origin_input}, {"sequence", header.origin_sequence}, {"index", header.origin_index}};
  }
  if (header.metadata_bytes != 0) line["metadata"] = Parsed(message.metadata());
  DescribePayload(message, line);
  return line.dump(-1, ' ', false, json::error_handler_t::replace);
}

auto JsonSink::Setup(const json& params) -> base::Status {
  PENSTOCK_ASSIGN(const auto path, Path(params));
  PENSTOCK_ASSIGN(output_, LineOutput::Open(path));
  return {};
}

auto JsonSink::Resume(const json& params) -> base::Status {
  PENSTOCK_ASSIGN(const auto path, Path(params));
  PENSTOCK_ASSIGN(output_, LineOutput::Reopen(path));
  return {};
}

auto JsonSink::Process(Context& /*context*/, std::string_view input, std::unique_ptr<Received> message)
    -> base::Status {
  return output_.Write(ToJsonLine(input, *message));
}

}  // namespace penstock::nodes::sinks
