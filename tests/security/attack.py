# ruff: noqa: PTH108, PTH110, PTH118, PTH123, PTH208
"""Tries to take more than a container was given: `attack(params)`. Runs on Python 3.9 and later."""

import contextlib
import ctypes
import errno
import os
import signal
import socket

ENOUGH = 100_000  # far above every limit that the tests set, and an end when there is none
CLONE_NEWUSER = 0x10000000

_libc = ctypes.CDLL(None, use_errno=True)


def error_of(attempt, *arguments):
    """The name of the error, or none."""
    try:
        attempt(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    return None


def call_error(name, *arguments):
    return errno.errorcode[ctypes.get_errno()] if getattr(_libc, name)(*arguments) == -1 else None


def fork_bomb():
    children = []
    try:
        while len(children) < ENOUGH:
            child = os.fork()
            if child == 0:
                signal.pause()
            children.append(child)
        return {"made": len(children), "error": None}
    except OSError as error:
        return {"made": len(children), "error": errno.errorcode[error.errno]}
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def fill(directory):
    path = os.path.join(directory, "filler")
    written = 0
    try:
        with open(path, "wb", buffering=0) as file:
            while written < ENOUGH << 10:
                written += file.write(bytes(1 << 20))
        return {"bytes": written, "error": None}
    except OSError as error:
        return {"bytes": written, "error": errno.errorcode[error.errno]}
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)


def hoard_descriptors():
    found = []
    try:
        while len(found) < ENOUGH:
            found.append(os.open("/dev/null", os.O_RDONLY))
        return {"made": len(found), "error": None}
    except OSError as error:
        return {"made": len(found), "error": errno.errorcode[error.errno]}
    finally:
        for fd in found:
            os.close(fd)


def connect(address):
    with socket.socket() as end:
        end.settimeout(5)
        end.connect(tuple(address))


def attack(params):
    return {
        "fork bomb": fork_bomb(),
        "descriptors": hoard_descriptors(),
        "fill": {directory: fill(directory) for directory in ("/tmp", "/dev/shm", "/", "/app", "/run")},
        "shared memory": os.listdir("/dev/shm"),
        "connect": {str(address): error_of(connect, address) for address in params["addresses"]},
        "become root": [error_of(os.setuid, 0), error_of(os.setgid, 0), error_of(os.setgroups, [0])],
        "user namespace": call_error("unshare", CLONE_NEWUSER),
        "mount": call_error("mount", b"none", b"/tmp", b"tmpfs", 0, None),
        "device": error_of(os.mknod, "/tmp/memory", 0o20600, os.makedev(1, 1)),
        "kernel settings": error_of(open, "/proc/sys/kernel/core_pattern", "w"),
        "reboot": call_error("reboot", 0),
        "engine": [p for p in ("/run/docker.sock", "/var/run/docker.sock", "/run/containerd") if os.path.exists(p)],
    }
