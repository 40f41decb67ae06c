"""The SDK on every Python that is here: its examples, and what arrays are taken, with the numpy that each has."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1]
ROOT = Path(os.environ.get("PENSTOCK_TEST_PYTHON_ROOT", PACKAGE.parent / "build" / "test-pythons"))
INTERPRETERS = sorted(ROOT.glob("versions/*/bin/python3"))

EXAMPLES = """
import doctest, importlib, pathlib, sys
folder = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(folder))
names = sorted(path.stem for path in (folder / "penstock").glob("*.py") if path.stem not in ("worker", "_hosting"))
failed = tried = 0
for name in names:
    module = importlib.import_module("penstock" if name == "__init__" else "penstock." + name)
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    failed, tried = failed + result.failed, tried + result.attempted
assert tried > 100, tried
sys.exit(failed != 0)
"""

ARRAYS = """
import gc, sys
sys.path.insert(0, sys.argv[1])
import numpy as np, penstock
from penstock import Audio, Image, Tensor, testing

class Echo(penstock.Node):
    def process(self, message):
        return message

for message in (Audio(np.full((4, 2), 0.5), 8000), Image(np.ones((2, 4, 3), np.uint8), "bgr24"),
                Tensor(np.arange(6, dtype=np.int16).reshape(2, 3).T)):
    [out] = testing.run(Echo, [message])
    seen = np.asarray(out)
    assert seen.shape == out.shape and not seen.flags.writeable
    np.testing.assert_array_equal(seen, np.asarray(message))
    try:
        out.__dlpack__()
    except BufferError as error:
        assert "read-only" in str(error) or "DLPack needs" in str(error), error
    else:
        raise AssertionError("who is not told that memory is read-only gets it")

class Only:
    def __init__(self, array):
        self.array = array
    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)
    def __dlpack_device__(self):
        return (1, 0)

if hasattr(np.zeros(1), "__dlpack__"):
    for array in (np.arange(12.0).reshape(3, 4), np.arange(12.0).reshape(3, 4)[:, ::2]):
        [out] = testing.run(Echo, [Tensor(Only(array))])
        np.testing.assert_array_equal(out.array, array)
gc.collect()
print(np.__version__)
"""


def run(python: Path, script: str) -> str:
    done = subprocess.run([python, "-c", script, str(PACKAGE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(not INTERPRETERS, reason=f"NOT TESTED: no other Python in {ROOT} (./dev setup makes them)")
@pytest.mark.parametrize("python", INTERPRETERS, ids=lambda path: str(path.parts[-3]))
def test_the_examples_run(python: Path) -> None:
    run(python, EXAMPLES)


@pytest.mark.skipif(not INTERPRETERS, reason=f"NOT TESTED: no other Python in {ROOT} (./dev setup makes them)")
@pytest.mark.parametrize("python", INTERPRETERS, ids=lambda path: str(path.parts[-3]))
def test_arrays_come_and_go(python: Path) -> None:
    assert run(python, ARRAYS).strip()
