"""Calls a node's handlers and publishes what they give: the part that the worker and `penstock.testing` share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Callable, Optional

from penstock import _current
from penstock._annotations import Types
from penstock._context import NodeContext, UserClock, described
from penstock._errors import NodeError
from penstock._local import View
from penstock._messages import BY_KIND, KIND_NAMES, Message
from penstock._node import Node
from penstock._ports import NodePorts, type_name
from penstock._state import StateKeeper

if TYPE_CHECKING:
    from penstock._async import NodeLoop

_ENDED = object()


class Runner:
    """Hands messages to the handlers of one node. Lives on the node's thread."""

    def __init__(self, node: Node, ports: NodePorts, context: NodeContext, input_ports: list[str]) -> None:
        self._node = node
        self._context = context
        self._class_name = type(node).__name__
        self.state: Optional[StateKeeper] = None  # of nodes whose state is kept
        self.loop: Optional[NodeLoop] = None
        self._track: Optional[Callable[[int, View], None]] = None  # of nodes that ask penstock.current
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

    def use(self, loop: Optional[NodeLoop]) -> None:
        """Before setup, of a node that has coroutines."""
        self.loop = loop
        if loop is not None:
            self._context.check_task = loop.check_task

    def setup(self, params: dict[str, Any]) -> None:
        _current.enter(self)
        self._call(self._node.setup, params)

    def teardown(self) -> None:
        self._call(self._node.teardown)

    def _call(self, method: Callable[..., Any], *arguments: Any) -> None:
        result = method(*arguments)
        if self.loop is not None:
            self.loop.run_if_coroutine(result)

    def handle(self, port: int, view: View) -> None:
        """One message, until everything that its handler gave is published, and the state that it left is kept."""
        if self._track is not None:
            self._track(port, view)
        wrap = self._wrappers[port].get(view.kind)
        if wrap is None:
            raise self._unexpected(port, view)
        result = self._calls[port](wrap(view))
        if result is not None:
            self.deliver(result, self._methods[port])
        if self.state is not None:
            self.state.keep()

    def handle_measured(self, port: int, view: View, clock: UserClock) -> None:
        if self._track is not None:
            self._track(port, view)
        wrap = self._wrappers[port].get(view.kind)
        if wrap is None:
            raise self._unexpected(port, view)
        result = clock.call(self._calls[port], wrap(view))
        if result is not None:
            self.deliver(_Timed(result, clock) if hasattr(result, "__next__") else result, self._methods[port])
        if self.state is not None:
            self.state.keep(clock.call)

    async def handle_on_loop(self, port: int, view: View) -> None:
        """As handle, of a node that has coroutines."""
        if self._track is not None:
            self._track(port, view)
        wrap = self._wrappers[port].get(view.kind)
        if wrap is None:
            raise self._unexpected(port, view)
        await self._deliver_on_loop(self._calls[port], self._methods[port], wrap(view))
        if self.state is not None:
            self.state.keep()

    def tick(self, method: str) -> None:
        """A timer's method, until what it gave is published, and the state that it left is kept."""
        self._between_messages()
        self.deliver(getattr(self._node, method)(), method)
        if self.state is not None:
            self.state.keep()

    async def tick_on_loop(self, method: str) -> None:
        self._between_messages()
        await self._deliver_on_loop(getattr(self._node, method), method)
        if self.state is not None:
            self.state.keep()

    def handle_set(self, ports: Sequence[int], views: Sequence[View], clock: Optional[UserClock] = None) -> None:
        """As handle, with one message of each of `ports`, all of them given to `process` at once."""
        if self._track is not None:
            self._track(ports[0], views[0])
        messages: dict[str, Message] = {}
        for port, view in zip(ports, views):
            wrap = self._wrappers[port].get(view.kind)
            if wrap is None:
                raise self._unexpected(port, view)
            messages[self._input_ports[port]] = wrap(view)
        if self.loop is not None:
            self.loop.run(self._deliver_on_loop(lambda: self._node.process(**messages), "process"))
        elif clock is None:
            self.deliver(self._node.process(**messages), "process")
        else:
            result = clock.call(lambda: self._node.process(**messages))
            self.deliver(_Timed(result, clock) if hasattr(result, "__next__") else result, "process")
        if self.state is not None:
            self.state.keep(*(() if clock is None else (clock.call,)))

    def run_source(self) -> None:
        """A node without inputs: until it is exhausted or asked to stop."""
        if self.loop is not None:
            self.loop.run(self.loop.until_stopped(self.loop.call(self._run_source_on_loop())))
            return
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

    async def _run_source_on_loop(self) -> None:
        result = self._node.process()
        if not hasattr(result, "__aiter__"):
            self.deliver(await result if hasattr(result, "__await__") else result, "process")
            return
        try:
            async for message in result:
                if message is not None:
                    self._context.send_default(message, "process")
                if self.state is not None:
                    self.state.keep()
                if self._context.stop_requested():
                    break
        finally:
            await _close(result)

    def finish(self) -> None:
        self._between_messages()
        if self.loop is None:
            self.deliver(self._node.finish(), "finish")
        else:
            self.loop.run(self._deliver_on_loop(self._node.finish, "finish"))

    async def _deliver_on_loop(self, function: Callable[..., Any], method: str, *arguments: Any) -> None:
        """Calls a handler and sends what it gives: as it comes, if it is an async generator."""
        assert self.loop is not None
        await self.loop.call(self._deliver_awaited(function, method, arguments))

    async def _deliver_awaited(self, function: Callable[..., Any], method: str, arguments: tuple[Any, ...]) -> None:
        result = function(*arguments)
        if hasattr(result, "__await__"):
            result = await result
        if not hasattr(result, "__aiter__"):
            self.deliver(result, method)
            return
        try:
            async for message in result:
                if message is not None:
                    self._context.send_default(message, method)
        finally:
            await _close(result)

    def start_tracking(self) -> _current.Current:
        """For penstock.current, which is asked for the first time since there is a message, or none is in hand."""
        self._track = self._note
        in_hand = self._context.in_hand()
        if in_hand is None:
            return _current.Current(self._context.node_id, self._context.session_id)
        port, sequence, trace_id = in_hand
        return self._set_current(port, sequence, trace_id)

    def _note(self, port: int, view: View) -> None:
        self._set_current(port, view.sequence, view.trace_id)

    def _set_current(self, port: int, sequence: int, trace_id: str) -> _current.Current:
        context = self._context
        current = _current.Current(context.node_id, context.session_id, self._input_ports[port], sequence, trace_id)
        _current.message_in_hand.set(current)
        return current

    def _between_messages(self) -> None:
        if self._track is not None:
            _current.message_in_hand.set(None)

    def deliver(self, result: Any, method: str) -> None:
        """What a handler returned: None, a message, or an iterable of messages."""
        if result is None:
            return
        if isinstance(result, Message):
            self._context.send_default(result, method)
            return
        if hasattr(result, "__await__") or hasattr(result, "__aiter__"):
            if hasattr(result, "close"):
                result.close()
            raise TypeError(
                f"node {self._context.node_id!r}: {self._class_name}.{method} returned {described(result)}, but is not "
                "a coroutine itself: make it `async def` (a decorator may hide that it is)"
            )
        if (
            isinstance(result, (str, bytes, bytearray, memoryview, dict))
            or not hasattr(result, "__iter__")
            or hasattr(result, "__array__")
        ):
            raise TypeError(
                f"node {self._context.node_id!r}: {self._class_name}.{method} returned {described(result)}; "
                "return a message (Audio, Image, Tensor, Text, Json, Bytes), an iterable of messages, or None"
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


async def _close(generator: Any) -> None:
    if hasattr(generator, "aclose"):
        await generator.aclose()


def _wrappers(types: Types) -> dict[int, Callable[[View], Message]]:
    accepted = {kind: cls for kind, cls in BY_KIND.items() if types is None or any(issubclass(cls, t) for t in types)}
    return {kind: cls._received for kind, cls in accepted.items()}
