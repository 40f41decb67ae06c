"""docs/manifest.schema.json is the loader's own, and another validator judges the corpus by it as the loader does."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from repository import ROOT

PENSTOCK = ROOT / "build" / "bin" / "penstock"
CORPUS = ROOT / "tests" / "manifests"
SCHEMA = json.loads((ROOT / "docs" / "manifest.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)

# What only the loader can know: syntax, keys given twice, names and references, grammars, what contradicts.
BEYOND = {
    "capabilities_beyond_what_json_holds.yaml",
    "columns_count_characters.yaml",
    "connections_given_twice.yaml",
    "contracts_that_contradict.yaml",
    "cycle.yaml",
    "cycle_of_many.yaml",
    "cycles.yaml",
    "docker_and_python.yaml",
    "duplicate_connection.yaml",
    "duplicate_id.yaml",
    "duplicate_key.json",
    "duplicate_key.yaml",
    "duplicate_keys_everywhere.yaml",
    "exclusive_containers_wait_for_nobody.yaml",
    "joins_of_one_input.yaml",
    "markers_of_packages.yaml",
    "native_in_docker.yaml",
    "native_nodes_are_no_python.yaml",
    "native_with_python.yaml",
    "no_source.yaml",
    "no_source_at_all.yaml",
    "null_keys.yaml",
    "package_twice.yaml",
    "packages_given_twice.yaml",
    "params_beyond_what_json_holds.yaml",
    "params_with_ambiguous_number.yaml",
    "references_to_nothing.yaml",
    "registered_without_modules.yaml",
    "retry_where_a_failure_ends_all.yaml",
    "self_loop.yaml",
    "unconnected_node.yaml",
    "unconnected_nodes.yaml",
    "unknown_node_in_connection.yaml",
    "versions_of_packages.yaml",
}


class Core(yaml.SafeLoader):
    """YAML 1.2's core schema, as the loader has it, rather than the 1.1 of PyYAML."""


Core.yaml_implicit_resolvers = {}
for _tag, _pattern in {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?(0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?",
    "merge": r"<<",
}.items():
    Core.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), None)


def _integer(loader: Core, node: yaml.ScalarNode) -> int | str:
    digits = node.value.lstrip("+-")
    return int(node.value, 0) if not re.fullmatch(r"0\d+", digits) else str(node.value)


def _fraction(loader: Core, node: yaml.ScalarNode) -> float | str:
    return str(node.value) if re.fullmatch(r"[-+]?0\d+", node.value) else float(node.value)


Core.add_constructor("tag:yaml.org,2002:int", _integer)
Core.add_constructor("tag:yaml.org,2002:float", _fraction)


def names(folder: str) -> list[str]:
    return sorted(path.name for path in (CORPUS / folder).iterdir() if path.suffix in (".yaml", ".json"))


def read(path: Path) -> Any:
    text = path.read_text(encoding="utf-8-sig")
    return json.loads(text) if path.suffix == ".json" else yaml.load(text, Core)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.skipif(not PENSTOCK.exists(), reason="build/bin/penstock is not part of the build yet")
def test_the_file_is_what_the_program_prints() -> None:
    printed = subprocess.run([PENSTOCK, "schema"], capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == SCHEMA, "write it anew: build/bin/penstock schema > docs/manifest.schema.json"


def test_the_corpus_is_large() -> None:
    assert len(names("good")) >= 60
    assert len(names("bad")) >= 120


@pytest.mark.parametrize("name", names("good"))
def test_good_manifests_are_good_by_the_schema(name: str) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(read(CORPUS / "good" / name))] == []


@pytest.mark.parametrize("name", names("bad"))
def test_bad_manifests_are_bad_by_the_schema_where_it_can_know(name: str) -> None:
    try:
        valid = VALIDATOR.is_valid(read(CORPUS / "bad" / name))
    except (yaml.YAMLError, ValueError):
        valid = False
    assert valid == (name in BEYOND)
