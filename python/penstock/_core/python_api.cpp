#include "python_api.h"

#include <string>

namespace penstock::core {
namespace {
// Of penstock._errors, for the life of the process.
PyObject* port_error = nullptr;
PyObject* memory_quota_error = nullptr;
}  // namespace

auto Raise(const base::Error& error) -> PyObject* {
  const auto code = base::ToString(error.code());
  const auto sentence = error.ToString();
  const Ref arguments(Py_BuildValue("s#s#", code.data(), static_cast<Py_ssize_t>(code.size()), sentence.data(),
                                    static_cast<Py_ssize_t>(sentence.size())));
  auto* type = error.code() == base::ErrorCode::kOverQuota ? memory_quota_error : port_error;
  if (arguments) PyErr_SetObject(type, arguments.get());
  return nullptr;
}

auto CheckCount(const char* function, Py_ssize_t count, Py_ssize_t expected) -> bool {
  if (count == expected) return true;
  PyErr_Format(PyExc_TypeError, "%s takes %zd arguments, %zd were given", function, expected, count);
  return false;
}

auto AddType(PyObject* module, const char* name, PyType_Spec& spec) -> PyTypeObject* {
  Ref type(PyType_FromSpec(&spec));
  if (!type) return nullptr;
  Py_INCREF(type.get());  // PyModule_AddObject takes one, but only when it succeeds; PyModule_AddType is not in 3.9
  if (PyModule_AddObject(module, name, type.get()) != 0) {
    Py_DECREF(type.get());
    return nullptr;
  }
  return reinterpret_cast<PyTypeObject*>(type.release());
}

auto RefuseNew(PyTypeObject*, PyObject*, PyObject*) -> PyObject* {
  PyErr_SetString(PyExc_TypeError, "this type is made by a Host only");
  return nullptr;
}

auto Allocate(PyTypeObject* type) -> PyObject* {
  return reinterpret_cast<allocfunc>(PyType_GetSlot(type, Py_tp_alloc))(type, 0);
}

void Free(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(object);
  Py_DECREF(reinterpret_cast<PyObject*>(type));
}

auto InitialiseApi() -> bool {
  const Ref module(PyImport_ImportModule("penstock._errors"));
  if (!module) return false;
  port_error = PyObject_GetAttrString(module.get(), "PortError");
  memory_quota_error = PyObject_GetAttrString(module.get(), "MemoryQuotaError");
  return port_error != nullptr && memory_quota_error != nullptr;
}

}  // namespace penstock::core
