"""What is done with the snippets of a page, in the order of the page."""

from __future__ import annotations

import configparser
import doctest
import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import penstock
import snippets
from page_shell import Shell
from penstock import testing
from snippets import Snippet

REPOSITORY = Path(__file__).parents[2]
PENSTOCK = Path(os.environ.get("PENSTOCK_BIN", REPOSITORY / "build/bin/penstock"))
NAMES: dict[str, Any] = {
    **{name: getattr(penstock, name) for name in penstock.__all__},
    **{name: getattr(testing, name) for name in testing.__all__},
    "Iterator": Iterator,
    "penstock": penstock,
    "testing": testing,
}
Section = tuple[int, str]  # its number on the page and its heading


def sections(page: Path) -> Iterator[tuple[Section, list[Snippet]]]:
    """Those that have snippets."""
    for number, (title, found) in enumerate(groupby(snippets.read(page), key=lambda each: each.section)):
        yield (number, title), list(found)


class Walk:
    def __init__(self, page: Path, folder: Path, env: dict[str, str]) -> None:
        self._shell = Shell(folder, env)
        self._left = list(sections(page))
        self._failed: str | None = None
        self._names: dict[str, Any] = {}
        self._reading = snippets.Reading()

    def close(self) -> None:
        self._shell.close()

    def to(self, section: Section) -> None:
        """Does what was not yet done up to the end of the section."""
        while self._left and self._left[0][0] <= section:
            (_, title), found = self._left.pop(0)
            if self._failed:
                break
            self._names.update(NAMES)
            registered = dict(penstock._node.registry)
            try:
                for snippet in found:
                    self._do(snippet)
            except BaseException:
                self._failed = title
                raise
            finally:
                penstock._node.registry.clear()
                penstock._node.registry.update(registered)
        assert self._failed is None, f"what the section '{self._failed}' shows failed, and this one builds upon it"

    def _do(self, snippet: Snippet) -> None:
        if snippet.file:
            self._write(snippet)
        elif snippet.language == "sh":
            parse_shell(snippet.text)
            if snippet.not_run is None:
                self._run(snippet)
        elif snippet.not_run is None:
            DOINGS[snippet.language](snippet, self._names)

    def _write(self, snippet: Snippet) -> None:
        name, text = str(snippet.file), snippet.text
        if snippet.language == "yaml" and snippets.is_fragment(text):
            before, code = self._shell.run(f"cat {name}")
            assert code == 0, f"{snippet.place}: the page has not shown {name} yet"
            text = snippets.merged(before, text)
        elif snippet.language == "python":
            compile(text, snippet.place, "exec", dont_inherit=True)
        self._shell.write(name, text)

    def _run(self, snippet: Snippet) -> None:
        for command, shown in snippets.transcript(snippet.text):
            printed, code = self._shell.run(self._reading.typed(command))
            wrong = self._reading.difference(shown, printed)
            assert wrong is None, f"{snippet.place}: $ {command}\n{wrong}\n\nexit code {code}, all of it:\n{printed}"
            if shown == "…\n":
                assert code == 0, f"{snippet.place}: $ {command}\nexit code {code}\n{printed}"


# --- what is no command ---


def run_python(snippet: Snippet, names: dict[str, Any]) -> None:
    if ">>> " not in snippet.text:
        exec(compile(snippet.text, snippet.place, "exec", dont_inherit=True), names)
        return
    parsed = doctest.DocTestParser().get_doctest(snippet.text, names, snippet.section, snippet.page.name, snippet.line)
    parsed.globs = names  # not a copy: what it defines is for the section's next ones
    told: list[str] = []
    result = doctest.DocTestRunner().run(parsed, out=told.append, clear_globs=False)
    assert result.failed == 0, "".join(told)
    assert result.attempted == len(re.findall(r"^ *>>> ", snippet.text, re.MULTILINE))


def parse_json(snippet: Snippet, names: dict[str, Any]) -> None:
    json.loads(snippet.text)


def parse_ini(snippet: Snippet, names: dict[str, Any]) -> None:
    parser = configparser.ConfigParser()
    parser.read_string(snippet.text)
    for section in parser.values():
        if command := section.get("ExecStart"):
            parse_shell(command)


def parsed_elsewhere(snippet: Snippet, names: dict[str, Any]) -> None:
    """Manifests: each is a test of its own."""


DOINGS = {"python": run_python, "json": parse_json, "ini": parse_ini, "yaml": parsed_elsewhere}


def parse_shell(text: str) -> None:
    """That bash understands it, and that programs of ours, their commands and options exist."""
    commands = "\n".join(command for command, _ in snippets.transcript(text))
    done = subprocess.run(["bash", "-n"], input=commands, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\n{commands}"
    for words in simple_commands(commands):
        name = Path(words[0]).name
        if name == "penstock" and PENSTOCK.exists():
            check_options(words[1:])
        elif words[0] == "./dev":
            assert len(words) < 2 or words[1] in dev_commands(), f"./dev has no command '{words[1]}'"
        elif words[0].startswith(("docker/", "examples/", "tools/", "bench/")):
            assert os.access(REPOSITORY / words[0], os.X_OK), f"there is no program {words[0]}"


def simple_commands(text: str) -> Iterator[list[str]]:
    """Words of each, without assignments before it."""
    lines = re.sub(r"(?:^|[ \t])#.*$", "", text, flags=re.MULTILINE).replace("\\\n", " ").replace("\n", " ; ")
    words: list[str] = []
    lexer = shlex.shlex(lines, posix=True, punctuation_chars="();<>|&")
    lexer.commenters = ""
    for word in [*lexer, ";"]:
        if word and set(word) <= set("();|&"):
            while words and re.match(r"^\w+=", words[0]):
                words.pop(0)
            if words:
                yield words
            words = []
        else:
            words.append(word)


def check_options(words: list[str]) -> None:
    verb: tuple[str, ...] = ()
    for word in words:
        if word in listed(verb):
            verb += (word,)
    text = help_of(verb)
    assert verb or not words or words[0].startswith("-") or words[0].isupper(), f"penstock has no command '{words[0]}'"
    for option in (re.sub("=.*", "", word) for word in words if re.match(r"-\w|--\w", word)):
        assert re.search(rf"^  .*(?<![\w-]){option}(?![\w-])", text, re.MULTILINE), f"{' '.join(verb)} has no {option}"


@cache
def help_of(verb: tuple[str, ...]) -> str:
    return subprocess.run([PENSTOCK, *verb, "--help"], capture_output=True, text=True, check=True).stdout


@cache
def listed(verb: tuple[str, ...]) -> frozenset[str]:
    commands = re.search(r"^Commands:\n((?:  .*\n)+)", help_of(verb), re.MULTILINE)
    return frozenset(re.findall(r"^  (\S+)", commands[1], re.MULTILINE)) if commands else frozenset()


@cache
def dev_commands() -> frozenset[str]:
    usage = subprocess.run([REPOSITORY / "dev", "help"], capture_output=True, text=True, check=True).stdout
    return frozenset(re.findall(r"^  (\w+)", usage, re.MULTILINE))
