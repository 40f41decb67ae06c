"""What a node is: subclass Node."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Mapping
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    ClassVar,
    Optional,
    Protocol,
    TypeVar,
    Union,
)

from penstock import _dtypes
from penstock._errors import NodeError
from penstock._local import Loan, Shape
from penstock._media import image_loan
from penstock._messages import Audio, Bytes, Image, Message, Tensor

PortType = Any  # a message class, or a Union of some
Described = tuple[int, int, int, Optional[Shape], int]  # kind, DLPack code and bits, shape, rate or format
_N = TypeVar("_N", bound="type[Node]")


class Context(Protocol):
    """What a running node is connected to: the worker's ports, or those of `penstock.testing`."""

    node_id: str
    session_id: str
    attempt: int

    def emit(self, port: str, message: Message) -> None: ...
    def loan(
        self, port: Optional[str], nbytes: int, metadata: Optional[Mapping[str, Any]], described: Described
    ) -> Loan: ...
    def stop_requested(self) -> bool: ...
    def sleep_until(self, monotonic_ns: int) -> bool: ...


class Node:
    """A step of a pipeline.

    Subclasses define `process(self, message)`: a function that returns a message, an iterable of messages or None, or a
    generator of messages. A node without inputs (a source) defines `process(self)`, which runs once. Annotations
    declare the ports' types.

    >>> from penstock import Text
    >>> class Shout(Node):
    ...     def process(self, message: Text) -> Text:
    ...         return Text(message.text.upper())
    >>> from penstock import testing
    >>> [m.text for m in testing.run(Shout, [Text("hello")])]
    ['HELLO']

    Ports are `in` and `out` unless the class attributes `inputs` and `outputs` name others. Of several inputs each has
    a handler `on_<port>(self, message)`; or `process` has a parameter for each, of which one at a time is not None.
    What is for another output than `out` is sent with `emit`.

    >>> from penstock import Json
    >>> class Split(Node):
    ...     inputs = {"words": Text, "number": Json}
    ...     outputs = {"out": Text, "sum": Json}
    ...     def setup(self, params):
    ...         self.sum = 0
    ...     def on_words(self, message):
    ...         return Text(message.text.upper())
    ...     def on_number(self, message):
    ...         self.sum += message.value
    ...         self.emit("sum", Json(self.sum))
    >>> out = testing.run(Split, [("number", Json(2)), ("words", Text("two")), ("number", Json(3))])
    >>> [m.text for m in out.by_port["out"]], [m.value for m in out.by_port["sum"]]
    (['TWO'], [2, 5])

    A message is acknowledged when its handler has ended and what it gave is sent. If the node fails before, and its
    manifest lets it be restarted, the message comes again, and what was sent for it is not sent twice.

    Everything of a node runs on one thread, so it needs no locks. Other threads of it may compute, but messages are
    emitted on the node's own. A child process that it forks (`multiprocessing`, data loaders) can use neither its ports
    nor its messages, and gets a RuntimeError that says so: give it copies, and emit what it sends back.

    Handlers, `setup`, `finish` and `teardown` may be coroutines, and handlers async generators. They run on an event
    loop of the node's own, on its thread, one message after the other: a message is acknowledged when its coroutine has
    ended and what it gave is sent. Tasks that a node starts go on between messages too, but what they find is emitted
    by a handler, which awaits them or a queue of theirs. Where the node waits because an output has no room, or for
    inputs that it joins, the loop stands still. An async source is cancelled where it awaits something when the stream
    is to end. Block the loop nowhere: use `await asyncio.sleep(...)`, and `asyncio.to_thread` for what takes long.

    >>> import asyncio
    >>> class Answers(Node):
    ...     async def setup(self, params):
    ...         self.known = asyncio.Queue()
    ...         await self.known.put("42")
    ...     async def process(self, question: Text) -> Text:
    ...         return Text(f"{question.text} {await self.known.get()}")
    >>> [m.text for m in testing.run(Answers, [Text("six by nine?")])]
    ['six by nine? 42']

    With `join` in the manifest, `process` gets one message of every input at a time, which belong together by their
    media times. The first of the `inputs` leads: what is sent has its time.

    >>> class Caption(Node):
    ...     inputs = {"words": Text, "speaker": Text}
    ...     def process(self, words, speaker):
    ...         return Text(f"{speaker.text}: {words.text}")
    >>> said = [("words", Text("yes", time=40)), ("words", Text("no", time=90)), ("speaker", Text("Ada", time=50))]
    >>> [m.text for m in testing.run(Caption, said, join=20)]  # nanoseconds
    ['Ada: yes']

    A class may define `load(cls, params)`, a classmethod: what it returns is `self.loaded` of every instance. Where
    sessions share a container, those with the same node type and `params` then share one process, in which `load` is
    called once; each has an instance of its own, on a thread of its own. What is loaded is for all of them: only read
    it, or lock it. They share the interpreter's lock too, so this suits nodes whose work is done in native code that
    gives it up. `setup` is not called on the main thread then, and `atexit` functions are not called.

    >>> class Answer(Node):
    ...     @classmethod
    ...     def load(cls, params):
    ...         return {"to everything": params["answer"]}
    ...     def process(self, message: Text) -> Text:
    ...         return Text(str(self.loaded[message.text]))
    >>> [m.text for m in testing.run(Answer, [Text("to everything")], params={"answer": 42})]
    ['42']

    Where the manifest lets a node be restarted, a class may define `checkpoint(self)` and `restore(self, state)`. What
    checkpoint returns (bytes, or a dict, list, str or number of what JSON has, at most 1 MiB) is kept after each
    message that was handled, together with the fact that it was. A node that takes the place of one that failed is set
    up, then `restore` gets that state (not when there is none yet), then come the messages that it does not include. A
    source is asked at each `yield`, when the message was sent: its state must have that message behind it by then.

    >>> class Sum(Node):
    ...     def setup(self, params):
    ...         self.sum = 0
    ...     def checkpoint(self):
    ...         return self.sum
    ...     def restore(self, state):
    ...         self.sum = state
    ...     def process(self, message: Text) -> Text:
    ...         self.sum += int(message.text)
    ...         return Text(str(self.sum))
    >>> before = testing.run(Sum, [Text("1"), Text("2")])
    >>> [m.text for m in testing.run(Sum, [Text("3")], state=before.state)]
    ['6']

    A source that may be restarted and defines no checkpoint says with the class attribute `replayable` how it goes on:
    True when it gives the same messages again from its beginning, of which those that were sent are left out; False
    when what it gives is new each time.
    """

    inputs: ClassVar[Optional[Mapping[str, PortType]]] = None
    """Names and types of the input ports; None: what the handlers' annotations say."""

    outputs: ClassVar[Optional[Mapping[str, PortType]]] = None
    """Names and types of the output ports; None: `out`, of the types that the annotations say."""

    replayable: ClassVar[Optional[bool]] = None
    """Of sources that may be restarted: whether they give the same messages again from their beginning."""

    loaded: Any = None
    """What `load` gave; None without it. Set before `setup`."""

    _penstock_context: Optional[Context] = None

    if TYPE_CHECKING:
        process: Callable[..., Any]

    def setup(self, params: dict[str, Any]) -> Optional[Awaitable[None]]:
        """Called once, before the first message, with the manifest's `params`. Load models here; emit nothing yet."""
        return None

    def finish(self) -> Any:
        """Called when all inputs have ended. May emit, return or yield last messages."""

    def teardown(self) -> Optional[Awaitable[None]]:
        """Called when everything that was emitted has been received. Not called after a failure."""
        return None

    def emit(self, port: str, message: Message) -> None:
        """Sends `message` on the output `port`; waits while a `block` edge has no room.

        Only on the thread that called the handler.
        """
        self._context("emit").emit(port, message)

    def loan_audio(
        self,
        frames: int,
        channels: int,
        rate: int,
        *,
        time: Optional[int] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        port: Optional[str] = None,
    ) -> Audio:
        """An Audio message whose `samples` (float32, (frames, channels), not cleared) are shared memory already.

        `port` is the output that it is for; it may be left out when there is one. Fill it, then emit, return or yield
        it: nothing is copied. After that its samples are read-only.
        """
        described = (Audio.kind, _dtypes.FLOAT, 32, (frames, channels), rate)
        message = Audio(None, rate, time, metadata)
        message._loan = self._context("loan_audio").loan(port, frames * channels * 4, metadata, described)
        return message

    def loan_image(
        self,
        height: int,
        width: int,
        format: str,
        *,
        time: Optional[int] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        port: Optional[str] = None,
    ) -> Image:
        """An Image message whose `pixels` (uint8, not cleared) are shared memory of `port` already. See loan_audio."""
        shape, number = image_loan(height, width, format)
        message = Image(None, format, time, metadata)
        described = (Image.kind, _dtypes.UINT, 8, shape, number)
        nbytes = shape[0] * shape[1] * shape[2]
        message._loan = self._context("loan_image").loan(port, nbytes, metadata, described)
        return message

    def loan_tensor(
        self,
        shape: Union[int, Shape],
        dtype: Any = "float32",
        *,
        time: Optional[int] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        port: Optional[str] = None,
    ) -> Tensor:
        """A Tensor message whose `array` (C order, not cleared) is shared memory of `port` already. See loan_audio."""
        extents = (shape,) if isinstance(shape, int) else tuple(shape)
        code, bits = _dtypes.of_name(dtype)
        nbytes = bits // 8
        for extent in extents:
            nbytes *= extent
        message = Tensor(None, time, metadata)
        message._dtype = (code, bits)
        message._loan = self._context("loan_tensor").loan(port, nbytes, metadata, (Tensor.kind, code, bits, extents, 0))
        return message

    def loan_bytes(
        self,
        nbytes: int,
        *,
        time: Optional[int] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        port: Optional[str] = None,
    ) -> Bytes:
        """A Bytes message whose `data` (writable, not cleared) is shared memory of `port` already. See loan_audio."""
        message = Bytes(b"", time, metadata)
        message._loan = self._context("loan_bytes").loan(port, nbytes, metadata, (Bytes.kind, 0, 0, None, 0))
        return message

    @property
    def node_id(self) -> str:
        """The node's id in the manifest."""
        return self._context("node_id").node_id

    @property
    def session_id(self) -> str:
        """The session's id (UUIDv7)."""
        return self._context("session_id").session_id

    @property
    def attempt(self) -> int:
        """How often this node was restarted in this session."""
        return self._context("attempt").attempt

    @property
    def stop_requested(self) -> bool:
        """Sources: whether to end the stream. A generator is ended by itself between two messages."""
        return self._context("stop_requested").stop_requested()

    def sleep_until(self, monotonic_ns: int) -> bool:
        """Sources: waits until `time.monotonic_ns()` reaches this; False when asked to stop first.

        Not for nodes with coroutines.
        """
        return self._context("sleep_until").sleep_until(monotonic_ns)

    def _context(self, asked: str) -> Context:
        context = self._penstock_context
        if context is None:
            raise NodeError(
                f"{type(self).__name__}.{asked} works in a running node only, not in __init__; "
                "in tests, run the node with penstock.testing.run"
            )
        return context


