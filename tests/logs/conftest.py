"""Runs the real `penstock` with a state directory of the test's own, and reads the logs that it leaves."""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
PENSTOCK = Path(os.environ.get("PENSTOCK_BIN", REPOSITORY / "build/bin/penstock"))
DEADLINE = 120  # seconds until a hanging run is a failed test; nothing is measured against it

NODES = '''
import faulthandler, logging, os, signal, sys, threading, time
import penstock
from penstock import Text


class Quiet(penstock.Node):
    """Something for every node to be connected to."""

    def process(self, text: Text) -> None:
        pass


class Flood(penstock.Node):
    """A source that writes params["lines"] lines, in turn to stdout, stderr and logging, params["rate"] a second."""

    def setup(self, params):
        self.lines, self.rate = params["lines"], params.get("rate")

    def process(self):
        logger = logging.getLogger("flood")
        writers = (print, lambda line: print(line, file=sys.stderr), logger.info)
        start = time.monotonic_ns()
        for i in range(self.lines):
            writers[i % 3](f"line {i // 3} " + "x" * 60)
            if self.rate and i % 25 == 24:
                self.sleep_until(start + (i + 1) * 1_000_000_000 // self.rate)
        yield Text("done")


class Say(penstock.Node):
    """A source that says one of many kinds of things."""

    def setup(self, params):
        self.what = params["what"]

    def process(self):
        getattr(self, self.what)()
        yield Text("done")

    def bytes(self):
        os.write(1, bytes(range(256)) + b"\\n" + b"caf\\xc3\\xa9\\n" + b"no end")

    def long(self):
        os.write(1, b"")
        with os.fdopen(os.dup(1), "wb") as out:
            out.write(b"a" * 1_000_000 + b"\\n" + b"b" * 3_000_000 + b"\\nlast\\n")
        logging.getLogger("long").info("c" * 1_000_000)

    def levels(self):
        logger = logging.getLogger("say")
        logger.debug("a debug record")
        logger.info("an info record")
        logger.warning("a warning record")
        logger.error("an error record")
        print("a line of stdout")
        print("a line of stderr", file=sys.stderr)

    def records(self):
        try:
            raise KeyError("first")
        except KeyError:
            logging.getLogger("say").exception("it failed")

    def raise_(self):
        raise ValueError("no such word")

    def crash(self):
        print("before the crash", flush=True)
        import ctypes
        ctypes.string_at(0)

    def until_killed(self):
        print("ready", flush=True)
        while not self.stop_requested:
            print("still here")
            time.sleep(0.001)


class Records(penstock.Node):
    """A source of params["lines"] log records, once one named pipe ends, and then opens another."""

    def setup(self, params):
        self.params = params

    def process(self):
        open(self.params["begin"]).read()
        for i in range(self.params["lines"]):
            logging.getLogger("records").info("record %d", i)
        open(self.params["done"], "w").close()
        yield Text("done")


class Tracebacks(penstock.Node):
    """A source whose threads fail one after the other, each with a traceback on stderr."""

    def process(self):
        for i in range(50):
            thread = threading.Thread(target=self.fail, args=(5, i))
            thread.start()
            thread.join()
        yield Text("done")

    def fail(self, depth, number):
        if depth == 0:
            raise RuntimeError(f"failure {number}")
        self.fail(depth - 1, number)
'''


@dataclass
class Run:
    """A run that has ended, or is under way."""

    process: subprocess.Popen[bytes]
    report_file: Path
    stderr_file: Path

    def wait(self) -> int:
        if self.process.stderr is not None:
            self.process.stderr.read()  # a runtime shows what it still has to show, then ends
        return self.process.wait(DEADLINE)

    @property
    def stderr(self) -> str:
        return self.stderr_file.read_text(errors="replace")

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.report_file.read_text())
        return report


@dataclass
class Project:
    folder: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, "XDG_STATE_HOME": str(self.folder / "state"), "TZ": "UTC"}

    @property
    def sessions(self) -> Path:
        return self.folder / "state/penstock/sessions"

    def write(self, *sources: dict[str, Any], **more: Any) -> None:
        """A pipeline of sources that all lead to one quiet node each."""
        nodes, connections = [], []
        for source in sources:
            sink = {"id": f"{source['id']}-end", "node_type": "nodes:Quiet"}
            nodes += [source, sink]
            connections.append({"from": source["id"], "to": sink["id"]})
        self.write_raw(nodes, connections, **more)

    def write_raw(self, nodes: list[dict[str, Any]], connections: list[dict[str, Any]], **more: Any) -> None:
        manifest = {"version": "v1", "metadata": {"name": "talk"}, "nodes": nodes, "connections": connections, **more}
        (self.folder / "pipeline.json").write_text(json.dumps(manifest))

    def start(self, *arguments: str, stdout: int = subprocess.DEVNULL, stderr: int | None = None, **env: str) -> Run:
        report, errors = self.folder / "report.json", self.folder / "stderr.txt"
        with errors.open("wb") as file:
            process = subprocess.Popen(
                [str(PENSTOCK), "run", str(self.folder / "pipeline.json"), "--report", str(report), *arguments],
                stdout=stdout,
                stderr=file if stderr is None else stderr,
                stdin=subprocess.DEVNULL,
                env={**self.env, **env},
            )
        self.started.append(process)
        return Run(process, report, errors)

    def start_streams(self, *arguments: str) -> Run:
        """Returns once the nodes' streams run; what the terminal shows from then on is left unread."""
        run = self.start(*arguments, stderr=subprocess.PIPE)
        assert run.process.stderr is not None
        assert any(line.startswith(b"session ") for line in run.process.stderr)
        return run

    def run(self, *arguments: str, **options: Any) -> Run:
        run = self.start(*arguments, **options)
        run.wait()
        return run

    def logs(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(PENSTOCK), "logs", *arguments],
            capture_output=True,
            text=True,
            errors="surrogateescape",
            env=self.env,
            timeout=DEADLINE,
            check=False,
        )

    def records(self, *arguments: str) -> list[dict[str, Any]]:
        done = self.logs("--json", *arguments)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


def lines_of(records: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """What nodes wrote, by node and stream, without what stands for missing lines."""
    result = defaultdict(list)
    for record in records:
        if record["stream"] != "runtime" and "dropped" not in record:
            result[record["node"], record["stream"]].append(record)
    return result


def source(id: str, cls: str, *, container: bool = False, **params: Any) -> dict[str, Any]:
    node: dict[str, Any] = {"id": id, "node_type": f"nodes:{cls}", "params": params}
    if container:
        node["docker"] = {"python_version": "3.11", "resource_limits": {"memory_mb": 256, "cpu_cores": 1}}
    return node


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.timeout(3 * DEADLINE))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "nodes.py").write_text(NODES)
    tmp_path.chmod(0o755)
    project = Project(tmp_path)
    yield project
    for process in project.started:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()
