// The extension module penstock._core: a worker's ports for Python. penstock.worker is its only user.
#include "fork_guard.h"
#include "host_object.h"
#include "loan.h"
#include "message_view.h"
#include "python_api.h"

namespace {

using penstock::core::Fast;

PyMethodDef functions[] = {
    Fast("attach", penstock::core::Attach,
         "attach(control_fd, language, version, sdk, executable, timeout_s) -> Host\n\nSays hello on the control "
         "channel and waits for the configuration."),
    penstock::core::NoArguments("outlive_runtimes", penstock::core::OutliveRuntimes,
                                "outlive_runtimes(): a runtime that goes ends its session only, not this process"),
    Fast("raise_in", penstock::core::RaiseIn,
         "raise_in(thread, exception) -> bool: raises it there as soon as that thread runs Python code"),
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                          "penstock._core",
                          "Ports of a Penstock worker.",
                          -1,
                          functions,
                          nullptr,
                          nullptr,
                          nullptr,
                          nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__core() {
  using namespace penstock::core;
  InstallForkGuard();
  if (!InitialiseApi()) return nullptr;
  Ref module(PyModule_Create(&definition));
  if (!module || !AddHostType(module.get()) || !AddMessageViewType(module.get()) || !AddLoanType(module.get()))
    return nullptr;
  return module.release();
}
