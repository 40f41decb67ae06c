// nodes::Host as a Python object: the control channel and the ports of this worker.
//
// Belongs to the thread that attached; other threads are refused with an error. Waits release the GIL.
#pragma once

#include "python_api.h"

namespace penstock::core {

auto AddHostType(PyObject* module) -> bool;

/// _core.attach(control_fd, language, version, sdk, executable, timeout_s) -> Host
auto Attach(PyObject* module, PyObject* const* args, Py_ssize_t count) -> PyObject*;

/// From now on a runtime that goes ends its session only, not this process.
auto OutliveRuntimes(PyObject* module, PyObject* nothing) -> PyObject*;
/// raise_in(thread, exception) -> bool: raises it there, as soon as that thread runs Python code.
auto RaiseIn(PyObject* module, PyObject* const* args, Py_ssize_t count) -> PyObject*;

/// Views and loans count themselves here: while any is alive, close() leaves the ports and their mappings in place.
void AddChild(PyObject* host);
void ReleaseChild(PyObject* host);

}  // namespace penstock::core
