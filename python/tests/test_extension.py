"""What the extension asks of its host, and what it shows to others."""

from __future__ import annotations

import re
import shutil
import subprocess
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
