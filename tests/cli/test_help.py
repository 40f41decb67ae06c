"""Help is as wide as the terminal, and mistakes are told with what was probably meant."""

from __future__ import annotations

import re

import pytest
from conftest import Project, on_a_terminal, penstock


def test_help_fits_the_terminal() -> None:
    for columns in (50, 80, 200):
        shown = on_a_terminal("run", "--help", columns=columns)
        text = shown[: shown.index("Examples:")]
        assert all(len(line) <= min(columns, 100) for line in text.splitlines()), text
    assert "Usage: penstock run [OPTIONS] manifest" in shown


def test_help_in_a_pipe_is_the_same_everywhere() -> None:
    assert penstock("run", "--help", env={"COLUMNS": "40"}).stdout == penstock("run", "--help").stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["run", "x.yaml", "--plcement", "process"],
            "'penstock run' has no option '--plcement'; did you mean '--placement'?",
        ),
        (["run", "x.yaml", "--setting=1"], "'penstock run' has no option '--setting'"),
        (["ps", "extra"], "'penstock ps' takes no further argument, but got 'extra'"),
        (["images", "shwo"], "'penstock images' has no command 'shwo'; did you mean 'show'?"),
        (["run"], "manifest is required"),
        ([], "'penstock' needs a command"),
    ],
)
def test_a_mistake_is_told_with_what_was_meant(words: list[str], says: str) -> None:
    done = penstock(*words)
    assert (done.returncode, done.stdout) == (2, "")
    first, second = done.stderr.splitlines()
    assert first.startswith(f"penstock: error: {says}")
    assert re.fullmatch(r"see 'penstock[a-z ]* --help'", second)


def test_the_hint_names_the_command(project: Project) -> None:
    assert penstock("images", "show").stderr.endswith("see 'penstock images show --help'\n")
