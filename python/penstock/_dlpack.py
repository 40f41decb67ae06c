"""Arrays of other libraries, by DLPack: seen in place, without those libraries and without numpy."""

from __future__ import annotations

import ctypes
from typing import Any

from penstock import _dtypes
from penstock._errors import PenstockError

_ON_HOST = (_dtypes.CPU, 3, 11)  # and what CUDA or ROCm has pinned there
_DEVICES = {2: "CUDA", 4: "OpenCL", 7: "Vulkan", 8: "Metal", 10: "ROCm", 13: "CUDA (managed)", 14: "oneAPI"}
_LEGACY, _VERSIONED = b"dltensor", b"dltensor_versioned"


class _Tensor(ctypes.Structure):
    """DLTensor."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


class _Versioned(ctypes.Structure):
    """DLManagedTensorVersioned."""

    _fields_ = (
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", _Tensor),
    )


class Imported:
    """Another library's array, of which it keeps the memory while this, or a view of it, is there."""

    def __init__(self, capsule: Any, tensor: _Tensor) -> None:
        self.dtype: _dtypes.DType = (tensor.code, tensor.bits)
        self.shape = tuple(tensor.shape[i] for i in range(tensor.ndim))
        self._strides = tuple(tensor.strides[i] for i in range(tensor.ndim)) if tensor.strides else None
        self._block: Any = b""
        if 0 not in self.shape:
            span = sum((extent - 1) * stride for extent, stride in zip(self.shape, self._strides or self._compact()))
            size = (span + 1) * tensor.bits // 8
            self._block = (ctypes.c_ubyte * size).from_address(tensor.data + tensor.byte_offset)
            self._block.capsule = capsule  # views of the block keep it, and with it what is behind

    def _compact(self) -> tuple[int, ...]:
        strides, step = [], 1
        for extent in reversed(self.shape):
            strides.append(step)
            step *= extent
        return tuple(reversed(strides))

    @property
    def is_compact(self) -> bool:
        """Whether the elements follow each other in C order."""
        if self._strides is None or 0 in self.shape:
            return True
        return all(e == 1 or a == b for e, a, b in zip(self.shape, self._strides, self._compact()))

    @property
    def memory(self) -> Any:
        """The bytes of a compact one, as a buffer."""
        return self._block

    def as_array(self) -> Any:
        """As a numpy array, in place."""
        np, dtype = _dtypes.numpy(), _dtypes.to_numpy(self.dtype)
        if 0 in self.shape:
            return np.empty(self.shape, dtype)
        strides = tuple(stride * dtype.itemsize for stride in self._strides or self._compact())
        return np.ndarray(self.shape, dtype, self._block, 0, strides)


def imported(source: Any, what: str) -> Imported:
    """Of anything with `__dlpack__`. TypeError for what is not in the memory of the host, or has no type of ours."""
    device, number = source.__dlpack_device__()
    if device not in _ON_HOST:
        name = _DEVICES.get(device, f"type {device}")
        raise TypeError(
            f"{what} is on device {name}:{number}, and messages are memory of the host: copy it there first (`.cpu()`)"
        )
    try:
        capsule = source.__dlpack__(max_version=(1, 0))
    except TypeError:  # of a library that does not know versions
        capsule = source.__dlpack__()
    tensor = _tensor_of(capsule)
    if tensor.lanes != 1 or tensor.bits % 8 != 0 or tensor.ndim > 8:
        raise TypeError(
            f"{what} has {tensor.ndim} dimensions of {tensor.lanes} × {tensor.bits} bits; a message takes at most 8, "
            "and elements of whole bytes"
        )
    if tensor.strides and any(tensor.strides[i] < 0 for i in range(tensor.ndim)):
        raise ValueError(f"{what} runs backwards in a dimension: copy it first")
    return Imported(capsule, tensor)


def _tensor_of(capsule: Any) -> _Tensor:
    # The capsule keeps its name: who does not take it over leaves it to the capsule to delete what is in it.
    api = ctypes.pythonapi
    api.PyCapsule_IsValid.argtypes = api.PyCapsule_GetPointer.argtypes = (ctypes.py_object, ctypes.c_char_p)
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    if api.PyCapsule_IsValid(capsule, _VERSIONED):
        versioned = _Versioned.from_address(api.PyCapsule_GetPointer(capsule, _VERSIONED))
        if versioned.major == 1:
            return versioned.tensor  # type: ignore[no-any-return]
        raise PenstockError(f"DLPack {versioned.major}.{versioned.minor} is newer than what this SDK knows (1)")
    return _Tensor.from_address(api.PyCapsule_GetPointer(capsule, _LEGACY))
