#include "nodes/flow/tap.h"

#include <fmt/ranges.h>

#include <span>

#include "base/count.h"
#include "base/log.h"
#include "nodes/forward.h"
#include "nodes/params.h"
#include "nodes/type_name.h"

namespace penstock::nodes::flow {
namespace {
using message::Kind;

constexpr std::size_t kMostText = 60;  // bytes

// As JSON, so that it stays one line; never cut inside of a character.
auto Beginning(std::string_view text) -> std::string {
  auto length = std::min(text.size(), kMostText);
  if (length < text.size()) {
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) --length;
  }
  return nlohmann::json(text.substr(0, length)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
         (length < text.size() ? "…" : "");
}

auto Shape(const message::Header& header) -> std::string {
  if (header.kind != Kind::kAudio && header.kind != Kind::kImage && header.kind != Kind::kTensor) return {};
  const auto shape = std::span(header.shape).first(std::min<std::size_t>(header.dimensions, header.shape.size()));
  return fmt::format(" {} ({}){}", TypeName(header.dtype), fmt::join(shape, ", "),
                     header.kind == Kind::kAudio ? fmt::format(" at {} Hz", header.rate) : std::string());
}

}  // namespace

auto DescribeMessage(const Received& message, bool with_text) -> std::string {
  const auto& header = message.header();
  auto line = fmt::format("message {}: {}{}, {}", header.sequence, message::ToString(header.kind), Shape(header),
                          base::Count(header.payload_bytes, "byte"));
  if ((header.flags & message::kFlagHasMediaTime) != 0)
    line += fmt::format(", at {:.3f} s", static_cast<double>(header.media_time_ns) / 1e9);
  if (header.metadata_bytes != 0)
    line += fmt::format(", with {} of metadata", base::Count(header.metadata_bytes, "byte"));
  if (with_text && (header.kind == Kind::kText || header.kind == Kind::kJson)) {
    const auto payload = message.payload();
    line += ": " + Beginning({reinterpret_cast<const char*>(payload.data()), payload.size()});
  }
  return line;
}

auto Tap::Setup(const nlohmann::json& params) -> base::Status {
  ParamReader reader("debug.tap", params);
  every_ =
      reader.Optional<std::uint64_t>("every", "a whole number from 1", 1, [](const auto& every) { return every > 0; });
  text_ = reader.Optional<bool>("text", "true or false", false);
  return reader.Finish();
}

auto Tap::Process(Context& context, std::string_view /*input*/, std::unique_ptr<Received> message) -> base::Status {
  if (count_++ % every_ == 0) base::Log(base::LogLevel::kInfo, "{}", DescribeMessage(*message, text_));
  return Forward(context, "out", *message);
}

}  // namespace penstock::nodes::flow
