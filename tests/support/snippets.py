"""The snippets of the documentation: what each is, and how it is held against the program.

A fence says what its snippet is:

| fence | what is done with it |
|---|---|
| `sh` with lines that begin with `$ ` | each is run in the page's shell; what follows it is what it prints |
| other `sh` | every line is run, and has to succeed |
| `python` | is a doctest when it has `>>> `, else executed; names of the SDK are there |
| `yaml` | is a whole pipeline that `penstock validate` accepts |
| `yaml` and one of `KINDS` | each of its paragraphs makes a valid pipeline in a frame of that kind |
| `json`, `ini` | is parsed |
| any with the name of a file | the file is written where the page's shell is |
| `yaml` of nodes alone | takes the place of these nodes in the pipeline that the page showed before |

`<!-- not run: REASON -->` before a fence is for what cannot be run here. `sh` then is still parsed: its programs,
commands and options exist. A file is still written. What follows `<!-- needs an engine -->` on the page is tested where
there is one.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

_FENCE = re.compile(r"^```(\w*) ?(.*)$")
_MARKER = re.compile(r"^<!-- not run: *(.*?) *-->$")
_ENGINE = "<!-- needs an engine -->"
_ITEM = re.compile(r"^  - (?:id: *|\{ *id: *)([\w-]+)")


@dataclass(frozen=True)
class Snippet:
    page: Path
    line: int  # of the opening fence
    section: str  # the heading above it
    language: str
    words: str  # what follows the language
    text: str
    not_run: str | None  # the marker's reason
    needs_engine: bool

    @property
    def file(self) -> str | None:
        """The name of the file that it is, if it is one."""
        return self.words if "." in self.words else None

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"


def read(page: Path) -> list[Snippet]:
    found: list[Snippet] = []
    section, marker, needs_engine = "", None, False
    lines = iter(enumerate(page.read_text(encoding="utf-8").splitlines(), start=1))
    for number, line in lines:
        if opening := _FENCE.match(line):
            inside: list[str] = []
            for _, inner in lines:
                if inner == "```":
                    break
                inside.append(inner)
            else:
                raise ValueError(f"{page.name}:{number}: the fence is never closed")
            text = "".join(f"{each}\n" for each in inside)
            found.append(Snippet(page, number, section, opening[1], opening[2].strip(), text, marker, needs_engine))
            marker = None
        elif heading := re.match(r"^#+ (.*)$", line):
            section, marker = heading[1], None
        elif told := _MARKER.match(line):
            marker = told[1]
        elif line == _ENGINE:
            needs_engine = True
        elif line.strip():
            marker = None
    return found


# --- YAML ---

_HEAD = "version: v1\nmetadata: {{name: frame}}\n"
_FRAMES = {
    "node": _HEAD + "nodes:\n  -\n{0}",
    "docker": _HEAD + "nodes:\n  - id: node\n    node_type: nodes.node:Node\n    docker:\n{1}{0}",
    # A node that is fed: sources are not restarted.
    "step": _HEAD
    + "connections: [{{from: source, to: node}}]\nnodes:\n  - {{id: source, node_type: media.source}}\n"
    + "  - id: node\n    node_type: nodes.node:Node\n{0}",
    "joined": _HEAD
    + "connections: [{{from: a, to: node, to_input: a}}, {{from: b, to: node, to_input: b}}]\n"
    + "nodes:\n  - {{id: a, node_type: media.source}}\n  - {{id: b, node_type: media.source}}\n"
    + "  - id: node\n    node_type: nodes.node:Node\n{0}",
    "edge": _HEAD
    + "nodes: [{{id: camera, node_type: 'nodes.a:A'}}, {{id: detect, node_type: 'nodes.b:B'}}]\n"
    + "connections:\n  -\n{0}",
    "session": _HEAD + "nodes: [{{id: a, node_type: 'nodes.a:A'}}]\nsession:\n{0}",
}
KINDS = frozenset(_FRAMES)


def framed(kind: str, fragment: str) -> str:
    """A manifest that is valid if the fragment is."""
    if not kind:
        return fragment
    python = "" if "python_version" in fragment else '      python_version: "3.11"\n'
    lines = "".join(f"      {line}\n" if kind == "docker" else f"    {line}\n" for line in fragment.splitlines())
    return _FRAMES[kind].format(lines, python)


def is_fragment(text: str) -> bool:
    """Whether these are nodes that take the places of others, as they stand in `nodes`."""
    return isinstance(yaml.safe_load(text), list)


def _items(text: str) -> Iterator[tuple[str | None, str]]:
    """Name and lines of each node; what is no node has no name."""
    name: str | None = None
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        item = _ITEM.match(line)
        if item or not line.startswith("   "):
            if lines:
                yield name, "".join(lines)
            name, lines = (item[1] if item else None), []
        lines.append(line)
    yield name, "".join(lines)


def merged(manifest: str, fragment: str) -> str:
    """The manifest with the nodes of the fragment in the places of those with their ids."""
    new = {name: text for name, text in _items(fragment) if name}
    old = list(_items(manifest))
    if unknown := set(new) - {name for name, _ in old}:
        raise ValueError(f"no node of the pipeline before is called {', '.join(sorted(unknown))}")
    return "".join(new.get(name, text) if name else text for name, text in old)


def manifests(page: Path) -> Iterator[tuple[Snippet, str, str]]:
    """Every pipeline that a page shows: snippet, kind and text. Of fragments each paragraph is one by itself."""
    last = ""
    for snippet in read(page):
        if snippet.language != "yaml" or snippet.not_run is not None:
            continue
        if snippet.words in KINDS:
            for part in snippet.text.split("\n\n"):
                yield snippet, snippet.words, framed(snippet.words, part)
        else:
            last = merged(last, snippet.text) if is_fragment(snippet.text) else snippet.text
            yield snippet, "", last


# The files that examples of manifests name, relative to the pipeline's folder.
_FILES = ("image/cuda.Dockerfile", "profile.json", "../models/m", "../private/settings.env", "../private/token.pem")
# What of an example not every host has, or not every user may have.
_HOST = re.compile(
    r"the device '/dev/\w+' of node 'node' does not exist$|'user' of node 'node' is 0, but only user \d+ can"
)


def run_verb(program: Path, verb: str, folder: Path, manifest: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Of a manifest in a folder with the files that examples name."""
    here = folder / "pipeline"
    for name in _FILES:
        file = here / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}" if file.suffix == ".json" else "", encoding="utf-8")
    secrets = folder / "config" / "penstock" / "secrets"
    secrets.mkdir(parents=True, exist_ok=True)
    (secrets / "api_key").write_text("k", encoding="utf-8")
    file = here / "pipeline.yaml"
    file.write_text(manifest, encoding="utf-8")
    folder.chmod(0o755)  # containers must be able to enter it
    environment = {"XDG_CONFIG_HOME": str(folder / "config"), "XDG_STATE_HOME": str(folder), "HOME": str(folder)}
    command: list[str | Path] = [program, verb, file, *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def problems(program: Path, folder: Path, manifest: str) -> list[str]:
    """What `validate` says of it, but for what only this host lacks."""
    done = run_verb(program, "validate", folder, manifest)
    errors = [line for line in done.stderr.splitlines() if not re.fullmatch(r"\d+ errors", line)]
    assert (done.returncode == 0) == (not errors), done.stdout + done.stderr
    return [line for line in errors if not _HOST.search(line)]


# --- what a command prints ---


def transcript(text: str) -> list[tuple[str, str]]:
    """Commands, and what is shown below each. Without prompts every line is a command that prints what it wants."""
    if "$ " not in {line[:2] for line in text.splitlines()}:
        return [(line, "…\n") for line in text.splitlines() if line and not line.startswith("#")]
    parts: list[tuple[str, str]] = []
    continued = False
    for line in text.splitlines():
        if line.startswith("$ "):
            parts.append((line[2:], ""))
        elif not parts:
            raise ValueError(f"'{line}' stands before the first command")
        elif continued:
            parts[-1] = (f"{parts[-1][0]}\n{line}", "")
        else:
            parts[-1] = (parts[-1][0], f"{parts[-1][1]}{line}\n")
        continued = (line.startswith("$ ") or continued) and line.endswith("\\")
    return parts


# What differs from run to run, also between equal ones.
_VARIES = (
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]"), ""),
    (re.compile(r"\b\d\d:\d\d(:\d\d(\.\d+)?)?Z?\b"), "TIME"),
    (re.compile(r"\b\d+(\.\d+)? ?(ns|µs|ms|s)\b"), "DURATION"),
    (re.compile(r"\b\d+(\.\d+)? of (?=\d)"), "SOME of "),  # what comes next is a limit
    (re.compile(r"(?<!of )\b\d+(\.\d+)? (kB|MB|GB|KiB|MiB|GiB)\b"), "SIZE"),
    (re.compile(r"\b(3\.\d+)\.\d+\b"), r"\1.N"),
    (re.compile(r"[ \t]+"), " "),  # columns are as wide as their widest cell
)
# UUIDs of version 7, whole or their beginning: those of a page stand for those of the run.
_ID = re.compile(r"\b01[0-9a-f]{6}(?:-[0-9a-f]{4}){0,3}(?:-[0-9a-f]{12})?\b")


