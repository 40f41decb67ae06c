"""Kinds of faults of a node, one session for each that plays it over and over, and what is seen of it from outside.

source → relay → node under test → `text.sink`. The node handles some messages, fails, is restarted, and so on; then the
source is stopped, and what the sink has written is held against what the source has sent.
"""

from __future__ import annotations

import json
import mmap
import os
import queue
import re
import select
import shutil
import signal
import struct
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from figures import PENSTOCK, container_of, node, process_in, write_pipeline

TIMEOUT_MS = 200  # process_timeout of nodes that hang
PATIENCE_S = 60
NODES = Path(__file__).with_name("faulty_nodes.py")


@dataclass(frozen=True)
class Kind:
    title: str
    how: str  # of the node
    runs: int
    container: bool = False
    by: str = "node"  # who brings it about: the node, or this bench by `kill`, `agent` or `removal`, or the `kernel`
    hangs: bool = False
    slow_consumer: bool = False  # for which the node has waited, off and on, before it hangs

    @property
    def ends_session(self) -> bool:
        return self.by == "agent"


KINDS = {
    "kill": Kind("killed by SIGKILL", "kill", 40),
    "segv": Kind("segmentation fault", "segv", 40),
    "exception": Kind("exception", "exception", 40),
    "exit": Kind("`os._exit(3)`", "exit", 40),
    "agent": Kind("the host's agent killed, which ends the session", "awaited", 30, by="agent"),
    "kill_in_container": Kind("in a container: SIGKILL", "kill", 20, container=True),
    "segv_in_container": Kind("in a container: segmentation fault", "segv", 20, container=True),
    "exception_in_container": Kind("in a container: exception", "exception", 20, container=True),
    "exit_in_container": Kind("in a container: `os._exit(3)`", "exit", 20, container=True),
    "memory_in_container": Kind("in a container: out of memory", "memory", 12, container=True, by="kernel"),
    "container_killed": Kind("container killed", "awaited", 12, container=True, by="kill"),
    "container_removed": Kind("container removed", "awaited", 12, container=True, by="removal"),
    "loop": Kind("hangs in a Python loop", "loop", 30, hangs=True),
    "call": Kind("hangs in a C call that holds the interpreter's lock", "call", 30, hangs=True),
    "deadlock": Kind("hangs in a deadlock, its producer blocked", "deadlock", 30, hangs=True),
    "loop_after_waiting": Kind("hangs after waits for its consumer", "loop", 30, hangs=True, slow_consumer=True),
    "loop_in_container": Kind("in a container: hangs in a Python loop", "loop", 12, container=True, hangs=True),
}


@dataclass
class Seen:
    """What faults of a kind led to."""

    told_ms: list[float] = field(default_factory=list)  # from each fault, of hangs beyond the limit
    faults: int = 0
    survived: int = 0
    sent: int = 0
    lost: int = 0
    doubled: int = 0
    reordered: int = 0

    def add(self, other: Seen) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


class Session:
    """`penstock run`, whose lines on stderr are stamped by a thread that does nothing else."""

    def __init__(self, manifest: Path) -> None:
        self.out, self.report = manifest.with_name("out"), manifest.with_name("report")
        with self.out.open("wb") as stdout:
            self.process = subprocess.Popen(
                [str(PENSTOCK), "run", str(manifest), "--report", str(self.report)],
                stdout=stdout,
                stderr=subprocess.PIPE,
                text=True,
            )
        self.lines: queue.SimpleQueue[tuple[int, Optional[str]]] = queue.SimpleQueue()
        self.said: list[str] = []
        self.id = ""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.put((time.monotonic_ns(), line))
        self.lines.put((0, None))

    def read_until(self, pattern: str) -> int:
        """When a line came that begins so."""
        wanted = re.compile(pattern)
        while True:
            try:
                when, line = self.lines.get(timeout=PATIENCE_S)
            except queue.Empty:
                line = None
            if line is None:
                raise SystemExit(f"no line like {pattern!r} came:\n{''.join(self.said[-60:])}")
            self.said.append(line)
            if line.startswith("session "):
                self.id = line.split()[1]
            if wanted.match(line):
                return when

    def agent(self) -> int:
        """The process id of the host's agent."""
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            for pid in (task / "children").read_text().split():
                if "penstock-agent" in Path(f"/proc/{pid}/cmdline").read_text():
                    return int(pid)
        raise SystemExit("the session has no agent")

    def end(self) -> None:
        """Lets what is in flight be handled."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise SystemExit(f"the session does not end:\n{''.join(self.said[-60:])}") from None

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Stamp:
    """A file that node and bench map: the number of the node's fault, when it began, and which one may begin."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        folder.chmod(0o777)
        self.path = folder / "stamp"
        self.path.write_bytes(bytes(24))
        self.path.chmod(0o666)
        with self.path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 24)

    def read(self) -> tuple[int, int]:
        number, when = struct.unpack_from("<QQ", self._map)
        return number, when

    def allow(self, number: int) -> None:
        struct.pack_into("<Q", self._map, 16, number)


