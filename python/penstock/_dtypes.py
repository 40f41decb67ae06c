"""Element types: DLPack codes, buffer formats and numpy's names for the same thing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from types import ModuleType

INT, UINT, FLOAT, BFLOAT, COMPLEX, BOOL = 0, 1, 2, 4, 5, 6

CPU = 1  # kDLCPU

DType = tuple[int, int]  # DLPack code, bits

_KINDS: dict[str, int] = {"i": INT, "u": UINT, "f": FLOAT, "c": COMPLEX, "b": BOOL}
_NUMPY_KINDS: dict[int, str] = {code: kind for kind, code in _KINDS.items()}

# Native formats as memoryview knows them; sizes are those of x86-64 and arm64 Linux.
_FORMATS: dict[str, DType] = {
    "?": (BOOL, 8), "b": (INT, 8), "B": (UINT, 8), "h": (INT, 16), "H": (UINT, 16), "i": (INT, 32), "I": (UINT, 32),
    "l": (INT, 64), "L": (UINT, 64), "q": (INT, 64), "Q": (UINT, 64), "n": (INT, 64), "N": (UINT, 64),
    "e": (FLOAT, 16), "f": (FLOAT, 32), "d": (FLOAT, 64), "Zf": (COMPLEX, 64), "Zd": (COMPLEX, 128),
}  # fmt: skip
_FORMAT_OF: dict[DType, str] = {
    (BOOL, 8): "?", (INT, 8): "b", (UINT, 8): "B", (INT, 16): "h", (UINT, 16): "H", (INT, 32): "i", (UINT, 32): "I",
    (INT, 64): "q", (UINT, 64): "Q", (FLOAT, 16): "e", (FLOAT, 32): "f", (FLOAT, 64): "d",
}  # fmt: skip

_numpy: Optional[ModuleType] = None


def numpy() -> Any:
    """The numpy module, imported when an array is first asked for: nodes that need none do not pay for it."""
    global _numpy
    if _numpy is None:
        try:
            import numpy as module
        except ImportError as error:
            raise ImportError(
                "arrays need numpy, which this node's environment does not have: add it to python_packages, "
                "or read the payload through the message's `buffer` (a memoryview)",
                name="numpy",
            ) from error
        _numpy = module
    return _numpy


def numpy_if_imported() -> Any:
    """numpy when somebody has imported it, else None: without it nobody can have passed us an array."""
    return _numpy or sys.modules.get("numpy")


def of_format(format: str) -> Optional[DType]:
    """Of a buffer format, None when there is no DLPack type for it.

    >>> of_format("f")
    (2, 32)
    >>> of_format("<d")
    (2, 64)
    >>> of_format(">d") is None
    True
    """
    return _FORMATS.get(format[1:] if format[:1] in "<=@" else format)


def to_format(dtype: DType) -> Optional[str]:
    """The buffer format that memoryview.cast takes, None when it has none.

    >>> to_format((2, 32))
    'f'
    """
    return _FORMAT_OF.get(dtype)


def of_name(dtype: Any) -> DType:
    """Of anything numpy.dtype accepts. Plain names work without numpy.

    >>> of_name("float32")
    (2, 32)
    """
    if isinstance(dtype, str):
        for prefix, code in (("float", FLOAT), ("int", INT), ("uint", UINT), ("complex", COMPLEX)):
            digits = dtype[len(prefix) :]
            if dtype.startswith(prefix) and digits.isdigit():
                return _checked(dtype, (code, int(digits)))
        if dtype == "bool":
            return (BOOL, 8)
        if dtype == "bfloat16":
            return (BFLOAT, 16)
    return of_numpy(numpy().dtype(dtype))


def of_numpy(dtype: Any) -> DType:
    """Of a numpy dtype. TypeError for those that no other process could read (objects, strings, records)."""
    if dtype.name == "bfloat16":
        return (BFLOAT, 16)
    code = _KINDS.get(dtype.kind)
    if code is None:
        raise TypeError(f"a tensor cannot have elements of type {dtype}; use numbers or booleans")
    return _checked(str(dtype), (code, dtype.itemsize * 8))


def _checked(name: str, dtype: DType) -> DType:
    if dtype not in _FORMATS.values():
        raise TypeError(f"there is no element type {name} in a message; the widest are 64 bits (complex: 128)")
    return dtype


def to_numpy(dtype: DType) -> Any:
    """A numpy dtype. bfloat16 needs the ml_dtypes package, which gives numpy that type."""
    code, bits = dtype
    if code == BFLOAT and bits == 16:
        try:
            import ml_dtypes  # type: ignore[import-not-found, unused-ignore]
        except ImportError as error:
            raise ImportError(
                "numpy has no bfloat16 of its own: add ml_dtypes to python_packages", name="ml_dtypes"
            ) from error
        return numpy().dtype(ml_dtypes.bfloat16)
    kind = _NUMPY_KINDS.get(code)
    if kind is None or bits % 8 != 0:
        raise TypeError(f"numpy has no element type for DLPack code {code} with {bits} bits")
    return numpy().dtype(f"{kind}{bits // 8}")
