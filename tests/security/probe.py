# ruff: noqa: PTH108, PTH110, PTH115, PTH123, PTH208
"""Looks for ways from this process to what it was not given: `probe(secrets)`, or `probe.py SECRETS_AS_JSON`.

`secrets` maps absolute paths of the host to what is in them. A leak is one sentence. Runs on Python 3.9 and later.
"""

import ctypes
import errno
import fcntl
import json
import os
import signal
import socket
import stat
import struct
import sys

DEPTH = 24  # how many ".." are tried

# x86-64 and arm64 agree on all but the first two.
_OLD = {"x86_64": {"name_to_handle_at": 303, "open_by_handle_at": 304, "setns": 308, "unshare": 272, "chroot": 161}}
_OLD["aarch64"] = {"name_to_handle_at": 264, "open_by_handle_at": 265, "setns": 268, "unshare": 97, "chroot": 51}
SYSCALLS = {
    **_OLD[os.uname().machine],
    "pidfd_send_signal": 424,
    "open_tree": 428,
    "pidfd_getfd": 438,
}
CLONE_NEWNS = 0x20000
SO_PEERPIDFD = 77
PIDFD_GET_MNT_NAMESPACE = 0xFF03
AT_EMPTY_PATH = 0x1000
OPEN_TREE_CLONE = 1

_libc = ctypes.CDLL(None, use_errno=True)


def system_call(name, *arguments):
    """The result, or minus the error number."""
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = _libc.syscall(ctypes.c_long(SYSCALLS[name]), *converted)
    return -ctypes.get_errno() if result == -1 else result


def succeeds(attempt, *arguments, **named):
    try:
        attempt(*arguments, **named)
    except (OSError, ValueError):
        return False
    return True


def read(path, **where):
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, **where)
    except OSError:
        return None
    try:
        return os.read(fd, 4096).decode(errors="replace")
    except OSError:
        return None
    finally:
        os.close(fd)


def climbs(path):
    for depth in range(DEPTH):
        yield "../" * depth + path.lstrip("/")


def directory_leaks(fd, secrets):
    me = os.fstat(fd)
    try:
        parent = os.stat("..", dir_fd=fd)
        if (parent.st_dev, parent.st_ino) != (me.st_dev, me.st_ino):
            yield "its parent is another directory"
        listing = os.open("..", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        try:
            # Peers make and remove files meanwhile: only names that stay different are a finding.
            if all(set(os.listdir(listing)) != set(os.listdir(f"/proc/self/fd/{fd}")) for _ in range(100)):
                yield "its parent lists other names"
        finally:
            os.close(listing)
    except OSError:
        pass
    for path, text in secrets.items():
        for climb in climbs(path):
            if read(climb, dir_fd=fd) == text:
                yield f"openat reads {path}"
                break
        for climb in climbs(path):
            if read(f"/proc/self/fd/{fd}/{climb}") == text:
                yield f"a path through /proc reads {path}"
                break
        yield from link_leaks(fd, path, text)
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fchdir(fd)
        for path, text in secrets.items():
            if any(read(climb) == text for climb in climbs(path)):
                yield f"fchdir and .. read {path}"
    except OSError:
        pass
    finally:
        os.fchdir(before)
        os.close(before)
    yield from kernel_leaks(fd, me.st_dev)


def link_leaks(fd, path, text):
    """Symbolic links that lead out, at once or for whoever follows them."""
    for target in [path, *climbs(path)]:
        name = f"link-{os.getpid()}"
        try:
            os.symlink(target, name, dir_fd=fd)
        except OSError:
            return
        try:
            if read(name, dir_fd=fd) == text or read(f"/proc/self/fd/{fd}/{name}") == text:
                yield f"a link reads {path}"
                return
            if succeeds(os.close, os.open(name, os.O_PATH, dir_fd=fd)):
                yield f"a link to {target} can be followed"
                return
        except OSError:
            pass
        finally:
            os.unlink(name, dir_fd=fd)


def kernel_leaks(fd, device):
    handle = ctypes.create_string_buffer(8 + 128)
    mount = ctypes.c_int()
    struct.pack_into("Ii", handle, 0, 128, 0)
    system_call("name_to_handle_at", fd, b"..", handle, ctypes.byref(mount), 0)
    # The root of most file systems has inode 2: FILEID_INO32_GEN with generation 0.
    root = ctypes.create_string_buffer(struct.pack("IiII", 8, 1, 2, 0), 8 + 128)
    for what, candidate in (("its parent", handle), ("a root", root)):
        opened = system_call("open_by_handle_at", fd, candidate, os.O_RDONLY)
        if opened >= 0:
            os.close(opened)
            yield f"open_by_handle_at opens {what}"
    cloned = system_call("open_tree", fd, b"..", OPEN_TREE_CLONE)
    if cloned >= 0:
        os.close(cloned)
        yield "open_tree clones its mount"


def memory_leaks(fd):
    size = os.fstat(fd).st_size
    for new in (size + 4096, 0):
        if succeeds(os.ftruncate, fd, new):
            os.ftruncate(fd, size)
            yield f"memory of {size} bytes takes a size of {new}"
    if succeeds(os.posix_fallocate, fd, size, 4096):
        yield "memory grows by fallocate"
    try:
        again = os.open(f"/proc/self/fd/{fd}", os.O_RDWR)
    except OSError:
        return
    if succeeds(os.ftruncate, again, size + 4096):
        yield "memory opened again can grow"
    os.close(again)


def socket_leaks(fd):
    with socket.socket(fileno=os.dup(fd)) as end:
        if end.family != socket.AF_UNIX:
            yield f"a socket of family {end.family}"
            return
        for path in ("/run/docker.sock", "/var/run/docker.sock", "/run/containerd/containerd.sock", "\0/run/dbus"):
            # An address given to sendmsg is ignored by a connected packet socket: that would only reach the runtime.
            if succeeds(end.connect, path):
                yield f"reaches {path!r}"
        try:
            (peer,) = struct.unpack("i", end.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD, 4))
        except OSError:
            return
    # The kernel gives out a handle of the process at the other end, which is the host's.
    try:
        yield from process_leaks(peer)
    finally:
        os.close(peer)