def manifest_of(kind: Kind, folder: Path, stamp: Stamp) -> Path:
    restart: dict[str, Any] = {"on_failure": "restart", "retry": {"max_attempts": 100, "backoff": "0s"}}
    where = "/stamps/stamp" if kind.container else str(stamp.path)
    params = {"how": kind.how, "times": kind.runs, "after": 30 if kind.slow_consumer else 10, "stamp": where}
    fails: dict[str, Any] = node(
        "fails", "faulty_nodes:Fails", python="3.11" if kind.container else None, params=params, **restart
    )
    relay = node("relay", "faulty_nodes:Relay", **restart)
    if kind.container:
        fails["docker"]["volumes"] = [{"host_path": str(stamp.path.parent), "container_path": "/stamps"}]
    if kind.how == "memory":
        fails["docker"]["resource_limits"]["memory_mb"] = 128
    if kind.hangs:
        # Its producer has the same limit and is blocked before the consumer is found: it must not be blamed.
        fails["process_timeout"] = relay["process_timeout"] = f"{TIMEOUT_MS}ms"
    slow = [node("slow", "faulty_nodes:Slow")] if kind.slow_consumer else []
    nodes = [node("numbers", "faulty_nodes:Numbers"), relay, fails, *slow, node("sink", "text.sink")]
    return write_pipeline(folder, nodes, [{"from": a["id"], "to": b["id"]} for a, b in zip(nodes, nodes[1:])])


def bring_about(kind: Kind, session: Session, stamp: Stamp, number: int) -> Optional[int]:
    """Does what the node does not do itself. When it was, if the node cannot know better."""
    session.read_until(r"\[fails\] ready")
    if kind.by == "removal":
        filters = ("--filter", f"label=penstock.session={session.id}", "--filter", "label=penstock.node=fails")
        found = subprocess.run(["docker", "ps", "-q", *filters], capture_output=True, text=True, check=True)
        subprocess.run(["docker", "rm", "-f", found.stdout.strip()], capture_output=True, check=True)
        return None
    if kind.by == "kernel":
        worker = process_in(container_of(session.id, "fails"), int(session.said[-1].split()[2]))
        if worker is None:
            raise SystemExit("the node that says it is ready is not in its container")
        with os.fdopen(os.pidfd_open(worker)) as pidfd:
            stamp.allow(number)
            select.select([pidfd], [], [])
            return time.monotonic_ns()
    pid = session.agent() if kind.by == "agent" else container_of(session.id, "fails")
    when = time.monotonic_ns()
    os.kill(pid, signal.SIGKILL)
    return when


def told_after(kind: Kind, session: Session, stamp: Stamp, number: int) -> float:
    """Milliseconds from a fault to the sentence on it."""
    when = bring_about(kind, session, stamp, number) if kind.by != "node" else None
    if kind.ends_session:
        told = session.read_until(r"penstock: error: .*agent")
    else:
        told = session.read_until(r"penstock: node '\w+' is restarted ")
        if not re.match(rf"penstock: node 'fails' is restarted .*\(restart {number}\)", session.said[-1]):
            raise SystemExit(f"not what fault {number} should lead to:\n{''.join(session.said[-60:])}")
    count, began = stamp.read()
    if when is None and count != number:
        raise SystemExit(f"fault {number} was told, but the node has come to number {count}")
    return (told - (began if when is None else when)) / 1e6 - (TIMEOUT_MS if kind.hangs else 0)


def play_session(kind: Kind, folder: Path) -> Seen:
    """As many faults as one session shows."""
    seen = Seen()
    shutil.copy(NODES, folder)
    stamp = Stamp(folder / "stamps")
    session = Session(manifest_of(kind, folder, stamp))
    try:
        for number in range(1, 2 if kind.ends_session else kind.runs + 1):
            seen.faults += 1
            seen.told_ms.append(told_after(kind, session, stamp, number))
            if not kind.ends_session:
                session.read_until(rf"node runs again after restart {number}: fails")
                seen.survived += 1
        if not kind.ends_session:
            session.end()
            account(session, seen)
    finally:
        session.kill()
    return seen


def account(session: Session, seen: Seen) -> None:
    """What the sink got of what the source has sent."""
    edges = json.loads(session.report.read_text())["edges"]
    got = [int(line) for line in session.out.read_text().split()]
    seen.sent = next(edge["sent"] for edge in edges if edge["id"].startswith("numbers."))
    seen.lost = seen.sent - len(set(got))
    seen.doubled = len(got) - len(set(got))
    once = list(dict.fromkeys(got))
    seen.reordered = sum(later < earlier for earlier, later in zip(once, once[1:]))
