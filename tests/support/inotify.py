"""Waits for changes in a folder, told by the kernel."""

from __future__ import annotations

import ctypes
import os
import select
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CREATED, MOVED_HERE, DELETED = 0x100, 0x80, 0x200


class Folder:
    def __init__(self, fd: int) -> None:
        self.fd = fd

    def next_name(self, deadline: float) -> str:
        """Of what was made in the folder, or what else is watched for, since the last call; `deadline` is when a test
        gives up."""
        assert select.select([self.fd], [], [], deadline)[0], "nothing happened in the folder"
        event = os.read(self.fd, 4096)
        (length,) = struct.unpack_from("I", event, 12)
        return event[16 : 16 + length].rstrip(b"\0").decode()


@contextmanager
def watched(folder: Path, events: int = CREATED | MOVED_HERE) -> Iterator[Folder]:
    library = ctypes.CDLL(None, use_errno=True)
    fd = library.inotify_init1(os.O_CLOEXEC)
    try:
        if fd < 0 or library.inotify_add_watch(fd, os.fsencode(folder), events) < 0:
            raise OSError(ctypes.get_errno(), f"cannot watch {folder}")
        yield Folder(fd)
    finally:
        os.close(fd)
