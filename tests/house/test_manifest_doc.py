"""docs/manifest.md is the manifest as it is read: its keys, bounds, defaults and examples are those of the code."""

from __future__ import annotations

import array
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import penstock
import pytest
import snippets
from penstock import testing
from repository import ROOT

FILE = ROOT / "docs" / "manifest.md"
PAGE = FILE.read_text(encoding="utf-8")
PENSTOCK = ROOT / "build" / "bin" / "penstock"
needs_penstock = pytest.mark.skipif(not PENSTOCK.exists(), reason="build/bin/penstock is not part of the build yet")

SCHEMA = json.loads((ROOT / "docs" / "manifest.schema.json").read_text(encoding="utf-8"))

# Which heading has the table of which mapping, by the title that it has in the schema.
HEADINGS = {
    "the manifest": "The top",
    "'metadata'": "metadata",
    "a node": "A node",
    "'retry'": "retry",
    "'join'": "join",
    "a package": "A package",
    "'docker'": "docker",
    "a build": "build",
    "'resource_limits'": "resource_limits",
    "a secret": "Variables and secrets",
    "a volume": "A volume",
    "'security'": "security",
    "a connection": "A connection",
    "'session'": "session",
}

CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Key:
    name: str
    schema: dict[str, Any]
    required: bool

    @property
    def refused(self) -> bool:
        return "not" in self.schema

    @property
    def alias(self) -> bool:
        return "deprecated" in self.schema


def walk(schema: Any) -> Iterator[dict[str, Any]]:
    """The schema and all within it."""
    if isinstance(schema, dict):
        yield schema
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else []:
        yield from walk(inner)


def tables() -> dict[str, list[Key]]:
    """The keys of each mapping, by its title."""
    found: dict[str, list[Key]] = {}
    for schema in walk(SCHEMA):
        if "properties" in schema:
            required = schema.get("required", [])
            keys = [Key(name, inner, name in required) for name, inner in schema["properties"].items()]
            found[schema["title"]] = keys
    return found


