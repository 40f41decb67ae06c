"""JSON as messages carry it."""

from __future__ import annotations

import json
from typing import Any

from penstock import _dtypes


def to_json(value: Any, what: str) -> bytes:
    """Compact UTF-8. TypeError or ValueError that says what cannot be written."""
    try:
        return json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_json_default
        ).encode()
    except TypeError as error:
        raise TypeError(f"{what} cannot be written as JSON: {error}") from error
    except ValueError as error:
        raise ValueError(f"{what} cannot be written as JSON: {error}") from error


def _json_default(value: Any) -> Any:
    np = _dtypes.numpy_if_imported()
    if np is not None and isinstance(value, np.generic):
        return value.item()
    if np is not None and isinstance(value, np.ndarray):
        raise TypeError("it has a numpy array: send a Tensor, or call .tolist()")
    raise TypeError(f"it has a value of type {type(value).__name__}")
