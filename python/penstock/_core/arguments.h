// Python values to C++ ones, with the errors that Python programmers expect.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "message/header.h"
#include "python_api.h"

namespace penstock::core {

// Each returns nullopt with an exception set.
auto ToUnsigned(PyObject* object, const char* what, std::uint64_t maximum) -> std::optional<std::uint64_t>;
auto ToString(PyObject* object, const char* what) -> std::optional<std::string>;
auto ToStringMap(PyObject* object, const char* what) -> std::optional<std::map<std::string, std::string>>;

/// Kind, element type, shape and rate into `header`: what the port does not fill itself. False with an exception set.
struct Description {
  PyObject* kind;
  PyObject* code;
  PyObject* bits;
  PyObject* shape;  // tuple or None
  PyObject* rate;   // of an image: the number of its pixel format
};
auto Describe(const Description& description, message::Header& header) -> bool;

/// The bytes of a `str` (as UTF-8) or of anything with a contiguous buffer, held until destruction.
class Bytes final {
 public:
  Bytes() = default;
  Bytes(const Bytes&) = delete;
  auto operator=(const Bytes&) -> Bytes& = delete;
  ~Bytes();

  /// None gives no bytes. False with an exception set.
  auto Acquire(PyObject* source) -> bool;
  auto view() const noexcept -> std::string_view { return view_; }

 private:
  Py_buffer buffer_{};
  bool held_ = false;
  std::string_view view_;
};

}  // namespace penstock::core
