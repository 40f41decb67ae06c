"""Exceptions of user code as sentences for the person who runs the pipeline, with hints where the cause is known."""

from __future__ import annotations

import os
import platform
import re
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Optional

from penstock import _storage

_OWN_FOLDER = str(Path(__file__).resolve().parent) + os.sep
_MAX_CHARACTERS = 48 * 1024  # a packet holds 192 KiB, of which JSON escapes may need several for a character

# Shared libraries that popular wheels expect from the system, and the Debian package of each.
_DEBIAN_PACKAGES = {
    "libasound.so.2": "libasound2", "libespeak-ng.so.1": "libespeak-ng1", "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0", "libgomp.so.1": "libgomp1", "libportaudio.so.2": "libportaudio2",
    "libsndfile.so": "libsndfile1", "libsndfile.so.1": "libsndfile1", "libSM.so.6": "libsm6", "libsox.so.3": "libsox3",
    "libXext.so.6": "libxext6", "libXrender.so.1": "libxrender1",
}  # fmt: skip
_MISSING_LIBRARY = re.compile(r"(lib[\w.+-]+?\.so(?:\.\d+)*): cannot open shared object file")
_MISSING_LIBRARY_OF_CFFI = re.compile(r"cannot load library '[^']*?(lib[\w.+-]+?\.so(?:\.\d+)*)'")


@dataclass(frozen=True)
class Failure:
    """What `failed` of the worker protocol carries."""

    error: str
    message: str
    traceback: str


def describe(error: BaseException, node_id: str) -> Failure:
    """Type, sentence with a hint, and the traceback from the user's first frame on, with causes and notes.

    >>> failure = describe(ModuleNotFoundError("No module named 'soxr'", name="soxr"), "vad")
    >>> failure.error
    'ModuleNotFoundError'
    >>> print(failure.message)  # doctest: +ELLIPSIS
    No module named 'soxr'. Python 3... of node 'vad' has no 'soxr': add the package that brings ...python_packages
    """
    cls = type(error)
    name = cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
    message = str(error) or name
    hint = _hint(error, node_id)
    if hint is not None:
        message = f"{message.rstrip('.')}. {hint}"
    return Failure(name, _shortened(message, 8 * 1024), _shortened(_traceback(error), _MAX_CHARACTERS))


def chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and those that led to it."""
    seen: list[BaseException] = []
    current: Optional[BaseException] = error
    while current is not None and current not in seen:
        yield current
        seen.append(current)
        current = current.__cause__ or current.__context__


def _hint(error: BaseException, node_id: str) -> Optional[str]:
    for link in chain(error):
        if isinstance(link, (ImportError, OSError)):
            found = _MISSING_LIBRARY.search(str(link)) or _MISSING_LIBRARY_OF_CFFI.search(str(link))
            if found is not None:
                package = _DEBIAN_PACKAGES.get(found.group(1))
                what = f"'{package}'" if package else f"the Debian package that contains {found.group(1)}"
                return f"A system library is missing: add {what} to the system_dependencies of node '{node_id}'"
        if isinstance(link, OSError):
            full = _storage.hint(link, node_id)
            if full is not None:
                return full
        if isinstance(link, ModuleNotFoundError) and link.name and not hasattr(link, "penstock_explained"):
            top = link.name.partition(".")[0]
            return (
                f"Python {platform.python_version()} of node '{node_id}' has no '{top}': "
                "add the package that brings it to the node's python_packages"
            )
    return None


def _traceback(error: BaseException) -> str:
    for link in chain(error):
        link.__traceback__ = _from_user_code(link.__traceback__)
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    if sys.version_info < (3, 11):  # which does not know notes, though backports of exception groups set them
        text += "".join(f"{note}\n" for note in getattr(error, "__notes__", ()))
    return text


def _from_user_code(trace: Optional[TracebackType]) -> Optional[TracebackType]:
    """Without the leading frames of the SDK, the import system and the event loop; all of them when there are no
    others."""
    current = trace
    while current is not None:
        file = current.tb_frame.f_code.co_filename
        if not (
            file.startswith((_OWN_FOLDER, "<frozen "))
            or os.sep + "importlib" + os.sep in file
            or os.sep + "asyncio" + os.sep in file
            or file.endswith("runpy.py")
        ):
            return current
        current = current.tb_next
    return trace


def _shortened(text: str, limit: int) -> str:
    # Lone surrogates (from undecodable file names) cannot be sent as UTF-8.
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) <= limit:
        return text
    head, tail = limit // 3, limit - limit // 3
    return f"{text[:head]}\n… {len(text) - limit} characters left out …\n{text[-tail:]}"
