"""docs/manifest.md is the manifest as it is read: its keys, bounds, defaults and examples are those of the code."""

from __future__ import annotations

import array
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import penstock
import pytest
from penstock import testing
from repository import ROOT, SOURCE

PAGE = (ROOT / "docs" / "manifest.md").read_text(encoding="utf-8")
PENSTOCK = ROOT / "build" / "bin" / "penstock"
needs_penstock = pytest.mark.skipif(not PENSTOCK.exists(), reason="build/bin/penstock is not part of the build yet")

# Which heading has the table of which of the reader's tables, by the function that holds it.
HEADINGS = {
    "DocumentFields": "The top",
    "MetadataType": "metadata",
    "NodeType": "A node",
    "RetryType": "retry",
    "JoinType": "join",
    "Package": "A package",
    "DockerFields": "docker",
    "BuildType": "build",
    "LimitFields": "resource_limits",
    "SecretType": "Variables and secrets",
    "VolumeType": "A volume",
    "SecurityType": "security",
    "ConnectionType": "A connection",
    "SessionType": "session",
}

FUNCTION = re.compile(r"^auto (\w+)\(\) -> [^\n]*\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"kFields\{(.*?)\};", re.DOTALL)
FIELD = re.compile(
    r"(?P<alias>AsAlias\()?(?P<kind>Required|Optional|WithoutEffect<\w+>)\(\s*\"(?P<name>\w+)\""
    r"|FlatLimit\(LimitFields\(\)\[(?P<flat>\d+)\]\)"
    r"|^\s*\{\"(?P<bare>\w+)\",",
    re.MULTILINE,
)
# As the reader's source is formatted.
SAMPLE = """
auto LimitFields() -> Fields {
  static const std::array<Field<Limits>, 1> kFields{Optional("memory_mb", Integer(1, 2), &Limits::memory_mb)};
  return kFields;
}

auto DockerFields() -> Fields {
  static const std::vector<Field<Docker>> kFields{
      Required(
          "id", Text(), &Docker::id),
      {"limits",
       [](Docker& docker) { Read(LimitFields(), docker); }},
      FlatLimit(LimitFields()[0]),
      WithoutEffect<Docker>("host", Text()),
      AsAlias(Optional("env_vars", Environment(), &Docker::env)),
  };
  return kFields;
}
"""
CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Key:
    name: str
    required: bool = False
    refused: bool = False
    alias: bool = False


def tables_of(text: str) -> dict[str, list[Key]]:
    """The reader's tables in C++ source, by the functions that hold them."""
    tables: dict[str, list[Key]] = {}
    for function, body in FUNCTION.findall(text):
        for table in TABLE.findall(body):
            keys = tables.setdefault(function, [])
            for field in FIELD.finditer(table):
                kind = field["kind"] or ""
                name = field["name"] or field["bare"] or tables["LimitFields"][int(field["flat"])].name
                alias = bool(field["alias"] or field["flat"])
                keys.append(Key(name, kind.endswith("Required"), kind.startswith("WithoutEffect"), alias))
    return tables


def reader_source() -> str:
    files = sorted((SOURCE / "manifest").glob("*.cpp"))
    return "\n".join(file.read_text(encoding="utf-8") for file in files if not file.name.endswith("_test.cpp"))


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


TABLES = tables_of(reader_source())


def test_the_tables_of_the_reader_are_recognised() -> None:
    assert tables_of(SAMPLE)["DockerFields"] == [
        Key("id", required=True),
        Key("limits"),
        Key("memory_mb", alias=True),
        Key("host", refused=True),
        Key("env_vars", alias=True),
    ]


def test_no_key_of_the_reader_is_outside_its_tables() -> None:
    source = reader_source()
    everywhere = [field["name"] for field in FIELD.finditer(source) if field["name"]]
    bodies = [body for _, body in FUNCTION.findall(source)]
    in_tables = [field["name"] for body in bodies for table in TABLE.findall(body) for field in FIELD.finditer(table)]
    assert sorted(everywhere) == sorted(filter(None, in_tables))
    assert len(everywhere) > 60


def test_every_table_of_the_reader_has_a_heading() -> None:
    assert set(TABLES) == set(HEADINGS)


@pytest.mark.parametrize("function", HEADINGS)
def test_the_keys_of_a_table_are_those_that_are_read(function: str) -> None:
    read = {key.name: key.required for key in TABLES[function] if not key.refused and not key.alias}
    assert {key: row[2] == "required" for key, row in keys_below(HEADINGS[function]).items()} == read


def test_the_keys_that_are_refused_are_those_without_effect() -> None:
    listed = {(row[0], row[1].strip("`")) for row in rows("Keys that are refused") if CODE.fullmatch(row[1])}
    assert listed == {
        (heading[:1].lower() + heading[1:], key.name)
        for function, heading in HEADINGS.items()
        for key in TABLES[function]
        if key.refused
    }


def test_the_flat_spelling_is_that_which_is_understood() -> None:
    listed = {row[0].strip("`") for row in rows("The flat spelling") if CODE.fullmatch(row[0])}
    assert listed == {key.name for keys in TABLES.values() for key in keys if key.alias}


def test_every_word_that_a_key_may_have_is_named() -> None:
    choices = re.findall(r"OneOf<\w+>\(\s*\{(.*?)\}\)", reader_source(), re.DOTALL)
    words = {word for choice in choices for word in re.findall(r"\{\"(\w+)\",", choice)}
    assert {"drop_oldest", "cpython_wasm", "exclusive", "bridge", "skip", "time"} <= words
    assert words <= set(CODE.findall(PAGE))


def test_the_parameters_of_native_nodes_are_those_that_are_read() -> None:
    nodes = SOURCE / "nodes"
    source = (nodes / "media" / "source_params.h").read_text(encoding="utf-8")
    read = {key for name in re.findall(r'\.name = "([\w.]+)"', source) for key in name.split(".")}
    for sink in sorted((nodes / "sinks").glob("*_sink.cpp")):
        read |= set(re.findall(r'reader\.(?:Required|Optional)<[^>]*>\("(\w+)"', sink.read_text(encoding="utf-8")))
    assert set(keys_below("Parameters of the native nodes")) == read


# --- what the program itself says ---

HEAD = "version: v1\nmetadata: {{name: frame}}\n"
FRAMES = {
    "node": HEAD + "nodes:\n  -\n{0}",
    "docker": HEAD + "nodes:\n  - id: node\n    node_type: nodes.node:Node\n    docker:\n{1}{0}",
    # A node that is fed: sources are not restarted.
    "step": HEAD
    + "connections: [{{from: source, to: node}}]\nnodes:\n  - {{id: source, node_type: media.source}}\n"
    + "  - id: node\n    node_type: nodes.node:Node\n{0}",
    "joined": HEAD
    + "connections: [{{from: a, to: node, to_input: a}}, {{from: b, to: node, to_input: b}}]\n"
    + "nodes:\n  - {{id: a, node_type: media.source}}\n  - {{id: b, node_type: media.source}}\n"
    + "  - id: node\n    node_type: nodes.node:Node\n{0}",
    "edge": HEAD
    + "nodes: [{{id: camera, node_type: 'nodes.a:A'}}, {{id: detect, node_type: 'nodes.b:B'}}]\n"
    + "connections:\n  -\n{0}",
    "session": HEAD + "nodes: [{{id: a, node_type: 'nodes.a:A'}}]\nsession:\n{0}",
}
FILES = ("image/cuda.Dockerfile", "profile.json", "../models/m", "../private/settings.env", "../private/token.pem")
# What of an example not every host has, or not every user may have.
HOST = re.compile(
    r"the device '/dev/\w+' of node 'node' does not exist$|'user' of node 'node' is 0, but only user \d+ can"
)


def framed(kind: str, fragment: str) -> str:
    """A manifest that is valid if the fragment is."""
    if not kind:
        return fragment
    python = "" if "python_version" in fragment else '      python_version: "3.11"\n'
    lines = "".join(f"      {line}\n" if kind == "docker" else f"    {line}\n" for line in fragment.splitlines())
    return FRAMES[kind].format(lines, python)


def examples() -> list[tuple[str, str]]:
    """Kind and text: whole manifests have none; of fragments each paragraph is one by itself."""
    found = re.findall(r"^```yaml ?(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [(kind, part) for kind, text in found for part in (text.split("\n\n") if kind else [text])]


def run(verb: str, folder: Path, manifest: str, *options: str) -> subprocess.CompletedProcess[str]:
    here = folder / "pipeline"
    for name in FILES:
        file = here / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}" if file.suffix == ".json" else "", encoding="utf-8")
    secrets = folder / "config" / "penstock" / "secrets"
    secrets.mkdir(parents=True, exist_ok=True)
    (secrets / "api_key").write_text("k", encoding="utf-8")
    file = here / "pipeline.yaml"
    file.write_text(manifest, encoding="utf-8")
    environment = {"XDG_CONFIG_HOME": str(folder / "config"), "XDG_STATE_HOME": str(folder), "HOME": str(folder)}
    command: list[str | Path] = [PENSTOCK, verb, file, *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def problems(folder: Path, manifest: str) -> list[str]:
    done = run("validate", folder, manifest)
    errors = [line for line in done.stderr.splitlines() if not re.fullmatch(r"\d+ errors", line)]
    assert (done.returncode == 0) == (not errors), done.stdout + done.stderr
    return errors


def test_the_page_has_examples_of_every_kind() -> None:
    assert {"", "node", "docker", "step", "joined", "edge"} == {kind for kind, _ in examples()}
    assert (PAGE.count("```yaml") + PAGE.count("```python")) * 2 == PAGE.count("```")


def test_the_node_that_joins_does() -> None:
    names: dict[str, Any] = {"penstock": penstock, "Audio": penstock.Audio, "Json": penstock.Json}
    code = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(code) == 1
    exec(code[0], names)
    samples = array.array("f", [0.0] * 320)
    sound = penstock.Audio(memoryview(samples).cast("B").cast("f", [320, 1]), 16000, time=40_000_000)
    inputs = [("audio", sound), ("speaker", penstock.Json("Ada", time=50_000_000))]
    out = testing.run(names["Attribution"], inputs, join=20_000_000)
    assert [(message.value, message.time) for message in out if isinstance(message, penstock.Json)] == [
        ({"speaker": "Ada", "frames": 320}, 40_000_000)
    ]


@needs_penstock
@pytest.mark.parametrize(("kind", "text"), examples())
def test_examples_are_valid(tmp_path: Path, kind: str, text: str) -> None:
    assert [line for line in problems(tmp_path, framed(kind, text)) if not HOST.search(line)] == []


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
        return "\n".join(problems(tmp_path, framed(kind, place.format(key, value))))

    below = str(int(least) - 1) if least.isdigit() else "0"
    assert f"'{key}' is {below}; the least is {least}" in told(below)
    assert f"'{key}' is {int(most) + 1}; the most is {most}" in told(str(int(most) + 1))


@needs_penstock
def test_defaults_are_those_of_a_plan(tmp_path: Path) -> None:
    connection = framed("step", "on_failure: restart\ndocker: {python_version: '3.11'}")
    joins = json.loads(run("plan", tmp_path, framed("joined", "join: {on: time}"), "--json").stdout)["nodes"][2]["join"]
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
