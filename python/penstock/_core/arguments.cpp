#include "arguments.h"

#include <limits>

namespace penstock::core {

auto ToUnsigned(PyObject* object, const char* what, std::uint64_t maximum) -> std::optional<std::uint64_t> {
  const auto value = PyLong_AsUnsignedLongLong(object);
  if (value == std::numeric_limits<unsigned long long>::max() && PyErr_Occurred() != nullptr) return std::nullopt;
  if (value > maximum) {
    PyErr_Format(PyExc_ValueError, "%s is %llu, at most %llu is possible", what, value,
                 static_cast<unsigned long long>(maximum));
    return std::nullopt;
  }
  return value;
}

auto ToString(PyObject* object, const char* what) -> std::optional<std::string> {
  if (PyUnicode_Check(object) == 0) {
    PyErr_Format(PyExc_TypeError, "%s must be a str", what);
    return std::nullopt;
  }
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(object, &size);
  if (text == nullptr) return std::nullopt;
  return std::string(text, static_cast<std::size_t>(size));
}

auto ToStringMap(PyObject* object, const char* what) -> std::optional<std::map<std::string, std::string>> {
  if (PyDict_Check(object) == 0) {
    PyErr_Format(PyExc_TypeError, "%s must be a dict", what);
    return std::nullopt;
  }
  std::map<std::string, std::string> result;
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  for (Py_ssize_t position = 0; PyDict_Next(object, &position, &key, &value) != 0;) {
    auto name = ToString(key, what);
    if (!name) return std::nullopt;
    auto text = ToString(value, what);
    if (!text) return std::nullopt;
    result.emplace(std::move(*name), std::move(*text));
  }
  return result;
}

auto Describe(const Description& description, message::Header& header) -> bool {
  const auto kind = ToUnsigned(description.kind, "kind", 6);
  if (!kind) return false;
  const auto code = ToUnsigned(description.code, "code", 6);
  if (!code) return false;
  const auto bits = ToUnsigned(description.bits, "bits", 255);
  if (!bits) return false;
  const auto most = static_cast<message::Kind>(*kind) == message::Kind::kImage
                        ? static_cast<std::uint64_t>(message::PixelFormat::kRgba32)
                        : std::numeric_limits<std::uint32_t>::max();
  const auto rate = ToUnsigned(description.rate, "rate or format", most);
  if (!rate) return false;
  header.kind = static_cast<message::Kind>(*kind);
  header.dtype = {static_cast<std::uint8_t>(*code), static_cast<std::uint8_t>(*bits), 1};
  const bool is_image = header.kind == message::Kind::kImage;
  header.rate = is_image ? 0 : static_cast<std::uint32_t>(*rate);
  header.pixel_format = is_image ? static_cast<message::PixelFormat>(*rate) : message::PixelFormat::kNone;
  header.dimensions = 0;
  if (description.shape == Py_None) return true;
  const auto dimensions = PyTuple_Size(description.shape);
  if (dimensions < 0) return false;
  if (static_cast<std::size_t>(dimensions) > message::kMaxDimensions) {
    PyErr_Format(PyExc_ValueError, "a tensor has %zd dimensions, at most 8 are possible", dimensions);
    return false;
  }
  header.dimensions = static_cast<std::uint8_t>(dimensions);
  for (Py_ssize_t i = 0; i < dimensions; ++i) {
    const auto extent =
        ToUnsigned(PyTuple_GetItem(description.shape, i), "extent", std::numeric_limits<std::int64_t>::max());
    if (!extent) return false;
    header.shape.at(static_cast<std::size_t>(i)) = static_cast<std::int64_t>(*extent);
  }
  return true;
}

Bytes::~Bytes() {
  if (held_) PyBuffer_Release(&buffer_);
}

auto Bytes::Acquire(PyObject* source) -> bool {
  if (source == Py_None) return true;
  if (PyUnicode_Check(source) != 0) {
    Py_ssize_t size = 0;
    const char* text = PyUnicode_AsUTF8AndSize(source, &size);
    if (text == nullptr) return false;
    view_ = {text, static_cast<std::size_t>(size)};
    return true;
  }
  if (PyObject_GetBuffer(source, &buffer_, PyBUF_SIMPLE) != 0) return false;
  held_ = true;
  view_ = {static_cast<const char*>(buffer_.buf), static_cast<std::size_t>(buffer_.len)};
  return true;
}

}  // namespace penstock::core
