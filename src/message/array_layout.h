// How the payload of a message presents itself as an array: what the Python extension shows through the buffer protocol
// (PEP 3118). Here and not there because it follows what a peer has written.
#pragma once

#include <array>
#include <cstddef>

#include "message/header.h"

namespace penstock::message {

struct ArrayLayout {
  const char* format = "B";  // of an element, as PEP 3118 spells it
  std::ptrdiff_t item_bytes = 1;
  int dimensions = 1;
  std::array<std::ptrdiff_t, kMaxDimensions> shape{};    // in elements
  std::array<std::ptrdiff_t, kMaxDimensions> strides{};  // in bytes, C order

  /// Of a validated header: every element lies in the payload. Element types without a format (bfloat16, lanes, parts
  /// of bytes) and messages that are no arrays show as bytes.
  static auto Of(const Header& header) -> ArrayLayout;
};

}  // namespace penstock::message
