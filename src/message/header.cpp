#include "message/header.h"

#include <limits>

namespace penstock::message {
namespace {
using base::ErrorCode;
using base::Fail;

// Bytes of an array of this shape and type. nullopt when a dimension is negative, or when the array would not fit an
// address space; one without elements counts here as if its empty dimensions were not there, since strides are computed
// of the others all the same.
auto ArrayBytes(const Header& header) -> std::optional<std::uint64_t> {
  constexpr std::uint64_t kMostBits = std::numeric_limits<std::int64_t>::max();
  std::uint64_t bits = static_cast<std::uint64_t>(header.dtype.bits) * header.dtype.lanes;
  bool empty = false;
  for (std::size_t i = 0; i < header.dimensions; ++i) {
    const auto extent = header.shape.at(i);
    if (extent < 0) return std::nullopt;
    if (extent == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(bits, static_cast<std::uint64_t>(extent), &bits) || bits > kMostBits) {
      return std::nullopt;
    }
  }
  return empty ? 0 : bits / 8 + (bits % 8 == 0 ? 0 : 1);
}

auto ValidateArray(const Header& header) -> base::Status {
  if (header.dtype.bits == 0 || header.dtype.lanes == 0 || header.dtype.code > 6)
    return Fail(ErrorCode::kPeerCorrupt, "a message claims an unknown element type");
  const auto needed = ArrayBytes(header);
  if (!needed || *needed != header.payload_bytes) {
    return Fail(ErrorCode::kPeerCorrupt, "a {} message of {} bytes does not match its shape", ToString(header.kind),
                header.payload_bytes);
  }
  return {};
}

}  // namespace

auto ToString(Kind kind) -> std::string_view {
  switch (kind) {
    case Kind::kBytes:
      return "Bytes";
    case Kind::kAudio:
      return "Audio";
    case Kind::kImage:
      return "Image";
    case Kind::kTensor:
      return "Tensor";
    case Kind::kText:
      return "Text";
    case Kind::kJson:
      return "Json";
    case Kind::kControl:
      return "Control";
  }
  return "unknown";
}

auto Validate(const Header& header, std::uint64_t chunk_bytes) -> base::Status {
  if (header.version != kHeaderVersion || header.size != sizeof(Header)) {
    return Fail(ErrorCode::kPeerCorrupt,
                "a message has header version {} of {} bytes; this end speaks version {} of {} bytes", header.version,
                header.size, kHeaderVersion, sizeof(Header));
  }
  if (header.payload_bytes > chunk_bytes || header.payload_bytes > std::numeric_limits<std::uint64_t>::max() - 8 ||
      ChunkBytes(header.payload_bytes, header.metadata_bytes) > chunk_bytes) {
    return Fail(ErrorCode::kPeerCorrupt, "a message claims {} bytes and {} of metadata in a chunk of {}",
                header.payload_bytes, header.metadata_bytes, chunk_bytes);
  }
  // Of every kind: whoever shows a header shows its shape.
  if (header.dimensions > kMaxDimensions)
    return Fail(ErrorCode::kPeerCorrupt, "a message claims {} dimensions, at most {} exist", header.dimensions,
                kMaxDimensions);
  switch (header.kind) {
    case Kind::kAudio:
      if (header.dimensions != 2 || header.rate == 0)
        return Fail(ErrorCode::kPeerCorrupt, "an audio message has {} dimensions at rate {}", header.dimensions,
                    header.rate);
      return ValidateArray(header);
    case Kind::kImage:
      if (header.dimensions != 3)
        return Fail(ErrorCode::kPeerCorrupt, "an image message has {} dimensions instead of 3", header.dimensions);
      return ValidateArray(header);
    case Kind::kTensor:
      return ValidateArray(header);
    case Kind::kBytes:
    case Kind::kText:
    case Kind::kJson:
    case Kind::kControl:
      return {};
  }
  return Fail(ErrorCode::kPeerCorrupt, "a message has the unknown kind {}", static_cast<int>(header.kind));
}

}  // namespace penstock::message