def rows(heading: str) -> list[list[str]]:
    """The cells of all tables below a heading of the page, without heads and rules."""
    section = re.search(rf"^##+ `?{re.escape(heading)}`?\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section, f"docs/manifest.md has no heading '{heading}'"
    lines = [line for line in section[1].splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def keys_below(heading: str) -> dict[str, list[str]]:
    """Rows of the five columns `key | type | default | bounds | what it does`, by key."""
    found = [row for row in rows(heading) if len(row) == 5 and CODE.fullmatch(row[0])]
    keys = {row[0].strip("`"): row for row in found}
    assert len(keys) == len(found), f"'{heading}' has a key twice"
    return keys


TABLES = tables()


def test_every_mapping_has_a_heading() -> None:
    assert set(TABLES) == set(HEADINGS)


@pytest.mark.parametrize("title", HEADINGS)
def test_the_keys_of_a_table_are_those_that_are_read(title: str) -> None:
    read = {key.name: key.required for key in TABLES[title] if not key.refused and not key.alias}
    assert {key: row[2] == "required" for key, row in keys_below(HEADINGS[title]).items()} == read


@pytest.mark.parametrize("title", HEADINGS)
def test_the_types_and_bounds_of_a_table_are_those_that_are_read(title: str) -> None:
    words = {"integer": "whole number", "number": "number", "boolean": "true or false", "array": "list"}
    documented = keys_below(HEADINGS[title])
    for key in TABLES[title]:
        kind = key.schema.get("type")
        if key.refused or key.alias or not isinstance(kind, str) or kind not in words:
            continue
        row = documented[key.name]
        assert row[1].startswith(words[kind]), key.name
        if kind in ("integer", "number"):
            assert row[3].startswith(f"{key.schema['minimum']} to {key.schema['maximum']}") or "host" in row[3], (
                key.name
            )


def test_the_keys_that_are_refused_are_those_without_effect() -> None:
    listed = {(row[0], row[1].strip("`")) for row in rows("Keys that are refused") if CODE.fullmatch(row[1])}
    assert listed == {
        (heading[:1].lower() + heading[1:], key.name)
        for title, heading in HEADINGS.items()
        for key in TABLES[title]
        if key.refused
    }


def test_the_flat_spelling_is_that_which_is_understood() -> None:
    listed = {row[0].strip("`") for row in rows("The flat spelling") if CODE.fullmatch(row[0])}
    assert listed == {key.name for keys in TABLES.values() for key in keys if key.alias}


def test_every_word_that_a_key_may_have_is_named() -> None:
    words = {word for schema in walk(SCHEMA) for word in schema.get("enum", ())}
    assert {"drop_oldest", "cpython_wasm", "exclusive", "bridge", "skip", "time"} <= words
    assert words <= set(CODE.findall(PAGE))


# --- what native nodes declare ---


def of_native_nodes() -> dict[str, str]:
    """The heading of each native node."""
    section = PAGE[PAGE.index("\n## Parameters of the native nodes\n") :]
    headings = re.findall(r"^### (.*`.*)$", section, re.MULTILINE)
    return {name: heading for heading in headings for name in CODE.findall(heading)}


@needs_penstock
def test_every_native_node_is_on_the_page_with_its_parameters() -> None:
    listed = json.loads(subprocess.run([PENSTOCK, "nodes", "--json"], capture_output=True, check=True).stdout)["nodes"]
    pages = of_native_nodes()
    assert set(pages) == {node["name"] for node in listed}
    for node in listed:
        documented = keys_below(pages[node["name"]])
        declared = {param["name"].rpartition(".")[2]: param for param in node["params"]}
        mappings = {param["name"].partition(".")[0] for param in node["params"] if "." in param["name"]}
        assert set(documented) == set(declared) | mappings, node["name"]
        for key, param in declared.items():
            kind, default = documented[key][1:3]
            assert kind.partition(",")[0].replace("list of text", "list of texts") == param["type"], (node["name"], key)
            assert (default == "required") == (param["otherwise"] is None), (node["name"], key)


# --- what the program itself says ---


def run(verb: str, folder: Path, manifest: str, *options: str) -> subprocess.CompletedProcess[str]:
    return snippets.run_verb(PENSTOCK, verb, folder, manifest, *options)


def test_the_page_has_examples_of_every_kind() -> None:
    """Each is a test of its own in tests/docs."""
    assert {"", "node", "docker", "step", "joined", "edge"} == {kind for _, kind, _ in snippets.manifests(FILE)}


def test_the_node_that_joins_does() -> None:
    names: dict[str, Any] = {name: getattr(penstock, name) for name in penstock.__all__} | {"penstock": penstock}
    for snippet in snippets.read(FILE):
        if snippet.language == "python" and "class Attribution" in snippet.text:
            exec(snippet.text, names)
    samples = array.array("f", [0.0] * 320)
    sound = penstock.Audio(memoryview(samples).cast("B").cast("f", [320, 1]), 16000, time=40_000_000)
    inputs = [("audio", sound), ("speaker", penstock.Json("Ada", time=50_000_000))]
    out = testing.run(names["Attribution"], inputs, join=20_000_000)
    assert [(message.value, message.time) for message in out if isinstance(message, penstock.Json)] == [
        ({"speaker": "Ada", "frames": 320}, 40_000_000)
    ]


def bounded() -> list[tuple[str, str, str, str, str]]:
    """Kind of frame, key, how it stands in the frame, least and most: of rows whose bounds are two numbers."""
    places = {
        "retry": ("step", "retry: {{{}: {}}}"),
        "docker": ("docker", "{}: {}"),
        "resource_limits": ("docker", "resource_limits: {{{}: {}}}"),
        "A connection": ("edge", "from: camera\nto: detect\n{}: {}"),
        "session": ("session", "{}: {}"),
    }
    found = []
    for heading, (kind, place) in places.items():
        for key, row in keys_below(heading).items():
            if (bounds := re.fullmatch(r"([\d.]+) to (\d+)", row[3])) and "number" in row[1]:
                found.append((kind, key, place, bounds[1], bounds[2]))
    return found


def test_the_page_has_bounds() -> None:
    assert len(bounded()) == 12


@needs_penstock
@pytest.mark.parametrize(("kind", "key", "place", "least", "most"), bounded())
def test_bounds_are_those_that_are_checked(
    tmp_path: Path, kind: str, key: str, place: str, least: str, most: str
) -> None:
    def told(value: str) -> str:
        return "\n".join(snippets.problems(PENSTOCK, tmp_path, snippets.framed(kind, place.format(key, value))))

    below = str(int(least) - 1) if least.isdigit() else "0"
    assert f"'{key}' is {below}; the least is {least}" in told(below)
    assert f"'{key}' is {int(most) + 1}; the most is {most}" in told(str(int(most) + 1))


@needs_penstock
def test_defaults_are_those_of_a_plan(tmp_path: Path) -> None:
    connection = snippets.framed("step", "on_failure: restart\ndocker: {python_version: '3.11'}")
    joins = json.loads(run("plan", tmp_path, snippets.framed("joined", "join: {on: time}"), "--json").stdout)["nodes"][
        2
    ]["join"]
    done = run("plan", tmp_path, connection, "--json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    node, edge = plan["nodes"][1], plan["edges"][0]
    container = node["container"]
    megabyte = 1024 * 1024
    defaults = {
        "A node": {"start_timeout": seconds(node["start_timeout"])},
        "retry": {**node["restart"], **{key: seconds(node["restart"][key]) for key in ("backoff", "window")}},
        "join": {"tolerance": f"{joins['tolerance']:g} s"},
        "resource_limits": {key: f"{value:g}" for key, value in container["limits"].items()},
        "docker": {
            "tmpfs_mb": container["rights"]["tmpfs_mb"],
            "shm_size_mb": container["rights"]["shm_size_mb"],
            "network": f"`{container['rights']['network']}`",
            "sharing": f"`{container['sharing']}`",
            "keep_warm": seconds(container["keep_warm"]),
            "max_sessions_per_container": container["max_sessions"],
        },
        "security": {"read_only_root": str(container["rights"]["read_only_root"]).lower()},
        "A connection": {
            "policy": f"`{edge['policy']}`",
            "depth": edge["depth"],
            "max_held": edge["max_held"],
            "max_message_bytes": f"{plan['outputs'][0]['max_message_bytes'] // megabyte} MiB",
        },
        "session": {
            "start_timeout": seconds(plan["start_timeout"]),
            "shm_quota_mb": plan["shm_quota_bytes"] // megabyte,
        },
    }
    for heading, values in defaults.items():
        documented = keys_below(heading)
        for key, value in values.items():
            assert re.match(rf"{re.escape(str(value))}(?![\w.])", documented[key][2]), f"{heading}: {key} is {value}"


def seconds(value: float) -> str:
    return f"{value:g} s" if value >= 1 else f"{value * 1000:g} ms"
