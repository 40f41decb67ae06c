#include "loan.h"

#include <memory>

#include "buffer.h"
#include "fork_guard.h"
#include "host_object.h"

namespace penstock::core {
namespace {

PyTypeObject* type = nullptr;

struct LoanObject {
  PyObject_HEAD PyObject* host;
  LoanShape shape;
  ArrayLayout layout;
  std::optional<transport::Loan> loan;
};

auto Self(PyObject* object) -> LoanObject& { return *reinterpret_cast<LoanObject*>(object); }

void SetSpent() {
  PyErr_SetString(PyExc_ValueError,
                  "this loaned buffer was emitted already: its memory belongs to the receivers now. Loan a new one for "
                  "each message");
}

void Dealloc(PyObject* object) {
  auto& self = Self(object);
  if (!Forked()) {
    std::destroy_at(&self.loan);
    ReleaseChild(self.host);
  }
  Py_DECREF(self.host);
  Free(object);
}

auto GetBuffer(PyObject* object, Py_buffer* view, int flags) -> int {
  view->obj = nullptr;
  auto& self = Self(object);
  if (!CheckNotForked()) return -1;
  if (!self.loan) {
    SetSpent();
    return -1;
  }
  return FillBuffer(view, object, {self.loan->bytes().data(), self.shape.payload_bytes, true}, self.layout, flags);
}

auto GetMemory(PyObject* self, void*) -> PyObject* { return PyMemoryView_FromObject(self); }
auto GetShape(PyObject* self, void*) -> PyObject* { return ShapeTuple(Self(self).layout); }
auto GetSpent(PyObject* self, void*) -> PyObject* { return PyBool_FromLong(Self(self).loan ? 0 : 1); }
auto GetOutput(PyObject* self, void*) -> PyObject* { return PyLong_FromSize_t(Self(self).shape.output); }

PyGetSetDef getters[] = {
    {"memory", GetMemory, nullptr, "the payload as a shaped, writable memoryview", nullptr},
    {"shape", GetShape, nullptr, "extents as a tuple", nullptr},
    {"spent", GetSpent, nullptr, "whether it was published", nullptr},
    {"output", GetOutput, nullptr, "index of the output it can be published on without a copy", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot slots[] = {
    Slot(Py_tp_new, RefuseNew),
    Slot(Py_tp_dealloc, Dealloc),
    Slot(Py_bf_getbuffer, GetBuffer),
    {Py_tp_getset, getters},
    {0, nullptr},
};
PyType_Spec spec = {"penstock._core.Loan", sizeof(LoanObject), 0, Py_TPFLAGS_DEFAULT, slots};

}  // namespace

auto AddLoanType(PyObject* module) -> bool {
  type = AddType(module, "Loan", spec);
  return type != nullptr;
}

auto NewLoan(PyObject* host, const LoanShape& shape, transport::Loan loan) -> PyObject* {
  PyObject* object = Allocate(type);
  if (object == nullptr) return nullptr;
  auto& self = Self(object);
  Py_INCREF(host);
  self.host = host;
  AddChild(host);
  self.shape = shape;
  self.layout = ArrayLayout::Of(loan.header());
  std::construct_at(&self.loan, std::move(loan));
  return object;
}

auto IsLoanOf(PyObject* object, PyObject* host, std::size_t output) -> bool {
  return Py_TYPE(object) == type && Self(object).host == host && Self(object).shape.output == output;
}

auto ShapeOf(PyObject* loan) -> const LoanShape& { return Self(loan).shape; }

auto TakeLoan(PyObject* loan) -> std::optional<transport::Loan> {
  auto taken = std::exchange(Self(loan).loan, std::nullopt);
  if (!taken) SetSpent();
  return taken;
}

}  // namespace penstock::core
