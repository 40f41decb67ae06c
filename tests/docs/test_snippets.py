"""How snippets are read and compared: what may differ, and that anything else is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest
import snippets
from snippets import Reading, merged, transcript
from walk import PENSTOCK, parse_shell

PIPELINE = """version: v1
nodes:
  - {id: a, node_type: text.source}
  - id: b
    node_type: nodes:B
  - {id: c, node_type: text.sink}
connections:
  - {from: a, to: b}
"""


def page(folder: Path, text: str) -> list[snippets.Snippet]:
    file = folder / "page.md"
    file.write_text(text, encoding="utf-8")
    return snippets.read(file)


def test_a_snippet_knows_its_place_kind_and_marker(tmp_path: Path) -> None:
    first, second = page(
        tmp_path,
        "# A\n```yaml node\nid: a\n```\n"
        "<!-- needs an engine -->\n## B\n<!-- not run: takes hours -->\n\n```sh\nx\n```\n",
    )
    assert (first.section, first.line, first.words, first.not_run, first.needs_engine) == ("A", 2, "node", None, False)
    assert (second.section, second.text, second.not_run, second.needs_engine) == ("B", "x\n", "takes hours", True)


def test_a_marker_is_for_the_next_snippet_alone(tmp_path: Path) -> None:
    shell = "```sh\nx\n```\n"
    text = f"<!-- not run: why -->\nBut this is between.\n{shell}<!-- not run: why -->\n{shell}{shell}"
    assert [each.not_run for each in page(tmp_path, text)] == [None, "why", None]


def test_a_fence_that_stays_open_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"page\.md:2: the fence is never closed"):
        page(tmp_path, "\n```sh\nx\n")


def test_a_fragment_takes_the_places_of_its_nodes() -> None:
    new = "  - id: b\n    node_type: nodes:C\n    params: {x: 1}\n"
    assert merged(PIPELINE, new) == PIPELINE.replace("  - id: b\n    node_type: nodes:B\n", new)


def test_a_fragment_of_a_node_that_there_is_not_is_an_error() -> None:
    with pytest.raises(ValueError, match="is called d"):
        merged(PIPELINE, "  - {id: d, node_type: nodes:D}\n")


def test_a_transcript_is_commands_with_what_they_print() -> None:
    assert transcript("$ a \\\n  b\nx\ny\n$ c\n") == [("a \\\n  b", "x\ny\n"), ("c", "")]


def test_lines_without_prompts_are_commands_that_may_print_anything() -> None:
    assert transcript("# why\na  # b\n\nc\n") == [("a  # b", "…\n"), ("c", "…\n")]


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("ran 0.41 s\n", "ran 12.3 s\n"),
        ("p50 90 µs\n", "p50 1.2 ms\n"),
        ("19 of 128 MB\n", "24 of 128 MB\n"),
        ("a   12 MB  x\n", "a        1.4 GB x\n"),
        ("12:00:01.5 Python 3.11.2\n", "08:15:59.123 Python 3.11.7\n"),
        ("in …/home\n", "in /tmp/x/home\n"),
        ("a\n…\nd\n", "a\nb\nc\nd\n"),
        ("a\n…\n", "a\n"),
    ],
)
def test_what_varies_may_differ(shown: str, printed: str) -> None:
    assert Reading().difference(shown, printed) is None


@pytest.mark.parametrize(
    ("shown", "printed", "told"),
    [
        ("3 messages\n", "4 messages\n", "not printed: 3 messages"),
        ("a\nc\n", "a\nb\nc\n", "not printed: c"),
        ("a\n", "a\nb\n", "more is printed than is shown"),
        ("19 of 128 MB\n", "19 of 256 MB\n", "not printed: 19 of 128 MB"),
        ("", "a\n", "more is printed than is shown"),
        ("Python 3.11.2\n", "Python 3.10.2\n", "not printed: Python 3.11.2"),
        ("a\n…\nd\n", "a\nb\n", "not printed: d"),
    ],
)
def test_anything_else_is_told(shown: str, printed: str, told: str) -> None:
    assert Reading().difference(shown, printed) == told


PAGES_ID = "01a21800-0000-7000-8000-000000000000"
RUNS_ID = "01a29999-1111-7111-9111-111111111111"


def test_ids_of_the_page_stand_for_those_of_the_run() -> None:
    reading = Reading()
    assert reading.difference(f"is {PAGES_ID}\n", f"is {RUNS_ID}\n") is None
    assert reading.typed(f"show {PAGES_ID}-parse") == f"show {RUNS_ID}-parse"
    assert reading.typed("show 01a21800-0000") == "show 01a29999-1111"
    assert reading.difference(f"again {PAGES_ID}\n", f"again {RUNS_ID}\n") is None
    assert reading.difference(f"again {PAGES_ID}\n", f"again {RUNS_ID.replace('9', '8')}\n") is not None


def test_an_id_that_is_shown_twice_is_printed_twice() -> None:
    assert Reading().difference(f"{PAGES_ID} {PAGES_ID}\n", f"{RUNS_ID} {RUNS_ID}\n") is None
    assert Reading().difference(f"{PAGES_ID} {PAGES_ID}\n", f"{RUNS_ID} {PAGES_ID}\n") is not None


@pytest.mark.skipif(not PENSTOCK.exists(), reason="build/bin/penstock is not part of the build yet")
@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("penstock plan x.yaml --jsn", "plan has no --jsn"),
        ("penstock pln x.yaml", "penstock has no command 'pln'"),
        ("A=1 penstock images prune --keeep 3  # why", "images prune has no --keeep"),
        ("./dev dmo", "./dev has no command 'dmo'"),
        ("docker/scripts/nothing.sh", "there is no program docker/scripts/nothing.sh"),
        ("echo 'x", "unexpected EOF"),
    ],
)
def test_a_command_that_there_is_not_is_told(command: str, told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        parse_shell(f"{command}\n")


@pytest.mark.skipif(not PENSTOCK.exists(), reason="build/bin/penstock is not part of the build yet")
def test_commands_that_there_are_pass() -> None:
    parse_shell("penstock logs --node vad --grep 'a [0-9]+' -f | jq -r .x  # no --such option\n./dev test\n")
