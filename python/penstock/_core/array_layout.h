// How a payload presents itself through the buffer protocol (PEP 3118): element format, shape, strides.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "message/header.h"
#include "python_api.h"

namespace penstock::core {

struct ArrayLayout {
  const char* format = "B";
  Py_ssize_t item_bytes = 1;
  int dimensions = 1;
  std::array<Py_ssize_t, message::kMaxDimensions> shape{};    // in elements
  std::array<Py_ssize_t, message::kMaxDimensions> strides{};  // in bytes, C order

  /// Of a validated header. Element types that Python has no format for (bfloat16, lanes, parts of bytes) show as
  /// bytes.
  static auto Of(const message::Header& header) -> ArrayLayout;
};

struct Memory {
  const std::byte* data = nullptr;
  std::uint64_t bytes = 0;
  bool writable = false;
};

/// Fills `view` for `owner`, which it keeps alive. -1 with BufferError set when more is asked for than there is.
/// `layout` must live as long as `owner`.
auto FillBuffer(Py_buffer* view, PyObject* owner, const Memory& memory, ArrayLayout& layout, int flags) -> int;

/// (frames, channels) and the like, as a tuple.
auto ShapeTuple(const ArrayLayout& layout) -> PyObject*;

}  // namespace penstock::core
