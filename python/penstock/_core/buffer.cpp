#include "buffer.h"

#include <type_traits>

namespace penstock::core {

static_assert(std::is_same_v<Py_ssize_t, std::ptrdiff_t>, "shapes and strides are handed over as they are");

auto FillBuffer(Py_buffer* view, PyObject* owner, const Memory& memory, ArrayLayout& layout, int flags) -> int {
  static const std::byte nothing{};  // consumers may not expect a null address, even of no bytes
  view->obj = nullptr;
  if ((flags & PyBUF_WRITABLE) != 0 && !memory.writable) {
    PyErr_SetString(PyExc_BufferError,
                    "the payload of a received message is read-only: other nodes see the same memory. Copy it first");
    return -1;
  }
  if ((flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS && layout.dimensions > 1) {
    PyErr_SetString(PyExc_BufferError, "payloads are in C order");
    return -1;
  }
  view->buf =
      const_cast<std::byte*>(memory.data != nullptr ? memory.data : &nothing);  // NOLINT: Py_buffer has no const
  view->len = static_cast<Py_ssize_t>(memory.bytes);
  view->readonly = memory.writable ? 0 : 1;
  view->itemsize = layout.item_bytes;
  view->ndim = layout.dimensions;
  view->format = (flags & PyBUF_FORMAT) != 0 ? const_cast<char*>(layout.format) : nullptr;  // NOLINT: as above
  view->shape = (flags & PyBUF_ND) != 0 ? layout.shape.data() : nullptr;
  view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? layout.strides.data() : nullptr;
  view->suboffsets = nullptr;
  view->internal = nullptr;
  Py_INCREF(owner);
  view->obj = owner;
  return 0;
}

auto ShapeTuple(const ArrayLayout& layout) -> PyObject* {
  Ref tuple(PyTuple_New(layout.dimensions));
  if (!tuple) return nullptr;
  for (int i = 0; i < layout.dimensions; ++i) {
    PyObject* extent = PyLong_FromSsize_t(layout.shape.at(static_cast<std::size_t>(i)));
    if (extent == nullptr || PyTuple_SetItem(tuple.get(), i, extent) != 0) return nullptr;
  }
  return tuple.release();
}

}  // namespace penstock::core
