# ruff: noqa: PTH208
"""What a running session uses, read from the kernel and the engine every few seconds, as rows of a CSV file."""

from __future__ import annotations

import csv
import json
import os
import statistics
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from host_view import GONE, name_of, realm_bytes, resident_bytes, tree

MIB = 1 << 20
PATIENCE = 120  # seconds until an engine that does not answer is a failed test


@dataclass(frozen=True)
class Kind:
    """Of series that end in this name: their unit, and by how much their medians may differ and count as flat."""

    unit: str
    share: float  # of the earlier median
    least: float  # whatever the share comes to


# Memory of interpreters and of a container's cached files moves by some pages; descriptors, threads, files in the
# engine and the memory behind edges do not move at all. How much of that memory a process has mapped (`shmem`) depends
# on how many messages were under way at the most: it may grow, to what there is.
KINDS = {
    "anon": Kind("bytes", 0.03, 2 * MIB),
    "cgroup": Kind("bytes", 0.05, 8 * MIB),
    "realms": Kind("bytes", 0, 0),
    "descriptors": Kind("count", 0, 0),
    "threads": Kind("count", 0, 0),
    "processes": Kind("count", 0, 0),
    "containers": Kind("count", 0, 0),
    "state_files": Kind("count", 0, 1),
    "state_bytes": Kind("bytes", 0.05, 1 * MIB),
    "runtime_files": Kind("count", 0, 0),
}


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True, timeout=PATIENCE).stdout


def kind_of(series: str) -> Optional[Kind]:
    """None for those that have a bound instead."""
    return KINDS.get(series.rpartition(".")[2])


@dataclass
class Place:
    """What is sampled: a runtime with its folders, its containers by node, and which process is which node's."""

    runtime: int
    runtime_directory: Path
    state_directory: Path
    containers: dict[str, str] = field(default_factory=dict)  # node: the engine's id
    workers: dict[str, int] = field(default_factory=dict)  # node: as the worker itself knows its pid
    agents: dict[str, int] = field(default_factory=dict)  # node: the first process of its container, for the host

    def add_container(self, container: str) -> None:
        (inspected,) = json.loads(docker("inspect", container))
        node = inspected["Config"]["Labels"]["penstock.node"]
        self.containers[node], self.agents[node] = container, inspected["State"]["Pid"]

    def roles(self) -> dict[str, int]:
        """Every process of the session by what it is."""
        roles = {"runtime": self.runtime}
        groups = {"host": tree(self.runtime) - {self.runtime}}
        groups |= {node: tree(agent) for node, agent in self.agents.items()}
        for where, pids in groups.items():
            mine = {node: pid for node, pid in self.workers.items() if (node in self.containers) == (where == node)}
            for pid in sorted(pids):
                with suppress(*GONE):
                    role = next((node for node, own in mine.items() if own_pid(pid) == own), f"{where}.{name_of(pid)}")
                    while role in roles:
                        role += "'"
                    roles[role] = pid
        return roles


def own_pid(pid: int) -> int:
    """A process's id as itself knows it, in its own namespace."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[-1])


def tree_of_files(folder: Path) -> tuple[int, int]:
    count = size = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            size += path.stat().st_size
            count += 1
    return count, size


def sample(place: Place, roles: dict[str, int]) -> dict[str, float]:
    row: dict[str, float] = {}
    for role, pid in roles.items():
        resident = resident_bytes(pid)
        assert resident, f"{role} (process {pid}) has ended"
        row[f"{role}.anon"], row[f"{role}.shmem"] = resident["anon"], resident["shmem"]
        row[f"{role}.descriptors"] = len(os.listdir(f"/proc/{pid}/fd"))
        row[f"{role}.threads"] = len(os.listdir(f"/proc/{pid}/task"))
    row["session.processes"] = len(set().union(*map(tree, [place.runtime, *place.agents.values()])))
    row["session.realms"] = realm_bytes(place.runtime)
    row["session.state_files"], row["session.state_bytes"] = tree_of_files(place.state_directory)
    row["session.runtime_files"] = tree_of_files(place.runtime_directory)[0]
    label = f"label=penstock.directory={place.runtime_directory}/penstock/c"
    row["engine.containers"] = len(docker("ps", "-aq", "--filter", label).split())
    for node, agent in place.agents.items():
        row[f"{node}.cgroup"] = cgroup_bytes(agent)
    return row


def cgroup_bytes(pid: int) -> int:
    """As the kernel charges the control group (v1 or v2) that a process is in."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            return int(Path(f"/sys/fs/cgroup/memory{path}/memory.usage_in_bytes").read_text())
        if controllers == "" and Path(f"/sys/fs/cgroup{path}/memory.current").exists():
            return int(Path(f"/sys/fs/cgroup{path}/memory.current").read_text())
    raise AssertionError(f"the control group of process {pid} has no account of memory")


def volumes_of(containers: dict[str, str]) -> set[str]:
    """Volumes and networks of the engine that the containers have; bind mounts are none."""
    found = set()
    for container in containers.values():
        (inspected,) = json.loads(docker("inspect", container))
        found |= {mount["Name"] for mount in inspected["Mounts"] if mount["Type"] == "volume"}
        found |= set(inspected["NetworkSettings"]["Networks"]) - {"none"}
    return found


class Recorder:
    """Rows go to the disk as they come: a run that is cut short leaves what it has seen."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.rows: list[dict[str, float]] = []
        path.unlink(missing_ok=True)

    def add(self, seconds: float, row: dict[str, float]) -> None:
        row = {"seconds": round(seconds, 3), **row}
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(self.rows[0]) if self.rows else list(row))
            if not self.rows:
                writer.writeheader()
            writer.writerow(row)  # an error for a series that was not there at first
        self.rows.append(row)


@dataclass
class Trend:
    series: str
    kind: Kind
    early: float
    late: float

    @property
    def allowed(self) -> float:
        return max(self.kind.share * self.early, self.kind.least)

    @property
    def is_flat(self) -> bool:
        return self.late - self.early <= self.allowed

    def __str__(self) -> str:
        return f"{self.series}: {self.early:.0f} → {self.late:.0f} {self.kind.unit}, {self.allowed:.0f} more allowed"


def trends(rows: list[dict[str, float]]) -> list[Trend]:
    """Of every series the median of its second tenth, when all has warmed up, and of its last."""
    tenth = len(rows) // 10
    assert tenth >= 1, f"{len(rows)} samples are too few to tell a trend"
    early, late = rows[tenth : 2 * tenth], rows[-tenth:]
    found = []
    for name in rows[0]:
        if kind := kind_of(name):
            medians = (statistics.median(row[name] for row in part) for part in (early, late))
            found.append(Trend(name, kind, *medians))
    return found


def beyond_realms(rows: list[dict[str, float]]) -> list[str]:
    """Processes that have ever mapped more shared memory than all realms hold, but for control blocks."""
    return [
        name
        for name in rows[0]
        if name.endswith(".shmem") and any(row[name] > row["session.realms"] + MIB for row in rows)
    ]