def normal(line: str) -> str:
    for pattern, instead in _VARIES:
        line = pattern.sub(instead, line)
    return line.rstrip()


class Reading:
    """What a reader of a page has before him: ids that were printed are others than those that the page shows."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def typed(self, command: str) -> str:
        """The command with the reader's own ids."""
        return _ID.sub(lambda found: self._own(found[0]) or found[0], command)

    def _own(self, shown: str) -> str | None:
        """The id of the run that this one of the page, or the beginning of one, stands for."""
        return next((own[: len(shown)] for known, own in self._ids.items() if known.startswith(shown)), None)

    def difference(self, shown: str, printed: str) -> str | None:
        """None when this is what is shown; else what the first line is that was not printed, or is not shown.

        Times, sizes, ids and widths of columns may be others; `…` is any text, and alone on a line any lines.
        """
        text = "".join(f"{normal(line)}\n" for line in printed.splitlines())
        new = [found for found in dict.fromkeys(_ID.findall(shown)) if not self._own(found)]
        lines = [self._pattern(line, new) for line in shown.splitlines()]
        pattern = self._named("".join(lines), new)
        if whole := re.fullmatch(pattern, text):
            self._ids.update({found: whole[f"id{number}"] for number, found in enumerate(new)})
            return None
        for count in range(1, len(lines) + 1):
            if not re.match(self._named("".join(lines[:count]), new), text):
                return f"not printed: {shown.splitlines()[count - 1]}"
        return "more is printed than is shown"

    def _pattern(self, line: str, new: list[str]) -> str:
        if line.strip() == "…":
            return r"(?:[^\n]*\n)*?"
        known = _ID.sub(lambda found: self._own(found[0]) or f"\0{new.index(found[0])}\0", line)
        return "[^\n]*?".join(re.escape(part) for part in normal(known).split("…")) + r" ?\n"

    @staticmethod
    def _named(pattern: str, new: list[str]) -> str:
        """The first place of each new id says what it is, the others are the same."""
        for number, _ in enumerate(new):
            mark = re.escape(f"\0{number}\0")
            pattern = pattern.replace(mark, f"(?P<id{number}>[0-9a-f-]+)", 1).replace(mark, f"(?P=id{number})")
        return pattern
