"""Runs a node in a plain test, without a runtime.

Messages go through the same encoding as in a pipeline: what the node receives is read-only, and what it emits comes
back as its receiver would see it.
"""

from __future__ import annotations

import contextlib
import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from penstock._context import Identity, NodeContext
from penstock._current import enter
from penstock._fake_time import Clock, Ticks, Wait, loop_with, wait
from penstock._joining import leading_first
from penstock._local import Loan, LocalLoan, LocalView, Shape
from penstock._matching import Matching
from penstock._messages import BY_KIND, Message
from penstock._node import Node, defines_load
from penstock._ports import NodePorts, inspect_node
from penstock._runner import Runner
from penstock._state import StateKeeper, defines_checkpoint, from_kept, to_kept

if TYPE_CHECKING:
    from penstock._async import NodeLoop

__all__ = ["Clock", "Outputs", "Wait", "run", "wait"]

Input = Union[Message, tuple[str, Message], Wait]
MAX_STATE_BYTES = 1 << 20  # as transport::StateMemory has it


class Outputs(list[Message]):
    """What a node emitted, in order; `by_port` has the same messages by output.

    With `join`, `unmatched` says of each input how many of its messages were in no set.
    `state` is what its `checkpoint` gave last, as `restore` would get it; None when it defines none, or gave none yet.
    """

    def __init__(self) -> None:
        super().__init__()
        self.by_port: dict[str, list[Message]] = {}
        self.unmatched: dict[str, int] = {}
        self.state: Any = None


class _StopError(Exception):
    """The limit of messages is reached inside an `emit`."""


class _Recorder:
    """A Backend that keeps what is published, and gives it the media time of the message being handled."""

    def __init__(self, ports: list[str], limit: Optional[int]) -> None:
        self.outputs = Outputs()
        self.current_time: Optional[int] = None
        self.current_message: Optional[tuple[int, LocalView]] = None
        self._ports = ports
        self._limit = limit
        self.outputs.by_port.update((port, []) for port in ports)

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
    ) -> None:
        if self.stop_requested():
            raise _StopError
        view = LocalView(source, kind, code, bits, shape, rate, self.current_time if time is None else time, metadata)
        messages = self.outputs.by_port[self._ports[output]]
        view.sequence = len(messages)
        messages.append(BY_KIND[kind]._received(view))
        self.outputs.append(messages[-1])

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
    ) -> Loan:
        return LocalLoan(payload_bytes, code, bits, shape)

    def keep_state(self, format: int, state: Any, /) -> None:
        if len(state) > MAX_STATE_BYTES:
            raise ValueError(f"a state of {len(state)} bytes is kept of no node: {MAX_STATE_BYTES} are allowed")
        self.outputs.state = from_kept(format, bytes(state))

    def in_hand(self) -> Optional[tuple[int, int, str]]:
        if self.current_message is None:
            return None
        port, view = self.current_message
        return port, view.sequence, view.trace_id

    def handle(self, port: int, view: LocalView) -> None:
        """A message is in hand from now on, until `put_down`."""
        self.current_time, self.current_message = view.time, (port, view)

    def put_down(self) -> None:
        self.current_time = self.current_message = None

    def stop_requested(self) -> bool:
        return self._limit is not None and len(self.outputs) >= self._limit

    def sleep_until(self, monotonic_ns: int) -> bool:
        return not self.stop_requested()  # tests do not wait


