"""What a user is told about nodes that met a limit or were ended by somebody: which limit, and what would have done."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest
from conftest import SINK, Project, docker, node

ENDS = '''
import ctypes, mmap, os, signal, subprocess, sys, threading, time
from penstock import Node, Text

HOARD = "import sys; hoard = [bytearray(1 << 20) for _ in range(1024)]"


class Nurse(Node):
    """Its child takes more memory than there is; params["then"]: what it does about that."""

    def setup(self, params: dict) -> None:
        self.then = params["then"]

    def process(self, text: Text) -> Text:
        child = subprocess.run([sys.executable, "-c", HOARD], check=self.then == "raise")
        if self.then == "exit":
            os._exit(7)
        return Text(f"child: {child.returncode}")


class Threads(Node):
    def process(self, text: Text) -> Text:
        done = threading.Event()
        try:
            for _ in range(1000):
                threading.Thread(target=done.wait, daemon=True).start()
        finally:
            done.set()
        return text


class Busy(Node):
    """Computes for params["seconds"] of CPU time in its setup."""

    def setup(self, params: dict) -> None:
        end = time.process_time() + params["seconds"]
        while time.process_time() < end:
            pass

    def process(self, text: Text) -> Text:
        return text


class Filler(Node):
    def process(self, text: Text) -> Text:
        with open("/tmp/fill", "wb") as file:
            while True:
                file.write(bytes(1 << 20))


class Mapper(Node):
    """Writes to memory mapped from a file that finds no room."""

    def process(self, text: Text) -> Text:
        with open("/dev/shm/fill", "w+b") as file:
            file.truncate(128 << 20)
            memory = mmap.mmap(file.fileno(), 0)
            for at in range(0, 128 << 20, 4096):
                memory[at] = 1
        return text


class Crash(Node):
    def process(self, text: Text) -> Text:
        ctypes.string_at(0)
        return text


class NeedsLibrary(Node):
    def setup(self, params: dict) -> None:
        ctypes.CDLL("libGL.so.1")

    def process(self, text: Text) -> Text:
        return text


class Hang(Node):
    def process(self, text: Text) -> Text:
        print("hanging", flush=True)
        threading.Event().wait()
        return text
'''

LIMITS = {"memory_mb": 256, "cpu_cores": 1}


def victim(project: Project, cls: str, *, docker: dict[str, Any] | None = None, **more: Any) -> None:
    """A chain of one message through a node of ENDS in a container; `docker` adds to its section."""
    (project.folder / "ends.py").write_text(ENDS)
    section = {"python_version": "3.11", "resource_limits": LIMITS, **(docker or {})}
    project.chain(
        node("count", "Count", params={"n": 1}),
        {"id": "victim", "node_type": f"ends:{cls}", "docker": section, **more},
        SINK,
    )


def container_of(session: str) -> str:
    label = f"label=penstock.session={session}"
    return docker("ps", "-q", "--no-trunc", "--filter", label, "--filter", "label=penstock.node=victim").strip()


def error_line(stderr: str) -> str:
    return next(line for line in stderr.splitlines() if line.startswith("penstock: error:"))


def test_a_kill_at_the_memory_limit_tells_figures_and_a_value_that_would_have_done(project: Project) -> None:
    section = {"resource_limits": {"memory_mb": 128, "cpu_cores": 1}}
    (project.folder / "ends.py").write_text(ENDS)
    project.chain(
        node("count", "Count", params={"n": 1}),
        node("glutton", "Glutton", docker={"python_version": "3.11", **section}),
        SINK,
    )
    result = project.run()
    assert result.returncode == 1
    told = error_line(result.stderr)
    assert "node 'glutton' was killed by the kernel at its memory limit of 128 MB while handling message 0 of" in told
    assert "s after its start; it used 128 MB at most" in told
    assert told.endswith("raise docker.resource_limits.memory_mb of this node to 192 or more")


@pytest.mark.parametrize(
    ("then", "told"),
    [
        ("exit", "node 'victim' exited with code 7 before its stream had ended while handling message 0 of edge"),
        ("raise", "node 'victim' failed while handling message 0 of edge count.out->victim.in: subprocess.Called"),
    ],
)
def test_a_node_that_ends_because_its_child_was_killed_is_told_about_the_limit(
    project: Project, then: str, told: str
) -> None:
    victim(project, "Nurse", docker={"resource_limits": {"memory_mb": 128, "cpu_cores": 1}}, params={"then": then})
    result = project.run()
    assert result.returncode == 1
    line = error_line(result.stderr)
    assert told in line
    assert "the kernel killed 1 of its processes at its memory limit of 128 MB" in line
    assert "raise docker.resource_limits.memory_mb of this node to 192 or more" in line


def test_a_node_that_survives_the_kill_of_its_child_goes_on_and_the_summary_tells(project: Project) -> None:
    victim(project, "Nurse", docker={"resource_limits": {"memory_mb": 128, "cpu_cores": 1}}, params={"then": "go on"})
    report = project.folder / "report.json"
    result = project.run("--report", str(report))
    assert (result.returncode, result.stdout) == (0, "child: -9\n"), result.stderr
    told = "node 'victim': the kernel killed 1 of its processes at its memory limit of 128 MB"
    assert told in result.stderr
    (found,) = (entry for entry in json.loads(report.read_text())["nodes"] if entry["id"] == "victim")
    assert found["remarks"][0].startswith(told)


def test_threads_refused_at_the_pids_limit_are_told_with_it(project: Project) -> None:
    victim(project, "Threads", docker={"resource_limits": {**LIMITS, "pids": 16}})
    result = project.run()
    assert result.returncode == 1
    told = error_line(result.stderr)
    assert "RuntimeError: can't start new thread; " in told
    assert "it was refused 1 process or thread at its limit of 16: raise docker.resource_limits.pids" in told


def test_a_throttled_node_that_misses_its_deadline_is_told_about_its_cpu_limit(project: Project) -> None:
    slow = {"resource_limits": {"memory_mb": 256, "cpu_cores": 0.1}}
    victim(project, "Busy", docker=slow, params={"seconds": 3600}, start_timeout="3s")
    result = project.run()
    assert result.returncode == 1
    told = error_line(result.stderr)
    assert (
        "node 'victim' did not import its module and set up within 3.0 s; it used up its limit of 0.1 cores in" in told
    )
    assert "% of its CPU periods and was stopped for" in told
    assert "raise docker.resource_limits.cpu_cores of this node to" in told


def test_a_throttled_node_that_makes_it_is_told_in_the_summary(project: Project) -> None:
    slow = {"resource_limits": {"memory_mb": 256, "cpu_cores": 0.1}}
    victim(project, "Busy", docker=slow, params={"seconds": 0.2})
    report = project.folder / "report.json"
    result = project.run("--report", str(report))
    assert result.returncode == 0, result.stderr
    assert "node 'victim': it used up its limit of 0.1 cores in" in result.stderr
    (found,) = (entry for entry in json.loads(report.read_text())["nodes"] if entry["id"] == "victim")
    assert found["cpu_throttled_share"] > 0.25


def test_a_full_tmp_is_named_with_its_size_and_field(project: Project) -> None:
    victim(project, "Filler", docker={"tmpfs_mb": 8})
    result = project.run()
    assert result.returncode == 1
    assert "No space left on device. /tmp is full (8.0 MB): raise docker.tmpfs_mb of node 'victim'" in result.stderr
    assert "file.write(bytes(1 << 20))" in result.stderr


def test_memory_mapped_from_a_full_dev_shm_is_told_from_other_bus_errors(project: Project) -> None:
    victim(project, "Mapper")
    result = project.run()
    assert result.returncode == 1
    told = error_line(result.stderr)
    assert "node 'victim' was killed by signal 7 (SIGBUS) while handling message 0" in told
    assert told.endswith("; /dev/shm is full (64 MB): raise docker.shm_size_mb of this node, or delete files there")


@pytest.mark.parametrize("container", [False, True], ids=["process", "container"])
def test_the_python_stack_of_a_segmentation_fault_is_the_failures_traceback(project: Project, container: bool) -> None:
    (project.folder / "ends.py").write_text(ENDS)
    crash: dict[str, Any] = {"id": "victim", "node_type": "ends:Crash"}
    if container:
        crash["docker"] = {"python_version": "3.11", "resource_limits": LIMITS}
    project.chain(node("count", "Count", params={"n": 1}), crash, SINK)
    report = project.folder / "report.json"
    assert project.run("--report", str(report)).returncode == 1
    failure = json.loads(report.read_text())["failure"]
    assert "node 'victim' was killed by signal 11 (SIGSEGV) while handling message 0" in failure["sentence"]
    assert failure["traceback"].startswith("Fatal Python error: Segmentation fault\n")
    assert "ends.py" in failure["traceback"] and "in process" in failure["traceback"]


def test_a_missing_system_library_names_the_package_to_declare(project: Project) -> None:
    victim(project, "NeedsLibrary")
    result = project.run()
    assert result.returncode == 1
    assert "A system library is missing: add 'libgl1' to the system_dependencies of node 'victim'" in error_line(
        result.stderr
    )


@pytest.mark.parametrize(
    ("command", "number"), [("kill", "9 (SIGKILL)"), ("stop", "15 (SIGTERM)")], ids=["docker-kill", "docker-stop"]
)
def test_a_container_ended_through_the_engine_is_told_as_such(project: Project, command: str, number: str) -> None:
    victim(project, "Hang")
    with project.start() as run:
        session = run.read_until("session ").split()[1]
        run.read_until("[victim] hanging")
        docker(command, container_of(session))
        assert run.wait() == 1
        told = "".join(run.lines)
    assert "while handling message 0 of edge count.out->victim.in" in told
    assert "the container of node 'victim' was killed from outside" in told
    assert f"somebody had the engine send it signal {number}" in told


def test_a_container_whose_first_process_was_killed_is_told_apart(project: Project) -> None:
    victim(project, "Hang")
    with project.start() as run:
        session = run.read_until("session ").split()[1]
        run.read_until("[victim] hanging")
        first = int(docker("inspect", "-f", "{{.State.Pid}}", container_of(session)))
        os.kill(first, signal.SIGKILL)
        run.read_until("penstock: error: the container of node 'victim' ended unexpectedly while handling message 0")
        run.read_until("was killed with signal 9 (SIGKILL), and not through the engine")
        assert run.wait() == 1
