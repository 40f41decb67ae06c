// The limited Python API, and the few helpers that make it bearable from C++.
//
// Built with 3.11 headers and Py_LIMITED_API=0x030B0000: one file loads on CPython 3.9 to 3.13. Two traps: newer
// headers crash older interpreters, and PyObject_Vectorcall is not part of this API (METH_FASTCALL is).
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <utility>

#include "base/error.h"

namespace penstock::core {

/// Owns one reference. Used and destroyed with the GIL held.
class Ref final {
 public:
  Ref() = default;
  explicit Ref(PyObject* owned) noexcept : object_(owned) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  auto operator=(Ref&& other) noexcept -> Ref& {
    std::swap(object_, other.object_);
    return *this;
  }
  Ref(const Ref&) = delete;
  auto operator=(const Ref&) -> Ref& = delete;
  ~Ref() { Py_XDECREF(object_); }

  auto get() const noexcept -> PyObject* { return object_; }
  auto release() noexcept -> PyObject* { return std::exchange(object_, nullptr); }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  PyObject* object_ = nullptr;
};

/// Runs `function` without the GIL: it must not touch Python objects.
template <class Function>
auto WithoutGil(Function&& function) {
  struct Restore {
    PyThreadState* state;
    ~Restore() { PyEval_RestoreThread(state); }
  } restore{PyEval_SaveThread()};
  return std::forward<Function>(function)();
}

using FastCall = auto (*)(PyObject* self, PyObject* const* args, Py_ssize_t count) -> PyObject*;

inline auto Fast(const char* name, FastCall function, const char* doc) -> PyMethodDef {
  return {name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function)), METH_FASTCALL, doc};
}
inline auto NoArguments(const char* name, PyCFunction function, const char* doc) -> PyMethodDef {
  return {name, function, METH_NOARGS, doc};
}
template <class Function>
auto Slot(int number, Function* function) -> PyType_Slot {
  return {number, reinterpret_cast<void*>(function)};
}

/// Sets penstock.PortError(code, sentence), or its subclass for memory that was refused, and returns null.
auto Raise(const base::Error& error) -> PyObject*;
/// False, with TypeError set, unless `count` is what `function` takes.
auto CheckCount(const char* function, Py_ssize_t count, Py_ssize_t expected) -> bool;

/// Makes a heap type and adds it to the module. Null with an exception set.
auto AddType(PyObject* module, const char* name, PyType_Spec& spec) -> PyTypeObject*;
/// tp_new of types that only C++ makes. (Py_TPFLAGS_DISALLOW_INSTANTIATION means nothing to 3.9.)
auto RefuseNew(PyTypeObject* type, PyObject* args, PyObject* keywords) -> PyObject*;

/// A new, zeroed instance, by the type's own allocator.
auto Allocate(PyTypeObject* type) -> PyObject*;
/// The end of a heap type's dealloc: frees the instance and drops its type.
void Free(PyObject* object);

/// Imports what the functions above need. False with an exception set.
auto InitialiseApi() -> bool;

}  // namespace penstock::core
