"""What the running code is part of: a node, a session, a message."""

from __future__ import annotations

from contextvars import ContextVar
from typing import NamedTuple, Optional, Protocol


class Current(NamedTuple):
    """Where code runs: of which node and session, and with which message in hand."""

    node_id: str
    """The node's id in the manifest."""
    session_id: str
    """The session's id (UUIDv7)."""
    port: Optional[str] = None
    """The input that the message came by; None between messages (`setup`, timers, `finish`) and in sources."""
    sequence: Optional[int] = None
    """The number of the message on its producer's output, from 0."""
    trace_id: Optional[str] = None
    """W3C trace id of the message, 32 hexadecimal digits."""


class Tracked(Protocol):
    """What handles messages and can say which. Says it from now on in `message_in_hand`."""

    def start_tracking(self) -> Current: ...


message_in_hand: ContextVar[Optional[Current]] = ContextVar("penstock_message", default=None)
"""Only set once somebody has asked: a node that does not ask does not pay for it."""

_node: ContextVar[Optional[Tracked]] = ContextVar("penstock_node", default=None)


def current() -> Optional[Current]:
    """Node, session, input and number of the message that the calling code handles; None outside of a node.

    It is a context variable: each thread and each task has its own. A task that a handler starts keeps the message of
    that handler, also when the node has gone on to the next one; a thread does if it is started with its context
    (`asyncio.to_thread` does that, `contextvars.copy_context().run` elsewhere), else it has none.

    >>> import logging, penstock
    >>> class InHand(logging.Filter):
    ...     def filter(self, record):
    ...         at = penstock.current()
    ...         record.msg = f"{record.msg} (message {at.sequence} of {at.node_id}.{at.port})" if at else record.msg
    ...         return True
    >>> from penstock import Text, testing
    >>> class Where(penstock.Node):
    ...     def process(self, message: Text) -> Text:
    ...         at = penstock.current()
    ...         return Text(f"{message.text} is {at.port} {at.sequence} of {at.node_id}")
    >>> [m.text for m in testing.run(Where, [Text("a"), Text("b")], node_id="where")]
    ['a is in 0 of where', 'b is in 1 of where']
    >>> penstock.current() is None
    True
    """
    message = message_in_hand.get()
    if message is not None:
        return message
    node = _node.get()
    return None if node is None else node.start_tracking()


def enter(node: Optional[Tracked]) -> None:
    """The calling thread is the node's from now on, with no message in hand; None: it is no node's."""
    _node.set(node)
    message_in_hand.set(None)
