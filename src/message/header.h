// The header of every message: a fixed POD in shared memory, the same bytes in every worker (Python reaches it through its
// extension). A peer may be hostile: nothing in it is believed before Validate.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "base/error.h"

namespace penstock::message {

inline constexpr std::uint16_t kHeaderVersion = 1;
inline constexpr std::size_t kPayloadAlignment = 64;
inline constexpr std::size_t kMaxDimensions = 8;

enum class Kind : std::uint8_t { kBytes = 0, kAudio = 1, kImage = 2, kTensor = 3, kText = 4, kJson = 5, kControl = 6 };

auto ToString(Kind kind) -> std::string_view;

/// DLPack's DLDataType.
struct DataType {
  std::uint8_t code = 0;  // DLDataTypeCode: 0 int, 1 uint, 2 float, 4 bfloat, 5 complex, 6 bool
  std::uint8_t bits = 0;
  std::uint16_t lanes = 1;
};

enum class PixelFormat : std::uint8_t { kNone = 0, kRgb24 = 1, kBgr24 = 2, kGray8 = 3, kNv12 = 4, kRgba32 = 5 };

/// Set in Header::flags.
inline constexpr std::uint8_t kFlagHasMediaTime = 1U << 0U;
inline constexpr std::uint8_t kFlagHasOrigin = 1U << 1U;  // false for messages that a source made of nothing

/// Layout, in bytes from the start of the chunk's user header. Everything is little-endian and naturally aligned.
struct Header {
  std::uint16_t version = kHeaderVersion;   //   0
  std::uint16_t size = 0;                   //   2  sizeof(Header)
  Kind kind = Kind::kBytes;                 //   4
  std::uint8_t flags = 0;                   //   5
  std::uint16_t attempt = 0;                //   6  how often the producer handled the origin before (0: first time)
  std::uint64_t sequence = 0;               //   8  per output port, from 0, over all epochs
  std::uint32_t epoch = 0;                  //  16  incarnation of the producer
  std::uint32_t origin_input = 0;           //  20  index of the producer's input edge that it was handling
  std::uint64_t origin_sequence = 0;        //  24  sequence of that input; without one, how many such came before
  std::uint32_t origin_index = 0;           //  32  this output's number among those of that input, from 0
  std::uint32_t metadata_bytes = 0;         //  36  JSON after the payload, from the next multiple of 8
  std::int64_t media_time_ns = 0;           //  40  since the stream's start
  std::int64_t publish_time_ns = 0;         //  48  CLOCK_MONOTONIC
  std::uint64_t payload_bytes = 0;          //  56
  std::array<std::uint8_t, 16> trace_id{};  //  64  W3C trace context
  std::array<std::uint8_t, 8> span_id{};    //  80
  DataType dtype{};                         //  88  audio: float32; image: uint8; tensor: any
  std::uint8_t dimensions = 0;              //  92  used entries of shape
  PixelFormat pixel_format = PixelFormat::kNone;     // 93
  std::uint16_t reserved = 0;                        //  94
  std::uint32_t rate = 0;                            //  96  audio: samples a second
  std::uint32_t reserved2 = 0;                       // 100
  std::array<std::int64_t, kMaxDimensions> shape{};  // 104  audio: frames, channels; image: height, width, channels
  // 168
};

static_assert(std::is_trivially_copyable_v<Header> && std::is_standard_layout_v<Header>);
static_assert(sizeof(Header) == 168 && alignof(Header) == 8);
static_assert(offsetof(Header, sequence) == 8 && offsetof(Header, origin_sequence) == 24 &&
              offsetof(Header, media_time_ns) == 40 && offsetof(Header, payload_bytes) == 56 &&
              offsetof(Header, trace_id) == 64 && offsetof(Header, dtype) == 88 && offsetof(Header, rate) == 96 &&
              offsetof(Header, shape) == 104);

/// Bytes that a chunk needs for a payload and its JSON metadata.
constexpr auto ChunkBytes(std::uint64_t payload_bytes, std::uint32_t metadata_bytes) -> std::uint64_t {
  return metadata_bytes == 0 ? payload_bytes : (payload_bytes + 7) / 8 * 8 + metadata_bytes;
}
constexpr auto MetadataOffset(std::uint64_t payload_bytes) -> std::uint64_t { return (payload_bytes + 7) / 8 * 8; }

/// kPeerCorrupt unless version, kind, sizes, shape and type are consistent with a chunk of `chunk_bytes`.
/// Works on a private copy of the header: a hostile producer may change the original at any time.
auto Validate(const Header& header, std::uint64_t chunk_bytes) -> base::Status;

}  // namespace penstock::message
