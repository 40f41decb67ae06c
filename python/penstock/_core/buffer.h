// Memory of messages, shown through the buffer protocol (PEP 3118).
#pragma once

#include <cstddef>
#include <cstdint>

#include "message/array_layout.h"
#include "python_api.h"

namespace penstock::core {
using message::ArrayLayout;

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
