// Borrowed shared memory as a Python object: writable through the buffer protocol until it is published.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "python_api.h"
#include "transport/output_port.h"

namespace penstock::core {

struct LoanShape {
  std::size_t output = 0;
  std::uint64_t payload_bytes = 0;
  std::uint32_t metadata_bytes = 0;  // room for JSON behind the payload
};

auto AddLoanType(PyObject* module) -> bool;

/// The loan's header holds kind, type and shape already. `host` is kept alive by it.
auto NewLoan(PyObject* host, const LoanShape& shape, transport::Loan loan) -> PyObject*;

/// Whether `object` is a Loan of this host and output.
auto IsLoanOf(PyObject* object, PyObject* host, std::size_t output) -> bool;
auto ShapeOf(PyObject* loan) -> const LoanShape&;
/// Takes the memory out, for publishing: the object is spent. Nullopt, with ValueError set, when it was spent before.
auto TakeLoan(PyObject* loan) -> std::optional<transport::Loan>;

}  // namespace penstock::core
