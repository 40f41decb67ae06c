"""Annotations of handlers as message types."""

from __future__ import annotations

import collections.abc
import inspect
import sys
import typing
from typing import Any, Callable, Optional

from penstock._errors import NodeError
from penstock._messages import Message

Types = Optional[frozenset[type[Message]]]  # None: any

_ITERABLES = (
    collections.abc.Iterator, collections.abc.Iterable, collections.abc.Generator, collections.abc.Sequence,
    collections.abc.AsyncIterator, collections.abc.AsyncIterable, collections.abc.AsyncGenerator, list, tuple,
)  # fmt: skip


def returned_types(annotation: Any, where: str) -> Types:
    if annotation is None or annotation is type(None):
        return frozenset()
    origin = typing.get_origin(annotation)
    if origin is typing.Union or _is_new_union(annotation):
        parts = [returned_types(part, where) for part in typing.get_args(annotation)]
        return None if any(part is None for part in parts) else frozenset().union(*(part for part in parts if part))
    if origin in _ITERABLES:
        arguments = typing.get_args(annotation)
        if not arguments:
            return None
        used = arguments[:1] if origin is not tuple else [part for part in arguments if part is not Ellipsis]
        parts = [returned_types(part, where) for part in used]
        return None if any(part is None for part in parts) else frozenset().union(*(part for part in parts if part))
    return message_types(annotation, where)


def message_types(annotation: Any, where: str) -> Types:
    """Any, no annotation and Message itself mean: any type."""
    if annotation in (inspect.Parameter.empty, Any, Message, object) or annotation in _ITERABLES:
        return None
    if isinstance(annotation, type) and issubclass(annotation, Message):
        return frozenset([annotation])
    if typing.get_origin(annotation) is typing.Union or _is_new_union(annotation):
        types: set[type[Message]] = set()
        for part in typing.get_args(annotation):
            if part is type(None):
                continue
            inner = message_types(part, where)
            if inner is None:
                return None
            types |= inner
        return frozenset(types)
    name = getattr(annotation, "__name__", annotation)
    raise NodeError(f"{where} is {name}, which is not a message type; use Audio, Image, Tensor, Text, Json or Bytes")


def _is_new_union(annotation: Any) -> bool:
    if sys.version_info >= (3, 10):
        import types

        return isinstance(annotation, types.UnionType)
    return False


def evaluate(annotation: Any, function: Callable[..., Any]) -> Any:
    """A string annotation's value. One that cannot be evaluated here (names under TYPE_CHECKING) means: any type.

    `A | B` is understood on Python 3.9 too, where only the string can be written.
    """
    if not isinstance(annotation, str):
        return annotation
    names = {**vars(typing), **getattr(function, "__globals__", {})}
    try:
        return eval(annotation, names)
    except TypeError:
        pass
    except Exception:
        return inspect.Parameter.empty
    return _evaluate_union(annotation, names)


def _evaluate_union(annotation: str, names: dict[str, Any]) -> Any:
    try:
        parts: tuple[Any, ...] = tuple(eval(part, names) for part in annotation.split("|"))
        return typing.Union[parts]
    except Exception:
        return inspect.Parameter.empty
