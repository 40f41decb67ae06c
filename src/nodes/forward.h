// Passing a message on: a new message with the content of another.
#pragma once

#include <algorithm>

#include "nodes/node.h"

namespace penstock::nodes {

/// What describes the content: kind, type, shape and, where there is one, the media time.
inline void DescribeAs(const message::Header& content, message::Header& header) {
  header.kind = content.kind;
  header.flags = content.flags & message::kFlagHasMediaTime;
  header.media_time_ns = content.media_time_ns;
  header.dtype = content.dtype;
  header.dimensions = content.dimensions;
  header.pixel_format = content.pixel_format;
  header.rate = content.rate;
  header.shape = content.shape;
}

/// Publishes the content of `message` at `output`: payload and metadata are copied, once. Nothing is done for an output
/// that nothing is connected to. Errors as Context::Borrow and Publish.
inline auto Forward(Context& context, std::string_view output, const Received& message) -> base::Status {
  if (!context.is_connected(output)) return {};
  const auto payload = message.payload();
  const auto metadata = message.metadata();
  PENSTOCK_ASSIGN(auto draft, context.Borrow(output, payload.size(), static_cast<std::uint32_t>(metadata.size())));
  DescribeAs(message.header(), draft->header());
  const auto bytes = draft->bytes();
  std::ranges::copy(payload, bytes.begin());
  if (!metadata.empty()) {
    const auto place = bytes.subspan(message::MetadataOffset(payload.size()));
    std::ranges::copy(std::as_bytes(std::span(metadata)), place.begin());
  }
  return context.Publish(output, std::move(draft));
}

/// Publishes `text` as a message of this kind (text, JSON, bytes). Errors as Context::Borrow and Publish.
inline auto SendText(Context& context, std::string_view output, message::Kind kind, std::string_view text,
                     std::optional<std::int64_t> media_time_ns = std::nullopt) -> base::Status {
  PENSTOCK_ASSIGN(auto draft, context.Borrow(output, text.size()));
  auto& header = draft->header();
  header.kind = kind;
  if (media_time_ns) {
    header.flags |= message::kFlagHasMediaTime;
    header.media_time_ns = *media_time_ns;
  }
  std::ranges::copy(std::as_bytes(std::span(text)), draft->bytes().begin());
  return context.Publish(output, std::move(draft));
}

}  // namespace penstock::nodes
