"""What is done to the nodes of a running pipeline, and how often each is restarted for it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sessions import Run
from violation import ViolationError

PAUSE_S = 0.3  # far below any process_timeout
SLOW_S = 2.0  # far below start_timeout
MEBIBYTE = 1 << 20
STEPS, PYTHON, EVERYWHERE = (frozenset(roles.split()) for roles in ("step", "step source", "step source native"))


@dataclass(frozen=True)
class Fault:
    """`strike` has returned when the node is struck; afterwards it is restarted `restarts` times."""

    kind: str
    strike: Callable[[Run, str], None]
    restarts: int = 1
    perhaps: int = 0  # and as often again
    at_once: bool = True  # does not wait for the node's next message, so that several can be struck together
    containers: bool | None = None  # only nodes in containers, or only others
    on: frozenset[str] = EVERYWHERE
    hopeless: bool = False  # the restart fails, and the session goes on without the node


def signal_worker(number: int) -> Callable[[Run, str], None]:
    def strike(run: Run, name: str) -> None:
        os.kill(run.worker_of(name), number)

    return strike


def pause_worker(run: Run, name: str) -> None:
    worker = run.worker_of(name)
    os.kill(worker, signal.SIGSTOP)
    time.sleep(PAUSE_S)
    os.kill(worker, signal.SIGCONT)


def kill_keeper(run: Run, name: str) -> None:
    """The small process between agent and worker."""
    status = Path(f"/proc/{run.worker_of(name)}/stat").read_text()
    os.kill(int(status.rpartition(")")[2].split()[1]), signal.SIGKILL)


def engine(*command: str) -> Callable[[Run, str], None]:
    def strike(run: Run, name: str) -> None:
        run.docker(*command, run.container_of(name))

    return strike


def pause_container(run: Run, name: str) -> None:
    container = run.container_of(name)
    try:
        run.docker("pause", container)
    except RuntimeError as error:
        if "unable to freeze" in str(error):  # on a busy machine, with control groups of version 1: it is given up
            return
        raise
    time.sleep(PAUSE_S)
    run.docker("unpause", container)


def kill_container_agent(run: Run, name: str) -> None:
    """The container's first process."""
    os.kill(int(run.docker("inspect", "--format", "{{.State.Pid}}", run.container_of(name))), signal.SIGKILL)


def pause_runtime(run: Run, name: str) -> None:
    run.signal(signal.SIGSTOP)
    time.sleep(PAUSE_S)
    run.signal(signal.SIGCONT)


def order(*words: str) -> Callable[[Run, str], None]:
    def strike(run: Run, name: str) -> None:
        run.order(name, *words)
        run.await_taken(name)

    return strike


def start_slowly(run: Run, name: str) -> None:
    slow = run.pipeline.shared / f"slow.{name}"
    slow.write_text(str(SLOW_S))
    slow.chmod(0o666)
    os.kill(run.worker_of(name), signal.SIGKILL)


def start_badly(run: Run, name: str) -> None:
    bad = run.pipeline.shared / f"bad.{name}"
    bad.write_text("exception")
    bad.chmod(0o666)
    os.kill(run.worker_of(name), signal.SIGKILL)


def kill_twice(run: Run, name: str) -> None:
    """The second time while its successor starts."""
    after = len(run.said.lines)
    os.kill(run.worker_of(name), signal.SIGKILL)
    index = run.said.await_line(lambda line: line.startswith(f"[{name}] pid "), f"a new pid of {name}", after)
    try:
        os.kill(int(run.said.lines[index].rpartition(" ")[2]), signal.SIGKILL)
    except ProcessLookupError:
        raise ViolationError(f"the new worker of {name} ended by itself") from None


def hold_up(run: Run, name: str) -> None:
    after = len(run.said.lines)
    order("between", "hang")(run, name)
    said = f"node '{name}' did not make room on edge "
    run.said.await_line(lambda line: said in line, f"that {name} holds up others", after)


def fill_disk(run: Run, name: str) -> None:
    """The session's own, for a while: lines of logs are dropped, and nothing else happens."""
    disk = run.place.disk_of(run.pid)
    ballast = disk / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(MEBIBYTE // 16))
    except OSError:
        pass
    try:
        order("talk")(run, name)
        run.said.await_line(lambda line: "penstock: warning: " in line and "log" in line, "that the log is not kept")
    finally:
        ballast.unlink()


FAULTS = {
    fault.kind: fault
    for fault in (
        Fault("kill", signal_worker(signal.SIGKILL)),
        Fault("segfault", signal_worker(signal.SIGSEGV)),
        Fault("exception anywhere", signal_worker(signal.SIGUSR1), on=PYTHON),
        Fault("pause", pause_worker, restarts=0),
        Fault("keeper kill", kill_keeper),
        Fault("kill twice", kill_twice, restarts=2, at_once=False, containers=False, on=PYTHON),
        Fault("slow start", start_slowly, at_once=False, on=PYTHON),
        Fault("failing start", start_badly, at_once=False, on=STEPS, hopeless=True),
        Fault("exception before outputs", order("before", "exception"), at_once=False, on=PYTHON),
        Fault("exception between outputs", order("between", "exception"), at_once=False, on=PYTHON),
        Fault("exception after outputs", order("after", "exception"), at_once=False, on=PYTHON),
        Fault("exit between outputs", order("between", "exit"), at_once=False, on=PYTHON),
        Fault("segfault in a handler", order("between", "segfault"), at_once=False, on=PYTHON),
        Fault("hang", order("between", "hang"), at_once=False, on=STEPS),
        Fault("stopped beyond process_timeout", order("before", "stopped"), at_once=False, on=STEPS),
        Fault("hang beyond a deadline", hold_up, at_once=False, on=STEPS),
        Fault("too much shared memory", order("quota"), restarts=0, at_once=False, on=STEPS),
        Fault("runtime pause", pause_runtime, restarts=0),
        Fault("container kill", engine("kill"), containers=True),
        Fault("container removal", engine("rm", "--force"), containers=True),
        Fault("container stop", engine("stop"), at_once=False, containers=True),
        Fault("container pause", pause_container, restarts=0, containers=True),
        Fault("container agent kill", kill_container_agent, containers=True),
        Fault("out of memory", order("between", "memory"), at_once=False, containers=True),
        Fault("full disk", fill_disk, restarts=0, at_once=False, on=PYTHON),
    )
}
POISON = ("exception", "exit", "segfault")
HANGS = {"hang", "stopped beyond process_timeout"}
TOGETHER = "several together"
QUARANTINE = "quarantine"
