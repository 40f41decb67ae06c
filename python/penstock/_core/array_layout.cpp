#include "array_layout.h"

namespace penstock::core {
namespace {

// DLPack's type as a PEP 3118 format, or null.
auto FormatOf(message::DataType type) -> const char* {
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

auto HasShape(message::Kind kind) -> bool {
  return kind == message::Kind::kAudio || kind == message::Kind::kImage || kind == message::Kind::kTensor;
}

}  // namespace

auto ArrayLayout::Of(const message::Header& header) -> ArrayLayout {
  ArrayLayout layout;
  const char* format = HasShape(header.kind) ? FormatOf(header.dtype) : nullptr;
  if (format == nullptr) {
    layout.shape[0] = static_cast<Py_ssize_t>(header.payload_bytes);
    layout.strides[0] = 1;
    return layout;
  }
  layout.format = format;
  layout.item_bytes = header.dtype.bits / 8;
  layout.dimensions = header.dimensions;
  Py_ssize_t stride = layout.item_bytes;
  for (std::size_t i = header.dimensions; i-- > 0;) {
    layout.shape.at(i) = static_cast<Py_ssize_t>(header.shape.at(i));
    layout.strides.at(i) = stride;
    stride *= layout.shape.at(i);
  }
  return layout;
}

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
