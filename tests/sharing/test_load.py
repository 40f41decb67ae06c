"""Nodes that define `load`: sessions that share a container share one process and what it has loaded."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import DEADLINE, LIMITS, Running, User

NODES = """
import asyncio
import ctypes
import logging
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator

import penstock
from penstock import Text

loads = 0


class Model(penstock.Node):
    '''Waits for the test's word unless it is called "once", then does what its node's id says. Tells where it runs, how
    often that process has loaded, what its own state is, and how many descriptors are open.'''

    @classmethod
    def load(cls, params):
        global loads
        loads += 1
        time.sleep(params.get("load_s", 0))
        if "fail" in params:
            raise ValueError("no such model")
        return {"loads": loads}

    def setup(self, params):
        self.seen = 0

    def process(self) -> Iterator[Text]:
        print("runs in", os.uname().nodename, os.getpid(), flush=True)
        self.seen += 1
        while self.node_id != "once" and not os.path.exists("/app/go-" + self.node_id) and not self.stop_requested:
            self.sleep_until(time.monotonic_ns() + 10_000_000)
        getattr(self, self.node_id, self.good)()
        yield Text(f"{os.getpid()} {self.loaded['loads']} {self.seen} {len(os.listdir('/proc/self/fd'))}")

    def good(self):
        print("stdout of", self.session_id)
        print("stderr of", self.session_id, file=sys.stderr)
        logging.getLogger("model").warning("record of %s", self.session_id)
        thread = threading.Thread(target=lambda: print("thread of", self.session_id))
        thread.start()
        thread.join()

    def raises(self):
        raise RuntimeError("this session only")

    def stuck(self):
        print("is stuck", flush=True)
        time.sleep(1_000_000)

    def turning(self):
        print("turns in circles", flush=True)
        while True:
            pass

    def crashes(self):
        ctypes.string_at(0)

    def greedy(self):
        held = []
        try:
            while True:
                held.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            print("has it all", flush=True)
        self.wait_for_on()
        for each in held:
            os.close(each)

    def crowded(self):
        enough = threading.Event()
        threads = []
        try:
            while True:
                threads.append(threading.Thread(target=enough.wait))
                threads[-1].start()
        except RuntimeError:
            print("has it all", flush=True)
        self.wait_for_on()
        enough.set()
        for each in threads[:-1]:
            each.join()

    def wait_for_on(self):
        while not os.path.exists("/app/go-on") and not self.stop_requested:
            self.sleep_until(time.monotonic_ns() + 10_000_000)


class Echo(penstock.Node):
    '''Keeps a message beyond its session, in a cycle that only the collector finds.'''

    @classmethod
    def load(cls, params):
        return []

    def process(self, text: Text) -> Text:
        self.kept = [text, self]
        if self.node_id == "keeps":
            self.loaded.append(text)
        if self.node_id == "fails":
            raise RuntimeError("with a message in hand")
        return Text(f"{os.getpid()} {len(os.listdir('/proc/self/fd'))}")


class Awaits(penstock.Node):
    '''Awaits something for ever unless it is called "once". Then tells how many threads wait for a loop, too.'''

    @classmethod
    def load(cls, params):
        global loads
        loads += 1
        return loads

    async def process(self) -> AsyncIterator[Text]:
        print("runs in", os.uname().nodename, os.getpid(), flush=True)
        await asyncio.sleep(0)
        if self.node_id != "once":
            await asyncio.Event().wait()
        waiting = [thread for thread in threading.enumerate() if thread.name == "penstock-arrivals"]
        yield Text(f"{os.getpid()} {self.loaded} {len(waiting)} {len(os.listdir('/proc/self/fd'))}")


class Plain(penstock.Node):
    def process(self) -> Iterator[Text]:
        yield Text(str(os.getpid()))
