// Headers as a hostile producer could write them: what passes the checks can be used without looking again.
#include <limits>
#include <memory>
#include <string_view>

#include "base/testing/fuzz.h"
#include "message/array_layout.h"
#include "message/header.h"

namespace penstock::message {
namespace {
using base::testing::FuzzInput;
using base::testing::Require;

__extension__ using Wide = __int128;  // sums and products of 64-bit numbers, exactly

// The first byte of an input: random bytes rarely agree with each other.
constexpr unsigned kSetVersion = 1;
constexpr unsigned kSetPayloadByShape = 2;

auto ProductOf(const Header& header) -> std::uint64_t {
  std::uint64_t bits = static_cast<std::uint64_t>(header.dtype.bits) * header.dtype.lanes;
  for (std::size_t i = 0; i < header.dimensions && i < kMaxDimensions; ++i)
    bits *= static_cast<std::uint64_t>(header.shape.at(i));
  return bits / 8 + (bits % 8 == 0 ? 0 : 1);
}

void CheckLayout(const Header& header) {
  const auto layout = ArrayLayout::Of(header);
  Require(layout.dimensions >= 0 && static_cast<std::size_t>(layout.dimensions) <= kMaxDimensions, "{} dimensions",
          layout.dimensions);
  Require(layout.item_bytes > 0, "elements of {} bytes", layout.item_bytes);
  Wide elements = 1;
  Wide last = 0;  // where the last element begins
  for (std::size_t i = 0; i < static_cast<std::size_t>(layout.dimensions); ++i) {
    Require(layout.shape.at(i) >= 0 && layout.strides.at(i) >= 0, "a negative extent or stride");
    elements *= layout.shape.at(i);
    if (elements == 0) break;
    last += Wide{layout.shape.at(i) - 1} * layout.strides.at(i);
  }
  Require(elements * layout.item_bytes == Wide{header.payload_bytes}, "elements do not make up the payload");
  Require(elements == 0 || last + layout.item_bytes <= Wide{header.payload_bytes}, "an element behind the payload");
}

// Everything that is said of a validated header, against the chunk that it was validated for.
void CheckClaims(const Header& header, std::uint64_t chunk_bytes) {
  Require(ToString(header.kind) != "unknown", "kind {}", static_cast<int>(header.kind));
  Require(header.dimensions <= kMaxDimensions, "{} dimensions", header.dimensions);
  Require(header.payload_bytes <= chunk_bytes, "a payload larger than its chunk");
  const Wide metadata_end = Wide{MetadataOffset(header.payload_bytes)} + header.metadata_bytes;
  if (header.metadata_bytes != 0) {
    Require(metadata_end <= Wide{chunk_bytes}, "metadata that reach beyond the chunk");
    Require(Wide{ChunkBytes(header.payload_bytes, header.metadata_bytes)} == metadata_end, "two ends of a message");
  }
  CheckLayout(header);
}

// Every byte of payload and metadata, from memory that is exactly as large as the chunk.
void ReadAll(const Header& header, std::span<const std::uint8_t> bytes) {
  const auto chunk = std::make_unique<std::uint8_t[]>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), chunk.get());
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < header.payload_bytes; ++i) sum += chunk[i];
  const auto* metadata = chunk.get() + MetadataOffset(header.payload_bytes);
  for (std::uint64_t i = 0; i < header.metadata_bytes; ++i) sum += metadata[i];
  Require(sum <= std::numeric_limits<std::uint8_t>::max() * std::uint64_t{bytes.size()}, "bytes read twice");
}

void Try(const std::uint8_t* data, std::size_t size) {
  FuzzInput input(data, size);
  const auto mode = input.Take<std::uint8_t>();
  const auto claimed_chunk = input.Take<std::uint64_t>() / 2;  // no chunk is larger than an address space
  auto header = input.Take<Header>();
  if ((mode & kSetVersion) != 0) {
    header.version = kHeaderVersion;
    header.size = sizeof(Header);
  }
  if ((mode & kSetPayloadByShape) != 0) header.payload_bytes = ProductOf(header);

  if (const auto valid = Validate(header, claimed_chunk)) {
    CheckClaims(header, claimed_chunk);
  } else {
    Require(valid.error().code() == base::ErrorCode::kPeerCorrupt && !valid.error().message().empty(),
            "an error that does not say what is wrong");
  }
  const auto chunk = input.rest();
  if (Validate(header, chunk.size())) {
    CheckClaims(header, chunk.size());
    ReadAll(header, chunk);
  }
}

}  // namespace
}  // namespace penstock::message

extern "C" auto LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) -> int {
  penstock::message::Try(data, size);
  return 0;
}
