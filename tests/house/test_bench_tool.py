"""`./dev bench` collects figures and refuses those that nobody could compare later."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import bench

GOOD = {"id": "echo.a", "value": 5.5, "unit": "us", "goal": "<= 12", "against": None, "ratio": None, "runs": 1000}


def script(folder: Path, name: str, figures: object, exit_code: int = 0) -> None:
    path = folder / f"{name}.py"
    path.write_text(
        f"import sys\nopen(sys.argv[1], 'w').write({json.dumps(figures)!r})\nsys.exit({exit_code})\n", encoding="utf-8"
    )
    path.chmod(0o755)


def run(folder: Path, *names: str) -> int:
    return bench.main([*names, "--folder", str(folder), "--output", str(folder / "out.json")])


def test_figures_of_all_scripts_are_merged_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script(tmp_path, "echo", [GOOD])
    script(tmp_path, "start", [{**GOOD, "id": "start.b", "against": 5.0, "ratio": 1.1}])
    assert run(tmp_path) == 0
    assert [figure["id"] for figure in json.loads((tmp_path / "out.json").read_text())] == ["echo.a", "start.b"]
    assert "5.5 us" in capsys.readouterr().out


def test_a_partial_run_keeps_the_other_figures(tmp_path: Path) -> None:
    script(tmp_path, "echo", [GOOD])
    script(tmp_path, "start", [{**GOOD, "id": "start.b"}])
    run(tmp_path)
    script(tmp_path, "echo", [{**GOOD, "id": "echo.new"}])
    assert run(tmp_path, "echo") == 0
    assert [figure["id"] for figure in json.loads((tmp_path / "out.json").read_text())] == ["echo.new", "start.b"]


@pytest.mark.parametrize(
    "figures",
    [
        [],
        {},
        [{**GOOD, "id": "other.a"}],
        [GOOD, GOOD],
        [{**GOOD, "value": "5"}],
        [{**GOOD, "extra": 1}],
        [{"id": "echo.a"}],
    ],
    ids=["none", "no list", "foreign id", "twice", "text", "unknown key", "missing keys"],
)
def test_figures_that_do_not_read_as_such_fail_the_run(tmp_path: Path, figures: object) -> None:
    script(tmp_path, "echo", figures)
    assert run(tmp_path) == 1


def test_a_script_that_fails_fails_the_run(tmp_path: Path) -> None:
    script(tmp_path, "echo", [GOOD], exit_code=3)
    assert run(tmp_path) == 1


def test_an_unknown_name_is_an_error(tmp_path: Path) -> None:
    script(tmp_path, "echo", [GOOD])
    assert run(tmp_path, "eco") == 2