"""


KINDS = ("stdout of", "stderr of", "record of", "thread of")


class Pipelines:
    """Of one node each, in the folder of a user."""

    def __init__(self, user: User) -> None:
        self.user = user
        (user.folder / "nodes.py").write_text(NODES)

    def pipeline(
        self, cls: str = "Model", node: str = "once", params: dict[str, Any] | None = None, **docker: Any
    ) -> Path:
        path = self.user.pipeline(cls, name=f"{cls}-{node}-{abs(hash(str((params, docker))))}", **docker)
        manifest = json.loads(path.read_text().replace('"n0"', f'"{node}"'))
        manifest["nodes"][0]["params"] = params or {}
        path.write_text(json.dumps(manifest))
        return path

    def once(self, **options: Any) -> tuple[int, int, int, int]:
        """Process, loads, own state, open descriptors."""
        process, loads, seen, descriptors = map(int, self.user.run(self.pipeline(**options)))
        return process, loads, seen, descriptors

    def start(self, node: str = "good", **options: Any) -> tuple[Running, int]:
        running = self.user.start(self.pipeline(node=node, **options))
        return running, int(running.read_until("runs in ").split()[-1])

    def go(self, node: str = "good") -> None:
        (self.user.folder / f"go-{node}").touch()

    def chain(self, node: str) -> Path:
        """A source, and an Echo of that id."""
        path = self.pipeline()
        manifest = json.loads(path.read_text())
        source, sink = manifest["nodes"]
        # Another container than the source's, whichever of them is placed first.
        echo = {**source, "id": node, "node_type": "nodes:Echo", "docker": {**source["docker"], "tmpfs_mb": 65}}
        edges = [{"from": source["id"], "to": node}, {"from": node, "to": sink["id"]}]
        path.write_text(json.dumps({**manifest, "nodes": [source, echo, sink], "connections": edges}))
        return path


@pytest.fixture
def model(user: User) -> Pipelines:
    return Pipelines(user)


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.11"])
def test_sessions_share_one_process_that_has_loaded_once(model: Pipelines, version: str) -> None:
    first, one = model.start(python_version=version)
    second, two = model.start(python_version=version)
    three, loads, seen, _ = model.once(python_version=version)
    assert one == two == three
    assert (loads, seen) == (1, 1)
    model.go()
    assert (first.wait(), second.wait()) == (0, 0)
    # Warm: with nobody in it.
    assert model.once(python_version=version)[:3] == (one, 1, 1)
    assert len(model.user.containers("-a")) == 1


def test_simultaneous_first_starts_load_once(model: Pipelines) -> None:
    manifest = model.pipeline(params={"load_s": 1})
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: model.user.run(manifest)[:2], range(8)))
    assert told == [[told[0][0], "1"]] * 8


def test_other_params_and_other_code_are_another_process(model: Pipelines) -> None:
    running, pid = model.start()
    assert model.once(params={"size": 2})[0] != pid
    with (model.user.folder / "nodes.py").open("a") as file:
        file.write("# changed\n")
    assert model.once()[0] != pid
    assert len(model.user.containers("-a")) == 1
    model.go()
    assert running.wait() == 0


def test_a_class_without_load_has_a_process_for_each_session(model: Pipelines) -> None:
    manifest = model.pipeline("Plain")
    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(lambda _: model.user.run(manifest)[0], range(3)))
    assert len(set(told)) == 3
    assert len(model.user.containers("-a")) == 1


def test_a_load_that_fails_is_told_to_every_session(model: Pipelines) -> None:
    manifest = model.pipeline(params={"fail": True})
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: model.user.penstock("run", str(manifest)), range(3)))
    for result in results:
        assert result.returncode == 1
        assert "node 'once' failed in its setup: ValueError: no such model" in result.stderr


def test_an_exception_ends_its_session_only(model: Pipelines) -> None:
    good, pid = model.start()
    bad, same = model.start("raises")
    assert pid == same
    model.go("raises")
    bad.read_until("error: node 'raises' failed")
    assert bad.wait() == 1
    assert model.once()[:2] == (pid, 1)
    model.go()
    assert good.wait() == 0


@pytest.mark.parametrize("doomed", [0, 1])
def test_a_killed_runtime_ends_its_session_only(model: Pipelines, doomed: int) -> None:
    sessions = [model.start(), model.start()]
    assert sessions[0][1] == sessions[1][1]
    sessions[doomed][0].process.kill()
    sessions[doomed][0].process.wait(DEADLINE)
    assert model.once()[:2] == (sessions[0][1], 1)
    model.go()
    assert sessions[1 - doomed][0].wait() == 0


def test_a_handler_that_turns_in_circles_is_interrupted(model: Pipelines) -> None:
    good, pid = model.start()
    endless, same = model.start("turning")
    assert pid == same
    model.go("turning")
    endless.read_until("turns in circles")
    endless.process.kill()
    endless.process.wait(DEADLINE)
    model.go()
    assert good.wait() == 0
    assert model.once()[:2] == (pid, 1)


def test_sessions_with_coroutines_have_loops_of_their_own_and_leave_nothing_of_them(model: Pipelines) -> None:
    before = model.once(cls="Awaits")
    sessions = [model.start(cls="Awaits", node="waits") for _ in range(2)]
    assert {pid for _, pid in sessions} == {before[0]}
    for running, _ in sessions:
        running.process.kill()
        running.process.wait(DEADLINE)
    assert model.once(cls="Awaits") == before


def test_a_stuck_handler_sends_later_sessions_to_a_new_process(model: Pipelines) -> None:
    good, pid = model.start()
    stuck, same = model.start("stuck")
    assert pid == same
    model.go("stuck")
    stuck.read_until("is stuck")
    stuck.process.kill()
    stuck.process.wait(DEADLINE)
    assert model.once()[0] != pid  # it waited for the stuck one's grace
    model.go()
    assert good.wait() == 0
    assert len(model.user.containers("-a")) == 1


def test_a_crash_fails_all_sessions_with_a_true_sentence(model: Pipelines) -> None:
    good, pid = model.start()
    bad, same = model.start("crashes")
    assert pid == same
    model.go("crashes")
    for node, running in (("good", good), ("crashes", bad)):
        told = running.read_until("penstock: error: ")
        assert f"node '{node}' was killed by signal 11 (SIGSEGV)" in told
        assert "its process served 1 other session too" in told
        assert running.wait() == 1
    assert model.once()[1] == 1


def test_output_and_log_records_are_in_their_own_sessions_log(model: Pipelines) -> None:
    sessions = [model.start()[0], model.start()[0]]
    model.go()
    ids = []
    for running in sessions:
        assert running.wait() == 0
        said = [line for line in running.lines if any(kind in line for kind in KINDS)]
        assert len(said) == len(KINDS), "".join(running.lines)
        ids.append({line.rsplit(" of ", 1)[1].strip() for line in said})
    assert all(len(each) == 1 for each in ids)
    assert ids[0] != ids[1]


def test_descriptors_of_sessions_that_left_are_closed(model: Pipelines) -> None:
    told = [model.once() for _ in range(10)]
    assert len({process for process, *_ in told}) == 1
    assert len({descriptors for *_, descriptors in told[2:]}) == 1, told


def test_sessions_with_inputs_leave_no_descriptors_though_they_keep_messages_and_fail(model: Pipelines) -> None:
    told = []
    for _ in range(6):
        told.append(model.user.run(model.chain("echo")))
        assert model.user.penstock("run", str(model.chain("fails"))).returncode == 1
    assert len({tuple(each) for each in told[1:]}) == 1, told
    assert told[0][0] == told[1][0]


def test_a_process_that_keeps_messages_of_a_session_gets_no_further_one(model: Pipelines) -> None:
    told = []
    for _ in range(2):
        result = model.user.penstock("run", str(model.chain("keeps")))
        assert result.returncode == 0, result.stderr
        assert "the process with the model takes no further session. Copy what is to be kept" in result.stderr
        told.append(result.stdout.split()[0])
    assert told[0] != told[1]


@pytest.mark.parametrize(
    ("last", "sentence"),
    [
        ("greedy", "has used up its descriptors. Raise docker.resource_limits.nofile"),
        ("crowded", "can't start new thread. Raise docker.resource_limits.pids"),
    ],
)
def test_a_session_for_which_the_process_has_no_room_is_the_only_one_that_fails(
    model: Pipelines, last: str, sentence: str
) -> None:
    limits = {"resource_limits": {**LIMITS, "pids": 64}}
    good, pid = model.start(**limits)
    bad, _ = model.start("raises", **limits)
    hog, same = model.start(last, **limits)
    assert pid == same
    model.go(last)
    hog.read_until("has it all")
    refused = model.user.penstock("run", str(model.pipeline(node="once", **limits)))
    assert refused.returncode == 1
    assert sentence in refused.stderr
    model.go("raises")
    assert bad.wait() == 1  # it leaves without taking anything
    model.go("on")
    model.go()
    assert (hog.wait(), good.wait()) == (0, 0)
    assert model.once(**limits)[:2] == (pid, 1)


def test_a_process_with_a_model_does_not_keep_the_container(model: Pipelines) -> None:
    model.once(keep_warm=0)
    assert model.user.containers("-a") == []
