"""What a running node is connected to: its outputs, who it is, and the CPU time of its own code."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from time import thread_time_ns
from typing import Any, Callable, Optional, Protocol, TypeVar

from penstock._annotations import Types
from penstock._errors import NodeError
from penstock._json import to_json
from penstock._local import Loan, LocalLoan, Shape
from penstock._messages import BY_KIND, Message
from penstock._node import Node
from penstock._ports import NodePorts, type_name

_T = TypeVar("_T")


class Backend(Protocol):
    """What outputs are connected to: `penstock._core.Host`, or `penstock.testing`."""

    def publish(
        self,
        output: int,
        source: Any,
        kind: int,
        code: int,
        bits: int,
        shape: Optional[Shape],
        rate: int,
        time: Optional[int],
        metadata: Optional[bytes],
    ) -> None: ...
    def borrow(
        self,
        output: int,
        payload_bytes: int,
        metadata_bytes: int,
        kind: int,
        code: int,
        bits: int,
        shape: Optional[Shape],
        rate: int,
    ) -> Loan: ...
    def stop_requested(self) -> bool: ...
    def sleep_until(self, monotonic_ns: int) -> bool: ...
    def in_hand(self) -> Optional[tuple[int, int, str]]: ...


class UserClock:
    """CPU time of this thread that went into the node's own code."""

    def __init__(self) -> None:
        self.user_ns = 0

    def call(self, function: Callable[..., _T], *arguments: Any) -> _T:
        start = thread_time_ns()
        try:
            return function(*arguments)
        finally:
            self.user_ns += thread_time_ns() - start

    def call_ours(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Within `call`: what the node called of ours."""
        start = thread_time_ns()
        try:
            return function(*arguments)
        finally:
            self.user_ns -= thread_time_ns() - start

    def outside(self, start: int, handling: int, end: int) -> int:
        """Of a coroutine, for which `call` cannot be used: what was not the node's own from `start` to `end`."""
        ours, self.user_ns = -self.user_ns, 0
        return max(handling - start + ours, 0)


class _Route:
    """One declared output. `index` is None while nothing is connected to it."""

    __slots__ = ("accepted", "index", "port", "types")

    def __init__(self, port: str, types: Types, index: Optional[int]) -> None:
        self.port = port
        self.types = types
        self.index = index
        self.accepted: dict[type, bool] = {}  # by class, so that subclasses are looked up once


class NodeContext:
    """A node's outputs and surroundings. Lives on the node's thread."""

    def __init__(
        self, node: Node, ports: NodePorts, identity: Identity, backend: Backend, connected: Mapping[str, int]
    ) -> None:
        self.node_id = identity.node_id
        self.session_id = identity.session_id
        self.attempt = identity.attempt
        self.clock: Optional[UserClock] = None
        self.is_open = False
        self.check_task: Optional[Callable[[str], None]] = None  # of nodes with coroutines
        self._class_name = type(node).__name__
        self._thread = threading.get_ident()
        self._backend = backend
        self._routes = {port: _Route(port, types, connected.get(port)) for port, types in ports.outputs.items()}
        self._default = next(iter(self._routes.values())) if len(self._routes) == 1 else self._routes.get("out")
        self._check_connected("output", connected, self._routes)
        node._penstock_context = self

    def emit(self, port: str, message: Message) -> None:
        route = self._routes.get(port)
        if route is None:
            raise NodeError(self._unknown("output", port, self._routes))
        if self.check_task is not None and self.is_open:
            self.check_task(f"node {self.node_id!r}: {self._class_name}")
        if self.clock is not None:
            self.clock.call_ours(self.send, route, message, "emit")
        else:
            self.send(route, message, "emit")

    def send_default(self, message: Any, method: str) -> None:
        route = self._default
        if route is None:
            what = "has no outputs" if not self._routes else f"has the outputs {', '.join(self._routes)}"
            raise NodeError(
                f"node {self.node_id!r}: {self._class_name}.{method} returned a message, but the node {what}; "
                "use self.emit(port, message)"
            )
        self.send(route, message, method)

    def send(self, route: _Route, message: Any, method: str) -> None:
        if not route.accepted.get(type(message)):
            self._check_accepted(route, message, method)
        if route.index is None:
            return
        metadata = message._metadata_bytes
        index, kind = route.index, message.kind
        source, code, bits, shape, rate = message._encode(
            lambda nbytes, *described: self._backend.borrow(index, nbytes, len(metadata or b""), kind, *described)
        )
        self._backend.publish(index, source, kind, code, bits, shape, rate, message._own_time, metadata)

    def loan(self, port: Optional[str], nbytes: int, metadata: Optional[Mapping[str, Any]], described: Any) -> Loan:
        route = self._default if port is None else self._routes.get(port)
        if route is None:
            raise NodeError(
                self._unknown("output", port, self._routes)
                if port
                else f"node {self.node_id!r} has several outputs: name one with port="
            )
        if not self.is_open:
            raise NodeError(f"node {self.node_id!r}: buffers can be loaned once the stream has started, not in setup")
        kind, code, bits, shape, rate = described
        if nbytes < 0:
            raise ValueError(f"a buffer of shape {shape} cannot be loaned")
        if route.index is None:
            return LocalLoan(nbytes, code, bits, shape)
        metadata_bytes = len(to_json(dict(metadata), "metadata")) if metadata else 0
        return self._backend.borrow(route.index, nbytes, metadata_bytes, kind, code, bits, shape, rate)

    def stop_requested(self) -> bool:
        return self._backend.stop_requested()

    def in_hand(self) -> Optional[tuple[int, int, str]]:
        """Input, number and trace id of what is being handled; None also for threads that are not the node's."""
        return self._backend.in_hand() if threading.get_ident() == self._thread else None

    def sleep_until(self, monotonic_ns: int) -> bool:
        if self.check_task is not None:
            raise NodeError(
                f"node {self.node_id!r}: {self._class_name} has coroutines, which sleep_until would hold up: "
                "`await asyncio.sleep(...)`"
            )
        return self._backend.sleep_until(monotonic_ns)

    def _check_connected(self, what: str, connected: Mapping[str, int], declared: Mapping[str, Any]) -> None:
        for port in connected:
            if port not in declared:
                raise NodeError(self._unknown(what, port, declared))

    def _check_accepted(self, route: _Route, message: Any, method: str) -> None:
        where = f"node {self.node_id!r}: {self._class_name}.{method}"
        if not isinstance(message, Message):
            raise TypeError(
                f"{where} gave {described(message)} for output {route.port!r}; "
                "give Audio, Image, Tensor, Text, Json or Bytes"
            )
        if message.kind not in BY_KIND:
            raise TypeError(f"{where} gave a {type(message).__name__}, which is not a message type of its own")
        if route.types is not None and not isinstance(message, tuple(route.types)):
            raise TypeError(
                f"{where} gave {type(message).__name__} for output {route.port!r}, "
                f"which is declared as {type_name(route.types)}"
            )
        if not self.is_open:
            raise NodeError(f"{where}: nothing can be emitted in setup, as the stream has not started")
        route.accepted[type(message)] = True

    def _unknown(self, what: str, port: Any, declared: Mapping[str, Any]) -> str:
        have = f"its {what}s are {', '.join(map(repr, declared))}" if declared else f"it has no {what}s"
        return (
            f"node {self.node_id!r} ({self._class_name}) has no {what} {port!r}; {have}. "
            f"Ports are declared with the class attribute `{what}s`"
        )


class Identity:
    """Who the node is in its session."""

    def __init__(self, node_id: str, session_id: str, attempt: int = 0) -> None:
        self.node_id = node_id
        self.session_id = session_id
        self.attempt = attempt


def described(value: Any) -> str:
    """A value that is no message, in the error that says so."""
    name = type(value).__name__
    shown = repr(value)
    return f"{name} {shown}" if len(shown) <= 40 else name
