"""Arrays in and out of messages: what is taken, what is converted, what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from penstock import _dtypes
from penstock._local import Loan, Shape

if TYPE_CHECKING:
    from penstock._dlpack import Imported

_MAX_CHANNELS = 256  # more are taken for a transposed array


def as_int(value: Any, what: str) -> int:
    try:
        return int(value.__index__())  # numpy integers too, floats not
    except AttributeError:
        raise TypeError(f"{what} must be an int, not {type(value).__name__}") from None


def try_memoryview(source: Any) -> Optional[memoryview]:
    try:
        return memoryview(source)
    except (TypeError, ValueError, BufferError):
        return None


def as_array(source: Any, what: str) -> Any:
    if isinstance(source, (str, bytes, list, tuple, dict)) or source is None:
        raise TypeError(f"{what} must be an array or have a buffer, not {type(source).__name__}")
    if is_dlpack_only(source):
        return by_dlpack(source, what).as_array()
    return _dtypes.numpy().asarray(source)


def is_dlpack_only(source: Any) -> bool:
    """Whether DLPack is what it offers before anything that numpy itself would use."""
    return hasattr(source, "__dlpack__") and not hasattr(source, "__array_interface__")


def by_dlpack(source: Any, what: str) -> Imported:
    from penstock import _dlpack  # with ctypes, which few nodes need and each would wait for at its start

    return _dlpack.imported(source, what)


def to_dlpack(array: Any, options: dict[str, Any]) -> Any:
    if not hasattr(array, "__dlpack__"):
        raise BufferError(f"DLPack needs numpy 1.23 or later, this is {_dtypes.numpy().__version__}: use numpy.asarray")
    try:
        return array.__dlpack__(**options)
    except (BufferError, TypeError) as error:  # numpy 1.22 says by a TypeError that memory is read-only
        if array.flags.writeable or (options and isinstance(error, TypeError)):
            raise
        raise BufferError(
            "a received message is read-only, which this numpy or this library cannot say by DLPack (numpy 2.1 and "
            "DLPack 1 can): use numpy.asarray(message), or message.array.copy() (samples, pixels) to write to it"
        ) from error


def shape_of(source: Any) -> Shape:
    shape = getattr(source, "shape", None)
    if shape is None:
        view = try_memoryview(source)
        shape = (view.shape or ()) if view is not None else as_array(source, "array").shape
    return tuple(int(extent) for extent in shape)


def samples_shape(shape: Shape) -> Shape:
    if len(shape) == 1:
        return (shape[0], 1)
    if len(shape) != 2:
        raise ValueError(f"samples have shape {shape}; Audio takes (frames, channels), or (frames,) for mono")
    if shape[1] > _MAX_CHANNELS:
        raise ValueError(
            f"samples of shape {shape} would have {shape[1]} channels; Audio takes (frames, channels): transpose them"
        )
    return shape


def pixels_shape(shape: Shape, format: str, channels: int) -> tuple[int, int, int]:
    if len(shape) == 2 and channels == 1:
        shape = (*shape, 1)
    if len(shape) != 3 or shape[2] != channels:
        raise ValueError(f"pixels have shape {shape}; {format} takes (height, width, {channels})")
    if format == "nv12" and (shape[0] % 3 or shape[1] % 2):
        raise ValueError(f"pixels have shape {shape}; nv12 takes (height * 3 // 2, width, 1), both of them even")
    return shape[0], shape[1], shape[2]


def pixels_of(source: Any, format: str, channels: int) -> Any:
    array = as_array(source, "pixels")
    if array.dtype != "uint8":
        remedy = "multiply by 255 and convert" if array.dtype.kind == "f" else "convert"
        raise TypeError(f"pixels are {array.dtype}; Image takes uint8: {remedy} them first (`.astype('uint8')`)")
    return _dtypes.numpy().ascontiguousarray(array).reshape(pixels_shape(array.shape, format, channels))


def checked_shape(shape: Shape) -> Shape:
    if len(shape) > 8:
        raise ValueError(f"a tensor has at most 8 dimensions, this one has {len(shape)}")
    return shape


def check_samples_type(dtype: Any) -> None:
    if dtype.kind != "f":
        remedy = f"divide by {2 ** (8 * dtype.itemsize - 1)}" if dtype.kind == "i" else "convert them"
        raise TypeError(f"samples are {dtype}; Audio takes float32 in −1…1: {remedy} first")


def float_samples(source: Any) -> Any:
    array = as_array(source, "samples")
    check_samples_type(array.dtype)
    return _dtypes.numpy().ascontiguousarray(array, dtype="float32").reshape(samples_shape(array.shape))


def array_of(holder: Any, dtype: _dtypes.DType) -> Any:
    np = _dtypes.numpy()
    memory = holder.memory
    if memory.nbytes == 0:
        return np.empty(holder.shape, _dtypes.to_numpy(dtype))
    if memory.format == "B" and dtype != (_dtypes.UINT, 8):
        return np.frombuffer(memory, dtype=_dtypes.to_numpy(dtype)).reshape(holder.shape)
    array = np.asarray(memory)
    return array if array.shape == holder.shape else array.reshape(holder.shape)


def copy_into(loan: Loan, array: Any, dtype: _dtypes.DType, shape: Shape) -> None:
    np = _dtypes.numpy()
    if array.size == 0:
        return
    target = np.frombuffer(loan.memory, dtype="u1")
    np.copyto(target.view(_dtypes.to_numpy(dtype)).reshape(shape), array.reshape(shape), casting="same_kind")


def seal(array: Any) -> None:
    # What was emitted is the receivers': a write through the same array afterwards is an error, not a torn message.
    if array is not None:
        array.flags.writeable = False
