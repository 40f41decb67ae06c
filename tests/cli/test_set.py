"""`--set NODE.PARAM=VALUE`: typed as in a manifest, over what the manifest says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import SHOW, SINK, Project, penstock


def params_with(project: Project, *settings: str) -> Any:
    project.chain(SHOW, SINK)
    words = [word for setting in settings for word in ("--set", setting)]
    done = penstock("run", "-q", str(project.manifest), *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_values_are_typed_as_in_a_manifest(project: Project) -> None:
    shown = params_with(
        project,
        "show.model=small",
        "show.count=3",
        "show.share=0.5",
        "show.fast=true",
        "show.id='3'",
        "show.words=[a, 1]",
        "show.nothing=",
        "show.equation=a=b",
    )
    assert shown == {
        "model": "small",
        "audio": {"rate": 16000},
        "count": 3,
        "share": 0.5,
        "fast": True,
        "id": "3",
        "words": ["a", 1],
        "nothing": None,
        "equation": "a=b",
    }


def test_dots_go_on_into_mappings_and_the_last_one_wins(project: Project) -> None:
    shown = params_with(project, "show.audio.rate=8000", "show.new.deep=1", "show.audio.rate=11025")
    assert shown == {"model": "large", "audio": {"rate": 11025}, "new": {"deep": 1}}


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("show", "'--set show' is not NODE.PARAM=VALUE, as in --set asr.model=small"),
        ("show.model", "'--set show.model' is not NODE.PARAM=VALUE, as in --set asr.model=small"),
        ("shwo.model=x", "'--set shwo.model=x': the pipeline has no node 'shwo'; did you mean 'show'?"),
        ("model=x", "'--set model=x' is not NODE.PARAM=VALUE, as in --set asr.model=small"),
        (
            "show.model.size=1",
            "'--set show.model.size=1': 'model' of node 'show' is \"large\", which has no parameters in it",
        ),
    ],
)
def test_a_mistake_names_node_and_parameter(project: Project, setting: str, says: str) -> None:
    project.chain(SHOW, SINK)
    for verb in ("run", "plan"):
        done = penstock(verb, str(project.manifest), "--set", setting)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"penstock: error: {says}\n"


def test_every_mistake_is_told_in_one_go(project: Project) -> None:
    project.chain(SHOW, SINK)
    done = penstock("run", str(project.manifest), "--set", "a.b=1", "--set", "show.x=[", "--set", "show.model=1")
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert first.startswith("penstock: error: '--set a.b=1': the pipeline has no node 'a'")
    assert second.startswith("penstock: error: the value of '--set show.x=[' is not YAML: ")


def test_what_looks_like_a_typing_error_is_set_and_told(project: Project) -> None:
    project.chain(SHOW, SINK)
    done = penstock("run", str(project.manifest), "--set", "show.modle=small")
    assert done.returncode == 0
    assert "the manifest gives node 'show' no 'modle', but 'model': was that meant?" in done.stderr
