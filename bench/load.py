#!/usr/bin/env python3
"""What one more session of a node with a model costs in memory: one process for all (`load`), and a process each.

Sessions of one container, of a class that holds 64 MiB, once loaded by `load` and once in `setup`. Both figures are the
growth of the container's own memory (its control group, without page cache) from one session to all, for each session
more; they stand side by side. A second argument says how many sessions (50).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from figures import PENSTOCK, figure, node, write, write_pipeline

SESSIONS = int(sys.argv[2]) if len(sys.argv) > 2 else 50
MODEL_MB = 64
PROCESS_MB = MODEL_MB + 48  # at most, with the interpreter
NODES = f"""
import os, time
import penstock
from penstock import Text

def model():
    return bytearray(os.urandom(1024)) * ({MODEL_MB} * 1024)

class Endless(penstock.Node):
    def process(self):
        print("runs in", os.uname().nodename, flush=True)
        while self.sleep_until(time.monotonic_ns() + 1_000_000_000):
            yield Text("x")

class Loaded(Endless):
    @classmethod
    def load(cls, params):
        return model()

class SetUp(Endless):
    def setup(self, params):
        self.model = model()
"""


def used_bytes(container: str) -> int:
    """Without page cache, which is the image's files as much as anything."""
    pid = subprocess.check_output(["docker", "inspect", "--format", "{{.State.Pid}}", container], text=True).strip()
    groups = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().split()]
    unified = next((path for number, _, path in groups if number == "0"), None)
    old = next((path for _, names, path in groups if "memory" in names.split(",")), None)
    if old is not None:
        folder, usage, cache = Path("/sys/fs/cgroup/memory" + old), "memory.usage_in_bytes", "total_cache"
    else:
        folder, usage, cache = Path(f"/sys/fs/cgroup{unified}"), "memory.current", "file"
    stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    return int((folder / usage).read_text()) - int(stat[cache])


def start(manifest: Path, environment: dict[str, str]) -> tuple[subprocess.Popen[str], str]:
    """A session that runs, and its container."""
    process = subprocess.Popen(
        [str(PENSTOCK), "run", str(manifest)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if "runs in " in line:
            return process, line.split()[-1]
    raise SystemExit("a session ended before it ran:\n" + "".join(said))


def growth_for_each(cls: str, sessions: int, folder: Path, environment: dict[str, str]) -> float:
    """In MB."""
    source: dict[str, Any] = node("a", f"nodes:{cls}", python="3.11", keep_warm=0)
    source["docker"]["max_sessions_per_container"] = sessions
    source["docker"]["resource_limits"] = {"memory_mb": PROCESS_MB * (sessions + 1), "cpu_cores": 2, "pids": 4096}
    manifest = write_pipeline(folder, [source, node("b", "text.sink")], [{"from": "a", "to": "b"}])
    running = []
    try:
        running.append(start(manifest, environment))
        one = used_bytes(running[0][1])
        running += [start(manifest, environment) for _ in range(sessions - 1)]
        assert len({container for _, container in running}) == 1
        return (used_bytes(running[0][1]) - one) / (sessions - 1) / 1e6
    finally:
        for process, _ in running:
            process.terminate()
        for process, _ in running:
            process.communicate()


def available_mb() -> int:
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) // 1024


def main() -> None:
    processes = max(2, min(SESSIONS, available_mb() // 2 // PROCESS_MB))
    if processes < SESSIONS:
        print(f"load.py: memory for {processes} processes only, instead of {SESSIONS}", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="ps-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "nodes.py").write_text(NODES)
        runtime = folder / "r"
        runtime.mkdir(mode=0o700)
        environment = {**os.environ, "XDG_RUNTIME_DIR": str(runtime), "XDG_STATE_HOME": str(runtime / "state")}
        sharing = growth_for_each("Loaded", SESSIONS, folder, environment)
        alone = growth_for_each("SetUp", processes, folder, environment)
    write(
        [
            figure("load.session_memory", sharing, "MB", "<= 10", SESSIONS, alone),
            figure("load.process_memory", alone, "MB", "shown", processes),
        ]
    )


if __name__ == "__main__":
    main()
