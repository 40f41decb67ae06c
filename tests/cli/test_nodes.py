"""`penstock nodes` tells of native nodes what they declare, and what they declare is what they take."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from conftest import ANY_SINK, Project, as_json, on_a_terminal, penstock

NAMES = [
    *("debug.tap", "file.watch", "flow.batch", "flow.merge", "flow.rate", "flow.tee", "json.sink", "json.source"),
    *("media.sink", "media.source", "message.source", "text.sink", "text.source", "time.ticker"),
]


def node(name: str) -> dict[str, Any]:
    (found,) = as_json("nodes", name)["nodes"]
    return dict(found)


def test_all_are_listed_with_ports_and_summary() -> None:
    report = as_json("nodes")
    assert report["version"] == 1
    assert [node["name"] for node in report["nodes"]] == NAMES
    shown = penstock("nodes").stdout.splitlines()
    assert [line.split()[0] for line in shown] == ["node", *NAMES]
    assert re.fullmatch(r"media.source +- +out: Audio +reads .*", shown[1 + NAMES.index("media.source")])


def test_one_is_shown_with_its_parameters() -> None:
    source = node("media.source")
    assert (source["inputs"], source["outputs"]) == ([], [{"name": "out", "type": "Audio"}])
    rate = next(param for param in source["params"] if param["name"] == "audio.rate")
    assert rate["type"] == "whole number"
    assert "768000" in rate["what"]
    shown = penstock("nodes", "media.source").stdout
    for param in source["params"]:
        assert re.search(rf"^  {re.escape(param['name'])}  {param['type']}$", shown, re.MULTILINE)
    assert "must be given" in penstock("nodes", "message.source").stdout


def test_a_name_that_does_not_exist_is_told_with_the_nearest() -> None:
    done = penstock("nodes", "text.snk")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "penstock: error: there is no native node 'text.snk'; did you mean 'text.sink'?\n"


@pytest.mark.parametrize("name", NAMES)
def test_what_a_node_takes_is_what_it_declares(project: Project, name: str) -> None:
    """The node's own complaint about a parameter that it does not know lists those that it does."""
    ends = {"id": "end", "node_type": name, "params": {"path": str(project.folder / "x"), "nonsense": 1}}
    declared = node(name)
    before = [{"id": "count", "node_type": "nodes:Count"}] if declared["inputs"] else []
    chain = [*before, ends, *([ANY_SINK] if declared["outputs"] else [])]
    connections: list[dict[str, Any]] = [{"from": a["id"], "to": b["id"]} for a, b in zip(chain, chain[1:])]
    if declared["outputs"]:
        connections[-1]["from_output"] = declared["outputs"][0]["name"]
    project.write(chain, connections)
    done = penstock("run", "-q", str(project.manifest))
    assert done.returncode == 1
    (known,) = re.findall(r"nonsense.*?[Kk]nown(?: keys)?: ([\w, ]+)", done.stderr)[:1]
    takes = {param["name"].split(".")[0] for param in declared["params"]}
    assert set(known.split(", ")) == (takes or {"none"})


def test_a_setting_that_a_native_node_does_not_take_is_refused_before_the_start(project: Project) -> None:
    project.chain({"id": "source", "node_type": "media.source", "params": {"url": "x.wav"}}, ANY_SINK)
    done = penstock("run", str(project.manifest), "--set", "source.audio.rat=8000")
    assert done.returncode == 2
    assert done.stderr == (
        "penstock: error: '--set source.audio.rat=8000': node 'source' (media.source) has no parameter 'audio.rat'; "
        "did you mean 'audio.rate'?\n"
    )
    done = penstock("plan", str(project.manifest), "--set", "source.audio={rate: 8000}")
    assert done.returncode == 0


def test_a_plugin_that_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    from conftest import REPOSITORY

    home = tmp_path / "home"
    (home / "lib" / "penstock").mkdir(parents=True)
    (home / "bin").symlink_to(REPOSITORY / "build" / "bin")
    (home / "lib" / "penstock" / "broken.so").write_text("no library")
    done = penstock("nodes", env={"PENSTOCK_HOME": str(home)})
    assert "broken.so" in done.stderr
    assert "text.sink" in done.stdout


def test_on_a_narrow_terminal_the_list_is_cut() -> None:
    shown = on_a_terminal("nodes", columns=50)
    assert all(len(line) <= 50 for line in shown.splitlines())
    assert "…" in shown
