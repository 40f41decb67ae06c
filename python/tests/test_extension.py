"""What the extension asks of its host, and what it shows to others."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXTENSION = Path(__file__).resolve().parents[2] / "build/worker/python/penstock/_core.abi3.so"


def dynamic_symbols(kind: str) -> list[str]:
    if not EXTENSION.exists() or shutil.which("nm") is None:
        pytest.skip(f"NOT TESTED: needs {EXTENSION} (./dev build) and nm")
    command = ["nm", "-D", f"--{kind}-only", str(EXTENSION)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def test_it_runs_on_glibc_2_34() -> None:
    versions = {
        tuple(map(int, v.split(".")))
        for line in dynamic_symbols("undefined")
        for v in re.findall(r"GLIBC_([\d.]+)", line)
    }
    assert max(versions) <= (2, 34)


def test_it_needs_no_libstdcxx() -> None:
    assert not [line for line in dynamic_symbols("undefined") if "GLIBCXX" in line or "CXXABI" in line]


def test_it_exports_nothing_but_its_entry() -> None:
    assert [line.split()[-1] for line in dynamic_symbols("defined")] == ["PyInit__core"]


def test_it_uses_only_what_python_3_9_has() -> None:
    # Names that 3.11's headers offer in the limited API but 3.9 does not have.
    later = {
        "PyModule_AddType",
        "PyModule_AddObjectRef",
        "PyObject_Vectorcall",
        "PyType_FromModuleAndSpec",
        "Py_NewRef",
    }
    used = {line.split()[-1] for line in dynamic_symbols("undefined")}
    assert "PyModule_Create2" in used
    assert not used & later


# The other end of the control channel is this script's own.
ATTACH = """
import fcntl, json, os, resource, socket, sys, threading
from penstock import _core
from penstock._errors import PortError

runtime, worker = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
filler = worker.dup()
bell = os.memfd_create("bell", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
os.truncate(bell, 4096)
fcntl.fcntl(bell, 1033, 7)  # F_ADD_SEALS: of its size

def attach():
    return _core.attach(worker.detach(), "python", "3", "0", sys.executable, 60.0)

def configure():
    packet = {"v": 1, "type": "configure", "session": "s", "node": "n", "node_type": "m:N", "params": {},
              "modules": [], "code": "/", "attempt": 0, "measure_cpu": False, "bell": 0, "realms": [], "outputs": [],
              "inputs": []}
    socket.send_fds(runtime, [json.dumps(packet).encode()], [bell])

def read_until(type):
    while True:
        data = runtime.recv(65536)
        if data[:1] == b"{" and json.loads(data)["type"] == type:
            return json.loads(data)
"""


def run_script(script: str) -> str:
    if not EXTENSION.exists():
        pytest.skip(f"NOT TESTED: needs {EXTENSION} (./dev build)")
    package = EXTENSION.parents[1]
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(package)!r})\n{ATTACH}{script}"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_ports_that_are_dropped_do_not_hold_up_other_threads() -> None:
    # Their own thread waits for a runtime that does not read, which here is another thread of the same interpreter.
    told = run_script("""
sys.setswitchinterval(1000)  # a thread goes on until it gives up the lock by itself
attached = threading.Event()

def session():
    host = attach()
    attached.set()
    del host
    print("dropped")

thread = threading.Thread(target=session)
thread.start()
read_until("hello")
try:
    while True:
        filler.send(b"x" * 1000, socket.MSG_DONTWAIT)
except BlockingIOError:
    pass
configure()
attached.wait()
read_until("outputs_open")
thread.join()
""")
    assert told == "dropped\n"


def test_a_thread_that_cannot_be_started_is_an_error_and_told_to_the_runtime() -> None:
    told = run_script("""
def session():
    read_until("hello")
    configure()
    print(read_until("failed"))

thread = threading.Thread(target=session)
thread.start()
pages = int(open("/proc/self/statm").read().split()[0])
# Too little for another stack.
resource.setrlimit(resource.RLIMIT_AS, (pages * os.sysconf("SC_PAGE_SIZE") + (4 << 20),) * 2)
try:
    attach()
except PortError as error:
    print(error.code, error)
thread.join()
""")
    assert "'phase': 'ports'" in told
    assert "no thread can be started for the ports" in told
    assert "docker.resource_limits.pids" in told
