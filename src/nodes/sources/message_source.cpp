#include "nodes/sources/message_source.h"

#include <cstring>

#include "base/file.h"
#include "nodes/forward.h"
#include "nodes/params.h"

namespace penstock::nodes::sources {
namespace {

// No port allows larger messages.
constexpr std::size_t kLargestFile = std::size_t{16} << 30U;

}  // namespace

auto MessageSource::Setup(const nlohmann::json& params) -> base::Status {
  ParamReader reader("message.source", params);
  const auto path = reader.Required<std::string>("path", "a string");
  PENSTOCK_TRY(reader.Finish());
  PENSTOCK_ASSIGN(const auto bytes, base::ReadFile(path, kLargestFile));
  const auto refuse = [&](std::string_view why) {
    return base::Fail(base::ErrorCode::kInvalidArgument, "'{}' holds no message: {}", path, why);
  };
  if (bytes.size() < sizeof(header_)) return refuse("it is shorter than a header");
  bytes.copy(reinterpret_cast<char*>(&header_), sizeof(header_));
  chunk_ = bytes.substr(sizeof(header_));
  if (const auto valid = message::Validate(header_, chunk_.size()); !valid) return refuse(valid.error().message());
  if (chunk_.size() != message::ChunkBytes(header_.payload_bytes, header_.metadata_bytes))
    return refuse("its length is not what its header says");
  return {};
}

auto MessageSource::Run(Context& context) -> base::Status {
  PENSTOCK_ASSIGN(auto draft, context.Borrow("out", header_.payload_bytes, header_.metadata_bytes));
  DescribeAs(header_, draft->header());
  if (!chunk_.empty()) std::memcpy(draft->bytes().data(), chunk_.data(), chunk_.size());
  return context.Publish("out", std::move(draft));
}

}  // namespace penstock::nodes::sources