def process_leaks(peer):
    for number in (0, signal.SIGCONT):
        if system_call("pidfd_send_signal", peer, number, 0, 0) == 0:
            yield "the peer takes signals"
    for number in range(3):
        stolen = system_call("pidfd_getfd", peer, number, 0)
        if stolen >= 0:
            os.close(stolen)
            yield f"the peer's descriptor {number} can be had"
    if system_call("setns", peer, CLONE_NEWNS) == 0:
        yield "the peer's mounts can be entered"
    try:
        namespace = fcntl.ioctl(peer, PIDFD_GET_MNT_NAMESPACE)
    except OSError:
        return
    if system_call("setns", namespace, CLONE_NEWNS) == 0:
        yield "the peer's mount namespace can be entered"
    os.close(namespace)


def kind_of(fd):
    mode = os.fstat(fd).st_mode
    target = os.readlink(f"/proc/self/fd/{fd}")
    if stat.S_ISDIR(mode):
        return "directory"
    if stat.S_ISSOCK(mode):
        return "socket"
    if stat.S_ISFIFO(mode):
        return "pipe"
    if target.startswith("/memfd:"):
        return "memory"
    if target.startswith("anon_inode:"):
        return target
    return target if stat.S_ISCHR(mode) else "file"


def descriptors():
    with os.scandir("/proc/self/fd") as entries:
        numbers = sorted(int(entry.name) for entry in entries)
    for number in numbers:
        try:
            yield number, kind_of(number)
        except OSError as error:
            if error.errno not in (errno.EBADF, errno.ENOENT):  # the listing's own
                raise


def probe(secrets):
    leaks, realms, kinds, files = [], [], {}, []
    found = list(descriptors())
    for fd, kind in found:
        kinds[kind] = kinds.get(kind, 0) + 1
        ways = ()
        if kind == "directory":
            status = os.fstat(fd)
            realms.append([status.st_dev, status.st_ino])
            ways = directory_leaks(fd, secrets)
        elif kind == "memory":
            ways = memory_leaks(fd)
        elif kind == "socket":
            ways = socket_leaks(fd)
        elif kind == "file":
            files.append(os.fstat(fd).st_dev)
        leaks += [f"descriptor {fd} ({kind}): {leak}" for leak in ways]
        if system_call("setns", fd, 0) == 0:
            leaks.append(f"descriptor {fd} ({kind}): setns enters it")
    leaks += [f"{path} can be read" for path, text in secrets.items() if read(path) == text]
    return {"leaks": leaks, "realms": realms, "kinds": kinds, "files": files, "walls": walls()}


def can_write(directory):
    path = directory.rstrip("/") + f"/penstock-{os.getpid()}"
    if not succeeds(lambda: os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))):
        return False
    os.unlink(path)
    return True


def walls():
    """What the container as a whole allows."""
    with open("/proc/self/status") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    directories = (
        "/",
        "/app",
        "/opt/penstock",
        "/etc",
        "/usr",
        "/run/penstock",
        "/run",
        "/dev",
        "/sys",
        "/proc/sys/kernel",
    )
    writable = [directory for directory in directories if can_write(directory)]
    sockets = []
    for folder, _, names in (entry for top in ("/run", "/var/run", "/tmp", "/app") for entry in os.walk(top)):
        for name in names:
            path = f"{folder}/{name}"
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as end:
                if stat.S_ISSOCK(os.lstat(path).st_mode) and succeeds(end.connect, path):
                    sockets.append(path)
    return {
        "uid": os.getuid(),
        "capabilities": {name: int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")},
        "no_new_privileges": status["NoNewPrivs"].strip(),
        "seccomp": status["Seccomp"].strip(),
        "groups": os.getgroups(),
        "interfaces": sorted(os.listdir("/sys/class/net")),
        "writable": writable,
        "sockets": sockets,
        "engine": [path for path in ("/run/docker.sock", "/var/run/docker.sock") if os.path.exists(path)],
        "namespaces": system_call("unshare", CLONE_NEWNS) == 0,
        "root_can_be_changed": system_call("chroot", b"/tmp") == 0,
    }


if __name__ == "__main__":
    print(json.dumps(probe(json.loads(sys.argv[1]))))