def run(
    node: Union[Node, type[Node]],
    inputs: Iterable[Input] = (),
    *,
    params: Optional[Mapping[str, Any]] = None,
    node_id: str = "node",
    limit: Optional[int] = None,
    join: Optional[int] = None,
    state: Any = None,
    killed: bool = False,
    clock: Optional[Clock] = None,
) -> Outputs:
    """load and setup, a handler call for each input, finish, teardown. Exceptions of the node arrive unchanged.

    `load` is not called for an instance whose `loaded` is set already.

    `inputs` are messages, or pairs of port and message for nodes with several inputs; in between may stand
    `wait("1s")`, as long as which no message comes. `limit` asks a source to stop once it has emitted so many messages.
    `clock` is the time of the node's timers, and of its event loop if it has one; it stands still but for those waits.
    `join` is the tolerance, in nanoseconds, of a node whose manifest has `join`: the first input leads, and `process`
    gets one message of every input.

    `state` is given to the node's `restore`, as after a restart; that of an earlier run is `Outputs.state`. With
    `killed` the run ends after the last input as it does when the worker is killed: without finish and teardown.

    >>> import penstock
    >>> class Count(penstock.Node):
    ...     def process(self):
    ...         n = 0
    ...         while True:
    ...             yield penstock.Json(n)
    ...             n += 1
    >>> [message.value for message in run(Count, limit=3)]
    [0, 1, 2]
    >>> class Who(penstock.Node):
    ...     def process(self, words: penstock.Text, speaker: penstock.Text):
    ...         return penstock.Text(f"{speaker.text}: {words.text}")
    >>> said = [("words", penstock.Text("yes", time=40)), ("speaker", penstock.Text("Ada", time=50))]
    >>> [message.text for message in run(Who, said, join=20)]
    ['Ada: yes']
    """
    cls = node if isinstance(node, type) else type(node)
    ports = inspect_node(cls, joins=join is not None)
    loop = _loop_for(cls, clock) if ports.has_coroutines else None
    try:
        instance = node() if isinstance(node, type) else node
        if defines_load(cls) and "loaded" not in vars(instance):
            instance.loaded = cls.load(_copied(params))  # type: ignore[attr-defined]
        recorder = _Recorder(list(ports.outputs), limit)
        connected = {port: index for index, port in enumerate(ports.outputs)}
        context = NodeContext(instance, ports, Identity(node_id, "testing"), recorder, connected)
        runner = Runner(instance, ports, context, list(ports.inputs))
        runner.use(loop)
        runner.setup(_copied(params))
        _restore(runner, instance, ports, recorder, state)
        context.is_open = True
        with contextlib.suppress(_StopError):
            if runner.is_source and not ports.timers:
                runner.run_source()
            views = _views(inputs, list(ports.inputs), cls.__name__)
            if join is None:
                _Stream(runner, recorder, ports, clock).run(views, runs_on=limit is not None)
            else:
                _run_joined(runner, recorder, views, leading_first(ports, list(ports.inputs), node_id), join)
            recorder.put_down()
            if killed:
                return recorder.outputs
            runner.finish()
        runner.teardown()
        return recorder.outputs
    finally:
        if loop is not None:
            loop.close()
        enter(None)


def _loop_for(cls: type[Node], clock: Optional[Clock]) -> NodeLoop:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        from penstock._async import NodeLoop

        return NodeLoop(loop=None if clock is None else loop_with(clock))
    raise RuntimeError(
        f"{cls.__name__} has coroutines, which run on a loop of the node's own: call penstock.testing.run in a plain "
        "function, not in a coroutine (or in another thread: `await asyncio.to_thread(testing.run, …)`)"
    )


def _restore(runner: Runner, node: Node, ports: NodePorts, recorder: _Recorder, state: Any) -> None:
    if defines_checkpoint(type(node), ports):
        runner.state = StateKeeper(node, recorder)
        if state is not None:
            node.restore(from_kept(*_as_kept(to_kept(state, "the test"))))  # type: ignore[attr-defined]
            recorder.outputs.state = state
    elif state is not None:
        raise ValueError(f"{type(node).__name__} has no state to restore: it defines no checkpoint and restore")


