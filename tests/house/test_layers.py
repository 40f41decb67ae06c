"""Modules depend on each other in one direction only: that of the table in ARCHITECTURE.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from repository import ROOT, SOURCE, Module, includes, modules, parse_modules, reach, relative, tracked

SOURCES = tracked("src/*.h", "src/*.cpp", "src/*.c")


def module_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0]


def test_the_table_names_every_module_in_the_order_of_the_build() -> None:
    build = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    built = re.search(r"foreach\(module ([\w ]+)\)", build)
    assert built is not None
    assert [module.name for module in modules()] == built.group(1).split()
    assert {module_of(path) for path in SOURCES} <= {module.name for module in modules()}


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_includes_go_up_the_table_only(path: Path) -> None:
    allowed = reach(modules())[module_of(path)]
    for include in includes(path.read_text(encoding="utf-8")):
        assert (SOURCE / include).is_file(), f'"{include}" is not a path below src/; use <> for other libraries'
        assert module_of(SOURCE / include) in allowed, f"{module_of(path)} may not depend on {include}"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_namespaces_mirror_folders(path: Path) -> None:
    # What tests share may stand in a folder of its own, in the namespace of what it tests or in one below it.
    folders = [part for part in path.relative_to(SOURCE).parts[:-1] if part != "testing"]
    expected = "::".join(("penstock", *folders))
    opened = set(re.findall(r"^\s*namespace (penstock[\w:]*)", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert opened <= {expected, f"{expected}::testing"}


def test_dependencies_are_closed_over_rows() -> None:
    table = "| `src/a` | x | nothing |\n| `src/b` | x | a |\n| `src/c` | x | b |\n| `src/d` | x | all above |\n"
    assert reach(parse_modules(table)) == {
        "a": {"a"},
        "b": {"a", "b"},
        "c": {"a", "b", "c"},
        "d": {"a", "b", "c", "d"},
    }
    assert parse_modules(table)[2] == Module("c", ("b",))


def test_a_row_cannot_name_a_module_below_it() -> None:
    with pytest.raises(ValueError, match="src/a may include b"):
        parse_modules("| `src/a` | x | b |\n| `src/b` | x | nothing |\n")
