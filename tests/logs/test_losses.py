"""Full disks, readers that do not read, and kills: nodes go on, and what is missing is counted."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PENSTOCK, Project, lines_of, source


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "penstock-test", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("a small disk can only be mounted by root: " + mounted.stderr.decode().strip())
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_holds_up_nobody_and_every_line_is_kept_or_counted(project: Project, small_disk: Path) -> None:
    lines = 30_000
    project.write(source("flood", "Flood", lines=lines))
    run = project.run(XDG_STATE_HOME=str(small_disk))
    assert run.process.returncode == 0, run.stderr
    log = run.report["log"]
    assert log["kept"] > 0 and log["dropped"] > 0
    assert "No space left on device" in log["problem"]
    assert "cannot be written" in run.stderr and "are not in the log" in run.stderr
    kept = [line for file in small_disk.glob("penstock/sessions/*/log.*.jsonl") for line in file.open()]
    assert all(line.startswith("{") and line.endswith("}\n") for line in kept)
    sources = {(d["node"], d["stream"]): d["lines"] for d in log["dropped_by_source"]}
    flood = sum('"node":"flood"' in line and '"dropped"' not in line and '"runtime"' not in line for line in kept)
    assert flood + sum(n for (node, _), n in sources.items() if node == "flood") == lines


def test_a_state_directory_that_cannot_be_made_is_a_warning_and_not_the_end(project: Project) -> None:
    project.write(source("flood", "Flood", lines=30))
    run = project.run(XDG_STATE_HOME="/proc/nowhere")
    assert run.process.returncode == 0
    assert "this session has no log" in run.stderr
    assert run.report["log"]["folder"] is None
    assert sum(d["lines"] for d in run.report["log"]["dropped_by_source"] if d["node"] == "flood") == 30


def test_a_terminal_that_stands_still_holds_up_nobody(project: Project) -> None:
    lines = 300_000  # more than the pipe and the room of the terminal hold
    project.write(source("flood", "Flood", lines=lines))
    read_end, write_end = os.pipe()
    run = project.start(stderr=write_end)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as terminal:
        assert any(line.startswith(b"session ") for line in terminal)
        wait_for_end_of_streams(project)
        shown = terminal.read().decode()  # and only now somebody reads
    assert run.wait() == 0
    assert "lines are not shown here" in shown
    assert run.report["log"]["not_shown"] > 0
    kept = sum(len(got) for (node, _), got in lines_of(project.records()).items() if node == "flood")
    dropped = sum(d["lines"] for d in run.report["log"]["dropped_by_source"])
    assert kept + dropped + run.report["log"]["removed"] >= lines


def wait_for_end_of_streams(project: Project) -> None:
    """Follows the log, which goes on although the terminal does not."""
    done = project.logs("-f", "--grep", "the session is done")
    assert "the session is done" in done.stdout


def test_log_records_do_not_wait_for_a_runtime_that_stands_still(project: Project) -> None:
    lines = 50_000  # more than the pipe holds
    begin, done = project.folder / "begin", project.folder / "done"
    os.mkfifo(begin)
    os.mkfifo(done)
    project.write(source("records", "Records", lines=lines, begin=str(begin), done=str(done)))
    run = project.start_streams("--log-file-size", "64MiB")
    with begin.open("w"):  # opens when the node is there
        run.process.send_signal(signal.SIGSTOP)
    assert done.read_text() == ""  # the node gets there while the runtime stands still
    run.process.send_signal(signal.SIGCONT)
    assert run.wait() == 0
    kept = [int(r["message"].split()[1]) for r in lines_of(project.records())["records", "log"]]
    (lost,) = run.report["log"]["dropped_by_source"]
    assert kept == sorted(set(kept))
    assert (lost["node"], lost["stream"]) == ("records", "log")
    assert len(kept) + lost["lines"] == lines


def test_what_a_sink_prints_is_never_left_out_and_its_reader_may_be_slow(project: Project) -> None:
    lines = 20_000
    (project.folder / "nodes.py").write_text(
        "import penstock\nfrom penstock import Text\n"
        "class Many(penstock.Node):\n"
        "    def process(self):\n"
        f"        for i in range({lines}):\n"
        "            yield Text(f'{i} ' + 'x' * 1000)\n"
    )
    project.write_raw(
        [{"id": "many", "node_type": "nodes:Many"}, {"id": "sink", "node_type": "text.sink"}],
        [{"from": "many", "to": "sink"}],
    )
    read_end, write_end = os.pipe()
    run = project.start(stdout=write_end)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as output:
        numbers = [int(line.split()[0]) for line in output]
    assert run.wait() == 0, run.stderr
    assert numbers == list(range(lines))


def test_a_blocked_standard_output_does_not_keep_a_session_from_being_ended(project: Project) -> None:
    (project.folder / "nodes.py").write_text(
        "import penstock\nfrom penstock import Text\n"
        "class Many(penstock.Node):\n"
        "    def process(self):\n"
        "        while not self.stop_requested:\n"
        "            yield Text('x' * 1000)\n"
    )
    project.write_raw(
        [{"id": "many", "node_type": "nodes:Many"}, {"id": "sink", "node_type": "text.sink"}],
        [{"from": "many", "to": "sink"}],
    )
    read_end, write_end = os.pipe()
    run = project.start(stdout=write_end)
    os.close(write_end)
    assert os.read(read_end, 1)  # it runs; nothing more is read
    run.process.send_signal(signal.SIGINT)
    run.process.send_signal(signal.SIGTERM)
    assert run.wait() == 130
    os.close(read_end)


def test_a_killed_runtime_leaves_a_log_that_can_be_read(project: Project) -> None:
    project.write(source("say", "Say", what="until_killed"))
    run = project.start_streams()
    (session,) = [folder.name for folder in project.sessions.iterdir()]
    with subprocess.Popen(
        [str(PENSTOCK), "logs", "-f", session],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=project.env,
        text=True,
    ) as follower:
        assert follower.stdout is not None and follower.stderr is not None
        for line in follower.stdout:
            if "still here" in line:
                break
        run.process.kill()
        follower.stdout.read()  # ends: the kernel has dropped the runtime's lock
        assert "ended before it could say how" in follower.stderr.read()
    assert any(r["message"] == "still here" for r in project.records(session))
