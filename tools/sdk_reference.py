#!/usr/bin/env python3
"""Writes docs/sdk.md from the docstrings of the Python SDK.

tests/house/test_sdk_doc.py holds the page against what this gives, and runs its examples.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "python" / "penstock"
PAGE = ROOT / "docs" / "sdk.md"

HEAD = """\
<!-- Written by tools/sdk_reference.py from the docstrings in python/penstock. Change those, and run it. -->

# The Python SDK

"""
TAIL = """\
The examples below leave out `import penstock`, and `from penstock import` of what they use.
"""

# Headings, and below each the names that it explains: module and name, as users import them.
SECTIONS: dict[str, list[tuple[str, str]]] = {
    "Nodes": [("_node", "Node"), ("_node", "node")],
    "Timers": [("_timers", "every")],
    "Messages": [
        ("_message", "Message"),
        ("_media", "ArrayMessage"),
        ("_media", "Audio"),
        ("_media", "Image"),
        ("_media", "Tensor"),
        ("_message", "Text"),
        ("_message", "Json"),
        ("_message", "Bytes"),
    ],
    "Which message is handled": [("_current", "current"), ("_current", "Current")],
    "Tests of nodes": [
        ("testing", "run"),
        ("testing", "Outputs"),
        ("_fake_time", "wait"),
        ("_fake_time", "Wait"),
        ("_fake_time", "Clock"),
    ],
    "Errors": [
        ("_errors", "PenstockError"),
        ("_errors", "NodeError"),
        ("_errors", "PortError"),
        ("_errors", "MemoryQuotaError"),
    ],
}
# Modules whose names are written with another one before.
PREFIXES = {"testing": "testing.", "_fake_time": "testing."}
# What has no name of its own for users.
HEADINGS = {"ArrayMessage": "Audio, Image and Tensor"}

Documented = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def page() -> str:
    """What docs/sdk.md has to be."""
    parts = [HEAD, markdown(module_docstring()), "\n", TAIL]
    for heading, names in SECTIONS.items():
        parts.append(f"\n## {heading}\n")
        for module, name in names:
            parts.append(entry(PREFIXES.get(module, "penstock."), definition(module, name)))
    return "".join(parts)


def module_docstring() -> str:
    return ast.get_docstring(parse("__init__")) or ""


def parse(module: str) -> ast.Module:
    return ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))


def definition(module: str, name: str) -> Documented:
    """Of a class or function at the top of a module. LookupError when it is not there."""
    for node in parse(module).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == name:
            return node
    raise LookupError(f"penstock.{module} has no {name}: change SECTIONS")


def entry(prefix: str, node: Documented) -> str:
    """A class with its members, or a function."""
    if not isinstance(node, ast.ClassDef):
        return f"\n### `{prefix}{node.name}{signature(node)}`\n\n{markdown(docstring(node))}"
    made = next((each for each in methods(node) if each.name == "__init__"), None)
    heading = f"`{prefix}{node.name}{signature(made, skip=1) if made else ''}`"
    parts = [f"\n### {HEADINGS.get(node.name, heading)}\n\n{markdown(docstring(node))}"]
    rows = [*attributes(node), *members(node)]
    if rows:
        parts.append("\n| member | |\n|---|---|\n" + "".join(f"| `{name}` | {text} |\n" for name, text in rows))
    return "".join(parts)


def methods(node: ast.ClassDef) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (each for each in node.body if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)))


def members(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Public methods and properties, with their docstrings on one line."""
    for each in methods(node):
        if each.name.startswith("_"):
            continue
        is_property = any(isinstance(d, ast.Name) and d.id == "property" for d in each.decorator_list)
        yield each.name + ("" if is_property else signature(each, skip=1)), one_line(docstring(each))


def attributes(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Attributes that have a docstring below them, also those of `__init__`."""
    bodies = [node.body, *(each.body for each in methods(node) if each.name == "__init__")]
    for body in bodies:
        for attribute, text in zip(body, body[1:]):
            name = assigned(attribute)
            if (
                name
                and not name.startswith("_")
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
            ):
                yield name, one_line(str(text.value.value))


def assigned(node: ast.stmt) -> str | None:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    target = targets[0] if targets else None
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else None


def docstring(node: Documented) -> str:
    text = ast.get_docstring(node)
    if text is None:
        raise LookupError(f"{node.name} has no docstring (line {node.lineno})")
    return text


def signature(node: ast.FunctionDef | ast.AsyncFunctionDef, skip: int = 0) -> str:
    arguments = node.args
    arguments.args = arguments.args[skip:]
    returned = f" -> {ast.unparse(node.returns)}" if node.returns is not None and node.name != "__init__" else ""
    return f"({ast.unparse(arguments)}){returned}".replace("|", "\\|")


def one_line(text: str) -> str:
    """Without examples, which a table has no room for."""
    prose = re.split(r"^ *>>> ", text, maxsplit=1, flags=re.MULTILINE)[0]
    return " ".join(prose.split()).replace("|", "\\|")


def markdown(text: str) -> str:
    """A docstring: its examples become blocks of code, each up to the next empty line."""
    lines, in_code = [], False
    for line in [*text.splitlines(), ""]:
        if line.startswith(">>> ") and not in_code:
            lines.append("```python")
            in_code = True
        elif not line and in_code:
            lines.append("```")
            in_code = False
        lines.append(line)
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}", file=sys.stderr)
