"""`penstock doctor` says for everything that pipelines need what there is, what it means and what to do."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import DEADLINE, PENSTOCK, as_json, on_a_terminal, penstock

CHECKS = {
    "kernel",
    "kernel features",
    "shared memory",
    "user namespaces",
    "landlock",
    "control groups",
    "cores",
    "memory",
    "descriptors",
    "processes",
    "installation",
    "native nodes",
    "Pythons",
    "state",
    "cache",
    "runtime",
    "engine",
    "leftovers",
}
OF_AN_ENGINE = {"engine's settings", "engine's disk", "base images"}
NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


@pytest.fixture
def own_folders(tmp_path: Path) -> dict[str, str]:
    return {
        f"XDG_{name}_{kind}": str(tmp_path / name.lower())
        for name, kind in (("STATE", "HOME"), ("CACHE", "HOME"), ("RUNTIME", "DIR"))
    }


def test_every_check_says_what_there_is_and_what_it_means() -> None:
    report = as_json("doctor")
    assert report["version"] == 1
    assert {check["name"] for check in report["checks"]} == CHECKS | OF_AN_ENGINE
    for check in report["checks"]:
        assert check["result"] in {"ok", "note", "warning", "problem"}
        assert check["found"] and check["meaning"], check
        assert check["result"] in {"ok", "note"} or check["remedy"], check


def test_this_host_can_run_pipelines() -> None:
    done = penstock("doctor")
    assert done.returncode == 0, done.stdout
    assert "Pipelines can run here" in done.stdout.splitlines()[-1]
    assert "\x1b" not in done.stdout


def test_without_an_engine_it_says_so_and_exits_with_3() -> None:
    done = penstock("doctor", "--json", env=NO_ENGINE)
    assert done.returncode == 3
    assert '"problem"' in done.stdout
    quiet = penstock("doctor", "--quiet", env=NO_ENGINE)
    assert quiet.returncode == 3
    lines = [line for line in quiet.stdout.splitlines() if not line.startswith(" ")]
    assert "problem   engine: none that can be used" in lines
    assert all(line.startswith(("warning", "problem")) for line in lines)
    assert "to do: no Docker engine at /nowhere/docker.sock" in " ".join(quiet.stdout.split())


def test_a_folder_that_cannot_be_made_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = penstock("doctor", env={"XDG_STATE_HOME": str(tmp_path / "file")})
    assert done.returncode == 3
    assert "problem   state: " in done.stdout


def test_what_killed_runtimes_left_is_counted_and_left_alone(own_folders: dict[str, str], tmp_path: Path) -> None:
    assert leftovers(own_folders)["result"] == "ok"
    place = tmp_path / "runtime" / "penstock" / "s" / "dead"
    place.mkdir(parents=True)
    (place / "lock").write_text("")
    for _ in range(2):
        found = leftovers(own_folders)
        assert (found["result"], found["found"]) == ("note", "1 session's place")
        assert "penstock gc" in found["remedy"]
    penstock("ps", env=own_folders)
    assert leftovers(own_folders)["result"] == "ok"


def leftovers(env: dict[str, str]) -> dict[str, str]:
    (tmp,) = (check for check in as_json("doctor", env=env)["checks"] if check["name"] == "leftovers")
    return dict(tmp)


def test_on_a_terminal_it_fits_and_is_coloured() -> None:
    shown = on_a_terminal("doctor", columns=60)
    assert "\x1b[32mok        \x1b[0mkernel: Linux " in shown
    plain = re.sub(r"\x1b\[\d+m", "", shown)
    too_long = [line for line in plain.splitlines() if len(line) > 60 and " " in line.strip()]
    assert not [line for line in too_long if len(line.strip().split()[0]) < 45], too_long


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colours_where_they_are_not_wanted(variable: dict[str, str]) -> None:
    assert "\x1b" not in on_a_terminal("doctor", env=variable)


def test_a_reader_that_has_enough_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer) as closed:
        done = subprocess.run(
            [str(PENSTOCK), "doctor"], stdout=closed, stderr=subprocess.PIPE, timeout=DEADLINE, check=False
        )
    assert (done.returncode, done.stderr) == (0, b"")