def defines_load(cls: type[Node]) -> bool:
    """Whether instances share what a classmethod `load(cls, params)` gives. NodeError when `load` is something else."""
    load = inspect.getattr_static(cls, "load", None)
    if load is None:
        return False
    if not isinstance(load, (classmethod, staticmethod)) or inspect.iscoroutinefunction(load.__func__):
        raise NodeError(
            f"{cls.__name__}.load is called once for all instances of the class: make it a class method, "
            "`@classmethod def load(cls, params)`, or give it another name"
        )
    return True


registry: dict[str, type[Node]] = {}


def node(name: str) -> Callable[[_N], _N]:
    """Registers a node class under a name: a manifest's `node_type`, once its `modules` list the module.

    >>> @node("Upper")
    ... class Upper(Node):
    ...     def process(self, message): ...
    """
    if not isinstance(name, str) or not name:
        raise TypeError('penstock.node takes the registered name: @penstock.node("Name")')

    def register(cls: _N) -> _N:
        if not (inspect.isclass(cls) and issubclass(cls, Node)):
            raise NodeError(
                f"{getattr(cls, '__name__', cls)!s} is registered as node {name!r} "
                "but is not a subclass of penstock.Node"
            )
        other = registry.get(name)
        if other is not None and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            both = " and ".join(f"{each.__module__}:{each.__qualname__}" for each in (other, cls))
            raise NodeError(f"two classes are registered as node {name!r}: {both}")
        registry[name] = cls
        return cls

    return register
