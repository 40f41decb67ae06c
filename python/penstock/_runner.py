"""Calls a node's handlers and publishes what they give: the part that the worker and `penstock.testing` share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import thread_time_ns
from typing import Any, Callable, Optional, Protocol, TypeVar

from penstock._errors import NodeError
from penstock._json import to_json
from penstock._local import Loan, LocalLoan, Shape, View
from penstock._messages import BY_KIND, KIND_NAMES, Message
from penstock._node import Node
from penstock._ports import NodePorts, Types, type_name
from penstock._state import StateKeeper

_T = TypeVar("_T")
_ENDED = object()


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
        self._class_name = type(node).__name__
        self._backend = backend
        self._routes = {port: _Route(port, types, connected.get(port)) for port, types in ports.outputs.items()}
        self._default = next(iter(self._routes.values())) if len(self._routes) == 1 else self._routes.get("out")
        self._check_connected("output", connected, self._routes)
        node._penstock_context = self

    def emit(self, port: str, message: Message) -> None:
        route = self._routes.get(port)
        if route is None:
            raise NodeError(self._unknown("output", port, self._routes))
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

    def sleep_until(self, monotonic_ns: int) -> bool:
        return self._backend.sleep_until(monotonic_ns)

    def _check_connected(self, what: str, connected: Mapping[str, int], declared: Mapping[str, Any]) -> None:
        for port in connected:
            if port not in declared:
                raise NodeError(self._unknown(what, port, declared))

    def _check_accepted(self, route: _Route, message: Any, method: str) -> None:
        where = f"node {self.node_id!r}: {self._class_name}.{method}"
        if not isinstance(message, Message):
            raise TypeError(
                f"{where} gave {_described(message)} for output {route.port!r}; give Audio, Tensor, Text, Json or Bytes"
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


class Runner:
    """Hands messages to the handlers of one node. Lives on the node's thread."""

    def __init__(self, node: Node, ports: NodePorts, context: NodeContext, input_ports: list[str]) -> None:
        self._node = node
        self._context = context
        self._class_name = type(node).__name__
        self.state: Optional[StateKeeper] = None  # of nodes whose state is kept
        context._check_connected("input", dict.fromkeys(input_ports, 0), ports.inputs)
        self.is_source = ports.is_source
        if not input_ports and not self.is_source:
            waits = ", ".join(map(repr, ports.inputs))
            raise NodeError(
                f"node {context.node_id!r} ({self._class_name}) waits for messages at {waits}, "
                "but nothing is connected to it"
            )
        self._input_ports = input_ports
        self._types = [ports.inputs[port] for port in input_ports]
        self._methods = [ports.handlers[port].method for port in input_ports]
        self._calls = [self._caller(ports.handlers[port].method, ports.handlers[port].keyword) for port in input_ports]
        self._wrappers = [_wrappers(types) for types in self._types]

    def handle(self, port: int, view: View) -> None:
        """One message, until everything that its handler gave is published, and the state that it left is kept."""
        wrap = self._wrappers[port].get(view.kind)
        if wrap is None:
            raise self._unexpected(port, view)
        result = self._calls[port](wrap(view))
        if result is not None:
            self.deliver(result, self._methods[port])
        if self.state is not None:
            self.state.keep()

    def handle_measured(self, port: int, view: View, clock: UserClock) -> None:
        wrap = self._wrappers[port].get(view.kind)
        if wrap is None:
            raise self._unexpected(port, view)
        result = clock.call(self._calls[port], wrap(view))
        if result is not None:
            self.deliver(_Timed(result, clock) if hasattr(result, "__next__") else result, self._methods[port])
        if self.state is not None:
            self.state.keep(clock.call)

    def handle_set(self, ports: Sequence[int], views: Sequence[View], clock: Optional[UserClock] = None) -> None:
        """As handle, with one message of each of `ports`, all of them given to `process` at once."""
        messages: dict[str, Message] = {}
        for port, view in zip(ports, views):
            wrap = self._wrappers[port].get(view.kind)
            if wrap is None:
                raise self._unexpected(port, view)
            messages[self._input_ports[port]] = wrap(view)
        if clock is None:
            self.deliver(self._node.process(**messages), "process")
        else:
            result = clock.call(lambda: self._node.process(**messages))
            self.deliver(_Timed(result, clock) if hasattr(result, "__next__") else result, "process")
        if self.state is not None:
            self.state.keep(*(() if clock is None else (clock.call,)))

    def run_source(self) -> None:
        """A node without inputs: until it is exhausted or asked to stop."""
        result = self._node.process()
        if result is None or isinstance(result, Message) or not hasattr(result, "__next__"):
            self.deliver(result, "process")
            return
        try:
            for message in result:
                if message is not None:
                    self._context.send_default(message, "process")
                if self.state is not None:
                    self.state.keep()
                if self._context.stop_requested():
                    break
        finally:
            if hasattr(result, "close"):
                result.close()

    def finish(self) -> None:
        self.deliver(self._node.finish(), "finish")

    def deliver(self, result: Any, method: str) -> None:
        """What a handler returned: None, a message, or an iterable of messages."""
        if result is None:
            return
        if isinstance(result, Message):
            self._context.send_default(result, method)
            return
        if (
            isinstance(result, (str, bytes, bytearray, memoryview, dict))
            or not hasattr(result, "__iter__")
            or hasattr(result, "__array__")
        ):
            raise TypeError(
                f"node {self._context.node_id!r}: {self._class_name}.{method} returned {_described(result)}; "
                "return a message (Audio, Tensor, Text, Json, Bytes), an iterable of messages, or None"
            )
        for message in result:
            if message is not None:
                self._context.send_default(message, method)

    def _caller(self, method: str, keyword: Optional[str]) -> Callable[[Message], Any]:
        bound = getattr(self._node, method)
        if keyword is None:
            return bound  # type: ignore[no-any-return]
        return lambda message: bound(**{keyword: message})

    def _unexpected(self, port: int, view: View) -> TypeError:
        kind = KIND_NAMES[view.kind] if view.kind < len(KIND_NAMES) else str(view.kind)
        return TypeError(
            f"node {self._context.node_id!r}: {self._class_name}.{self._methods[port]} "
            f"takes {type_name(self._types[port])} at input {self._input_ports[port]!r}, but received {kind}"
        )


class _Timed:
    """A generator whose steps count as the node's own time."""

    def __init__(self, generator: Any, clock: UserClock) -> None:
        self._generator = generator
        self._clock = clock

    def __iter__(self) -> _Timed:
        return self

    def __next__(self) -> Any:
        item = self._clock.call(next, self._generator, _ENDED)
        if item is _ENDED:
            raise StopIteration
        return item


def _wrappers(types: Types) -> dict[int, Callable[[View], Message]]:
    accepted = {kind: cls for kind, cls in BY_KIND.items() if types is None or any(issubclass(cls, t) for t in types)}
    return {kind: cls._received for kind, cls in accepted.items()}


def _described(value: Any) -> str:
    name = type(value).__name__
    shown = repr(value)
    return f"{name} {shown}" if len(shown) <= 40 else name
