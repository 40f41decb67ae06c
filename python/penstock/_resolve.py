"""From a manifest's `node_type` to a class."""

from __future__ import annotations

import difflib
import importlib
from pathlib import Path
from typing import Any

from penstock._errors import NodeError
from penstock._node import Node, registry


def resolve(node_type: str, modules: list[str], code: str) -> type[Node]:
    """The class of `module:Class`, or the one registered as `node_type` by one of `modules`.

    Errors: whatever the import raises, unchanged; NodeError when there is no such class or it is not a node.
    """
    module_name, colon, class_name = node_type.partition(":")
    if not colon:
        return _registered(node_type, modules, code)
    module = _import(module_name, code)
    cls: Any = module
    for part in class_name.split("."):
        cls = getattr(cls, part, None)
        if cls is None:
            raise NodeError(
                f"module {module_name!r} ({module.__file__}) has no {class_name!r}"
                f"{_nearest(class_name, _nodes_of(module))}"
            )
    if not (isinstance(cls, type) and issubclass(cls, Node)):
        raise NodeError(f"{node_type} is not a subclass of penstock.Node{_nearest(class_name, _nodes_of(module))}")
    return cls


def _registered(name: str, modules: list[str], code: str) -> type[Node]:
    for module in modules:
        _import(module, code)
    if name not in registry:
        listed = (
            f"the manifest's modules ({', '.join(modules)})"
            if modules
            else "any module: the manifest lists none under `modules`"
        )
        raise NodeError(f"no node is registered as {name!r} by {listed}{_nearest(name, list(registry))}")
    return registry[name]


def _import(name: str, code: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise
        path = f"{Path(code, *name.split('.'))}.py"
        error.msg = f"there is no module {name!r}: no file {path}"
        error.args = (error.msg,)
        error.penstock_explained = True  # type: ignore[attr-defined]  # not a missing package
        raise


def _nodes_of(module: Any) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Node) and value is not Node
    ]


def _nearest(name: str, candidates: list[str]) -> str:
    if not candidates:
        return ""
    near = difflib.get_close_matches(name, candidates, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; there is {', '.join(map(repr, sorted(candidates)))}"
