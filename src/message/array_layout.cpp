#include "message/array_layout.h"

namespace penstock::message {
namespace {

// DLPack's type as a PEP 3118 format, or null.
auto FormatOf(DataType type) -> const char* {
  if (type.lanes != 1) return nullptr;
  switch (type.code) {
    case 0:
      return type.bits == 8 ? "b" : type.bits == 16 ? "h" : type.bits == 32 ? "i" : type.bits == 64 ? "q" : nullptr;
    case 1:
      return type.bits == 8 ? "B" : type.bits == 16 ? "H" : type.bits == 32 ? "I" : type.bits == 64 ? "Q" : nullptr;
    case 2:
      return type.bits == 16 ? "e" : type.bits == 32 ? "f" : type.bits == 64 ? "d" : nullptr;
    case 5:
      return type.bits == 64 ? "Zf" : type.bits == 128 ? "Zd" : nullptr;
    case 6:
      return type.bits == 8 ? "?" : nullptr;
    default:
      return nullptr;
  }
}

auto HasShape(Kind kind) -> bool { return kind == Kind::kAudio || kind == Kind::kImage || kind == Kind::kTensor; }

}  // namespace

auto ArrayLayout::Of(const Header& header) -> ArrayLayout {
  ArrayLayout layout;
  const char* format = HasShape(header.kind) ? FormatOf(header.dtype) : nullptr;
  if (format == nullptr) {
    layout.shape[0] = static_cast<std::ptrdiff_t>(header.payload_bytes);
    layout.strides[0] = 1;
    return layout;
  }
  layout.format = format;
  layout.item_bytes = header.dtype.bits / 8;
  layout.dimensions = header.dimensions;
  std::ptrdiff_t stride = layout.item_bytes;
  for (std::size_t i = header.dimensions; i-- > 0;) {
    layout.shape.at(i) = static_cast<std::ptrdiff_t>(header.shape.at(i));
    layout.strides.at(i) = stride;
    stride *= layout.shape.at(i);
  }
  return layout;
}

}  // namespace penstock::message