class _Stream:
    """Messages one after the other, and timers in between."""

    def __init__(self, runner: Runner, recorder: _Recorder, ports: NodePorts, clock: Optional[Clock]) -> None:
        self._runner = runner
        self._recorder = recorder
        self._moves_loop = clock is not None
        self._clock = clock = clock or Clock()
        self._ticks = Ticks(ports.timers, clock, self._tick)
        self._has_inputs = bool(ports.inputs)

    def run(self, views: Iterable[Union[tuple[int, LocalView], Wait]], *, runs_on: bool) -> None:
        """`runs_on`: a node without inputs, until its limit."""
        for item in views:
            if isinstance(item, Wait):
                self._ticks.wait(item, self._move)
            else:
                self._handle(*item)
                self._ticks.run_due()
        if runs_on and not self._has_inputs:
            self._ticks.run_forever(self._move)

    def _handle(self, port: int, view: LocalView) -> None:
        self._recorder.handle(port, view)
        if self._runner.loop is None:
            self._runner.handle(port, view)
        else:
            self._runner.loop.run(self._runner.handle_on_loop(port, view))

    def _tick(self, method: str) -> None:
        self._recorder.put_down()
        if self._runner.loop is None:
            self._runner.tick(method)
        else:
            self._runner.loop.run(self._runner.tick_on_loop(method))

    def _move(self, time_ns: int) -> None:
        if self._runner.loop is not None and self._moves_loop:
            self._runner.loop.sleep((time_ns - self._clock.now_ns) / 1e9)
        self._clock.now_ns = max(self._clock.now_ns, time_ns)


def _views(inputs: Iterable[Input], ports: list[str], class_name: str) -> Iterator[Union[tuple[int, LocalView], Wait]]:
    numbers = dict.fromkeys(ports, 0)
    for item in inputs:
        if isinstance(item, Wait):
            yield item
            continue
        port, message = item if isinstance(item, tuple) else (_only(ports), item)
        if port not in ports:
            raise ValueError(f"{class_name} has no input {port!r}; it has {', '.join(map(repr, ports)) or 'none'}")
        yield ports.index(port), _as_received(message, numbers[port])
        numbers[port] += 1


def _run_joined(
    runner: Runner,
    recorder: _Recorder,
    views: Iterable[Union[tuple[int, LocalView], Wait]],
    order: list[tuple[str, int]],
    tolerance_ns: int,
) -> None:
    """All inputs are there at once: when they arrive makes no difference."""
    waiting: list[deque[LocalView]] = [deque() for _ in order]
    positions = {port: position for position, (_, port) in enumerate(order)}
    for item in views:
        if isinstance(item, Wait):
            raise ValueError("a node that joins its inputs has no timers: leave out `wait`")
        waiting[positions[item[0]]].append(item[1])
    matching: Matching[LocalView] = Matching([name for name, _ in order], tolerance_ns)
    while True:
        wanted = matching.wants()
        if wanted is None:
            views_of_set = matching.joined()
            if views_of_set is None:
                break
            recorder.handle(order[0][1], views_of_set[0])
            runner.handle_set([port for _, port in order], views_of_set)
            matching.done()
        elif waiting[wanted]:
            view = waiting[wanted].popleft()
            matching.give(wanted, view, view.time, view.sequence)
        else:
            matching.end(wanted)
    recorder.outputs.unmatched.update(zip((name for name, _ in order), matching.unmatched))


def _as_kept(kept: tuple[int, Any]) -> tuple[int, bytes]:
    format, data = kept
    return format, bytes(data)


def _copied(params: Optional[Mapping[str, Any]]) -> dict[str, Any]:
    """As they arrive from a manifest."""
    return dict(json.loads(json.dumps(dict(params or {}))))


def _as_received(message: Message, number: int) -> LocalView:
    source, code, bits, shape, rate = message._encode(
        lambda nbytes, code, bits, shape, rate: LocalLoan(nbytes, code, bits, shape)
    )
    view = LocalView(source, message.kind, code, bits, shape, rate, message._own_time, message._metadata_bytes)
    view.sequence = number
    return view


def _only(ports: list[str]) -> str:
    if len(ports) != 1:
        raise ValueError(
            f"the node has the inputs {', '.join(map(repr, ports)) or '(none)'}: give pairs of port and message"
        )
    return ports[0]
