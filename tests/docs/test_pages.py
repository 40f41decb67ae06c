"""Every snippet of the documentation is run, or parsed, or says why not."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import snippets
from walk import DOINGS, PENSTOCK, REPOSITORY, Section, Walk, parse_shell, sections

needs_penstock = pytest.mark.skipif(not PENSTOCK.exists(), reason="build/bin/penstock is not part of the build yet")
PAGES = [
    REPOSITORY / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "*.md"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
]
# Pages that a tool writes and a test of their own holds against the program.
GENERATED = {"docs/cli.md": "tests/house/test_cli_doc.py"}


def name(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


HANDWRITTEN = [page for page in PAGES if name(page) not in GENERATED]


def parts() -> list[Any]:
    """Every section with snippets, in the order of its page."""
    found = []
    for page in HANDWRITTEN:
        for section, inside in sections(page):
            marks = [pytest.mark.engine, pytest.mark.slow] if any(each.needs_engine for each in inside) else []
            found.append(pytest.param(page, section, id=f"{name(page)}: {section[1][:50]}", marks=marks))
    return found


def pipelines() -> list[Any]:
    return [
        pytest.param(text, id=f"{name(page)}:{snippet.line}")
        for page in HANDWRITTEN
        for snippet, _, text in snippets.manifests(page)
        if not snippet.file
    ]


def test_the_pages_are_found() -> None:
    assert {"README.md", "docs/tutorial.md", "docs/nodes.md", "docs/manifest.md"} <= {
        name(page) for page in HANDWRITTEN
    }
    assert all((REPOSITORY / test).exists() for test in GENERATED.values())


@pytest.mark.parametrize("page", HANDWRITTEN, ids=name)
def test_every_snippet_is_of_a_known_kind_or_says_why_it_is_not_run(page: Path) -> None:
    for snippet in snippets.read(page):
        known = snippet.language in {*DOINGS, "sh"} or snippet.file
        kind = not snippet.words or snippet.file or (snippet.language == "yaml" and snippet.words in snippets.KINDS)
        assert known or snippet.not_run, f"{snippet.place}: nothing is done with ```{snippet.language}"
        assert kind, f"{snippet.place}: '{snippet.words}' is neither a kind nor a file"
        assert snippet.not_run != "", f"{snippet.place}: the marker gives no reason"


def outside_of_fences(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", HANDWRITTEN, ids=name)
def test_no_snippet_stands_outside_of_fences(page: Path) -> None:
    """Of an indented one nobody knows what it is."""
    assert re.findall(r"\n\n    [^\n]*", outside_of_fences(page)) == []


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", outside_of_fences(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_into_pages_lead_to_headings(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", outside_of_fences(page)):
        assert anchor in anchors((page.parent / target) if target else page), f"{name(page)} links to {target}#{anchor}"


def named(page: Path) -> list[str]:
    """Commands in backticks, and on a page of help texts the examples."""
    if name(page) in GENERATED:
        return re.findall(r"^  ((?:penstock|\./dev) .*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return re.findall(r"`((?:penstock|\./dev) [^`]*)`", outside_of_fences(page))


@pytest.mark.parametrize("page", PAGES, ids=name)
@needs_penstock
def test_the_commands_that_a_page_names_exist(page: Path) -> None:
    for command in named(page):
        parse_shell(re.sub(r"[\[\]]", "", command.replace("\n", " ")))


def test_pages_name_commands() -> None:
    assert len(named(REPOSITORY / "docs" / "cli.md")) > 40
    assert "penstock quarantine list" in named(REPOSITORY / "docs" / "reliability.md")


@pytest.mark.parametrize(("page", "section"), parts())
@needs_penstock
def test_snippets_do_what_the_page_says(walks: Callable[[Path], Walk], page: Path, section: Section) -> None:
    walks(page).to(section)


@pytest.mark.parametrize("text", pipelines())
@needs_penstock
def test_pipelines_are_valid(tmp_path: Path, text: str) -> None:
    assert snippets.problems(PENSTOCK, tmp_path, text) == []
