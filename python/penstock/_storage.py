"""Which file system had no room, from the process that met it: a container's go with the container."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Optional

_IN_CONTAINER = str(Path(__file__)).startswith("/opt/penstock/")
_FIELDS = {"/tmp": "docker.tmpfs_mb", "/dev/shm": "docker.shm_size_mb"}
_REST = 64 * 1024  # bytes: what is left may be less than the write that failed needed


def hint(
    error: OSError, node_id: str, mounts: Optional[str] = None, in_container: bool = _IN_CONTAINER
) -> Optional[str]:
    """For "no space left on device": what is full, how large it is, and what to do. None for other errors.

    >>> hint(OSError(errno.ENOENT, "no such file"), "vad") is None
    True
    """
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return None
    table = _mounts(mounts if mounts is not None else _read_mounts())
    if isinstance(error.filename, (str, bytes)):
        path = os.path.realpath(os.fsdecode(error.filename))
        where = max((point for point, _ in table if _is_below(path, point)), key=len, default="/")
        return _sentence(where, node_id, in_container)
    in_memory = [point for point, kind in table if kind == "tmpfs" and os.access(point, os.W_OK)]
    full = [point for point in in_memory if _room(point)[1] <= _REST]
    if full:
        return _sentence(full[0], node_id, in_container)
    if not in_container:
        return None  # anything on the host may be meant
    sizes = ", ".join(f"{point} ({_megabytes(_room(point)[0])})" for point in in_memory)
    return f"Its file systems in memory are {sizes}" if sizes else None


def _sentence(point: str, node_id: str, in_container: bool) -> str:
    said = f"{point} is full ({_megabytes(_room(point)[0])})"
    if in_container and point in _FIELDS:
        return f"{said}: raise {_FIELDS[point]} of node '{node_id}', or delete files there"
    return f"{said}: free room there"


def _room(point: str) -> tuple[int, int]:
    """Size and what is left, in bytes."""
    try:
        room = os.statvfs(point)
    except OSError:
        return 0, _REST + 1
    return room.f_blocks * room.f_frsize, room.f_bavail * room.f_frsize if room.f_blocks else _REST + 1


def _megabytes(size: int) -> str:
    value = size / 2**20
    return f"{value:.1f} MB" if value < 10 else f"{value:.0f} MB"


def _mounts(text: str) -> list[tuple[str, str]]:
    """Mount points and types, the later of two at one point hiding the earlier."""
    lines = (line.split() for line in text.splitlines())
    found = {_unescaped(fields[1]): fields[2] for fields in lines if len(fields) > 2}
    return list(found.items())


def _unescaped(point: str) -> str:
    return point.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")


def _read_mounts() -> str:
    try:
        return Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _is_below(path: str, point: str) -> bool:
    return point == "/" or path == point or path.startswith(point + "/")
