"""What a node class says about restarts: `checkpoint` and `restore`, and how a source goes on."""

from __future__ import annotations

import inspect
import json
from typing import Any, Callable, Optional, Protocol

from penstock._errors import NodeError
from penstock._json import to_json
from penstock._node import Node
from penstock._ports import NodePorts

BYTES, JSON = 0, 1  # formats of what is kept

_HOW_A_SOURCE_GOES_ON = (
    "{node} ({cls}) is a source with 'on_failure: restart' (or 'retry'), and does not say how it goes on in a new "
    "worker. Say one of three. Define checkpoint(self) and restore(self, state): it goes on from the state that it had "
    "when it last yielded. Or set the class attribute `replayable = True`: it starts from its beginning and gives the "
    "same messages again, of which those that were sent already are left out. Or set `replayable = False`: it starts "
    "anew and what it gives is new (a microphone, a socket); what it had not sent yet is lost"
)


class Keeps(Protocol):
    """Where a state goes: `penstock._core.Host`, or `penstock.testing`."""

    def keep_state(self, format: int, state: Any, /) -> None: ...


def defines_checkpoint(cls: type[Node], ports: NodePorts) -> bool:
    """Whether instances say what their state is. NodeError when the class says one half, or says it in a way that
    cannot work."""
    names = [name for name in ("checkpoint", "restore") if getattr(cls, name, None) is not None]
    if not names:
        return False
    if len(names) == 1:
        other = "restore(self, state)" if names == ["checkpoint"] else "checkpoint(self)"
        raise NodeError(
            f"{cls.__name__} defines {names[0]} but not {other}: its state is kept with the one and given back with "
            "the other. Define both, or give the method another name"
        )
    for name in names:
        function = getattr(cls, name)
        if not callable(function) or inspect.iscoroutinefunction(function):
            raise NodeError(f"{cls.__name__}.{name} is called by Penstock: make it a method, and no coroutine")
    process = getattr(cls, "process", None)
    if (
        ports.is_source
        and not ports.timers
        and not (inspect.isgeneratorfunction(process) or inspect.isasyncgenfunction(process))
    ):
        raise NodeError(
            f"{cls.__name__} is a source that defines checkpoint, which is called at each `yield` of its process: make "
            "process a generator (where it only emits, a `yield` without a message marks a place to go on from)"
        )
    return True


def check_source(cls: type[Node], node_id: str, keeps: bool) -> Optional[bool]:
    """`replayable` of a source that may be restarted; None when it goes on from what it has kept."""
    replayable = getattr(cls, "replayable", None)
    if replayable is not None and not isinstance(replayable, bool):
        raise NodeError(f"{cls.__name__}.replayable is {replayable!r}: write True or False")
    if keeps and replayable is not None:
        raise NodeError(
            f"{cls.__name__} defines checkpoint, so it goes on from its state: remove its attribute `replayable`"
        )
    if not keeps and replayable is None:
        raise NodeError(_HOW_A_SOURCE_GOES_ON.format(node=f"node {node_id!r}", cls=cls.__name__))
    return replayable


def to_kept(value: Any, where: str) -> tuple[int, Any]:
    """Format and bytes of what a checkpoint gave.

    >>> to_kept(b"abc", "checkpoint")
    (0, b'abc')
    >>> to_kept({"n": 3}, "checkpoint")
    (1, b'{"n":3}')
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return BYTES, value
    if value is None:
        raise TypeError(f"{where} gave None: return the state, as bytes or as what JSON has")
    data = to_json(value, f"what {where} gave")
    if json.loads(data) != value:
        raise TypeError(
            f"{where} gave a {type(value).__name__} that JSON gives back as another: keys of dicts must be str, "
            "and lists no tuples. Give it in such a form, or give bytes"
        )
    return JSON, data


def from_kept(format: int, data: bytes) -> Any:
    """The state as checkpoint gave it; of bytes-like ones, bytes.

    >>> from_kept(1, b'{"n":3}')
    {'n': 3}
    """
    return json.loads(data) if format == JSON else data


class StateKeeper:
    """Keeps the state of one node whenever something is done. Lives on the node's thread."""

    def __init__(self, node: Node, backend: Keeps) -> None:
        self._checkpoint: Callable[[], Any] = node.checkpoint  # type: ignore[attr-defined]
        self._backend = backend
        self._where = f"{type(node).__name__}.checkpoint"
        self.is_keeping = False
        """Also after it failed: what went wrong is no fault of the message that was handled."""

    def keep(self, call: Callable[[Callable[[], Any]], Any] = lambda function: function()) -> None:
        """`call` calls the node's own code."""
        self.is_keeping = True
        format, data = to_kept(call(self._checkpoint), self._where)
        self._backend.keep_state(format, data)
        self.is_keeping = False
