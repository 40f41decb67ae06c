"""The example is built as a project of its own, and runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SOURCE = HERE.parents[1]
PENSTOCK = Path(os.environ.get("PENSTOCK_BIN", SOURCE / "build/bin/penstock"))
DEADLINE = 300  # seconds until a hanging build or run is a failed test


def call(*command: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env={**os.environ, **env},
        check=False,
    )


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = tmp_path_factory.mktemp("native-node")
    configured = call("cmake", "-S", HERE, "-B", build, "-G", "Ninja", f"-DPENSTOCK_SOURCE={SOURCE}")
    assert configured.returncode == 0, configured.stderr
    built = call("cmake", "--build", build)
    assert built.returncode == 0, built.stdout
    return build


def test_it_prints_what_its_readme_says(plugins: Path) -> None:
    done = call(PENSTOCK, "run", "--quiet", HERE / "pipeline.yaml", PENSTOCK_PLUGIN_PATH=str(plugins))
    assert done.returncode == 0, done.stderr
    told = re.findall(r"^(\{.*\})$", (HERE / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert done.stdout.splitlines() == told


def test_penstock_shows_what_it_takes(plugins: Path) -> None:
    done = call(PENSTOCK, "nodes", "example.words", "--json", PENSTOCK_PLUGIN_PATH=str(plugins / "libexample_words.so"))
    assert done.returncode == 0, done.stderr
    (node,) = json.loads(done.stdout)["nodes"]
    assert [param["name"] for param in node["params"]] == ["shortest"]


def test_a_wrong_parameter_is_told(plugins: Path) -> None:
    pipeline = HERE / "pipeline.yaml"
    done = call(PENSTOCK, "run", "-q", pipeline, "--set", "words.shortest=0", PENSTOCK_PLUGIN_PATH=str(plugins))
    assert done.returncode == 1
    assert "params of example.words: 'shortest' must be a whole number from 1, not 0" in done.stderr


def test_without_the_path_there_is_no_such_node() -> None:
    done = call(PENSTOCK, "validate", HERE / "pipeline.yaml", PENSTOCK_PLUGIN_PATH="")
    assert done.returncode == 2
    assert "there is no native node 'example.words'" in done.stderr


def test_a_path_that_names_nothing_is_told(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    shown = call(PENSTOCK, "nodes", PENSTOCK_PLUGIN_PATH=missing)
    assert f"cannot load the plugin '{missing}'" in shown.stderr
    done = call(PENSTOCK, "run", "-q", HERE / "pipeline.yaml", PENSTOCK_PLUGIN_PATH=missing)
    assert done.returncode == 1
    assert "there is no native node 'example.words'" in done.stderr
    assert f"cannot load the plugin '{missing}'" in done.stderr


def test_without_penstocks_source_cmake_says_what_is_missing(tmp_path: Path) -> None:
    done = call("cmake", "-S", HERE, "-B", tmp_path)
    assert done.returncode != 0
    assert "-DPENSTOCK_SOURCE=/path/to/penstock" in done.stderr
