"""Timers of a node: methods that are called at their times, between messages."""

from __future__ import annotations

import inspect
import re
from typing import Any, Callable, NamedTuple, TypeVar, Union

from penstock._errors import NodeError
from penstock._node import Node

_F = TypeVar("_F", bound=Callable[..., Any])
_MARK = "_penstock_every_ns"
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_DURATION = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(\w*)\s*")
_MOST_NS = 7 * 24 * 3600 * 10**9


def nanoseconds(duration: Union[str, int, float], what: str) -> int:
    """A duration as manifests have them: "250ms", "1.5s", "5m"; a bare number is seconds.

    >>> nanoseconds("250ms", "the period"), nanoseconds(1.5, "the period")
    (250000000, 1500000000)
    """
    if isinstance(duration, str):
        parts = _DURATION.fullmatch(duration)
        unit = _UNITS.get(parts.group(2) or "s") if parts else None
        if parts is None or unit is None:
            raise ValueError(f'{what} is {duration!r}: write a duration such as "250ms", "1s" or "5m"')
        value = round(float(parts.group(1)) * unit)
    elif isinstance(duration, (int, float)) and not isinstance(duration, bool):
        value = round(duration * 10**9)
    else:
        raise TypeError(f'{what} is {duration!r}: write a duration such as "250ms" or a number of seconds')
    if not 0 < value <= _MOST_NS:
        raise ValueError(f"{what} is {duration!r}: it must be above 0, and at most 7 days")
    return value


def every(period: Union[str, int, float]) -> Callable[[_F], _F]:
    """Has a method of a node called every `period`: "250ms", "1s", "5m", or a number of seconds.

    The method takes nothing but `self`, and gives what a handler gives: messages that it returns, yields or emits. It
    may be a coroutine. It runs on the node's thread between two messages, never during one, so it needs no locks.

    - Ticks lie at whole multiples of the period after the start of the stream, the first one a period after it.
    - A tick that is late (a message was handled, or an output had no room) runs as soon as that is over. Of several
      that were missed by then one runs, and the next is on time again: ticks are left out, not made up.
    - At most one tick of each timer runs between two messages. Several that are due run in the order of their times,
      and at equal times in that of their definition.
    - When all inputs have ended no tick runs any more, not even one that is due; then comes `finish`.
    - What a tick sends has no media time unless it is given one, and a trace of its own.
    - A node that takes the place of one that failed begins its timers anew, after the message that its predecessor had
      in hands. What ticks have sent is not sent again, and never left out. A state is kept after a tick too.
    - `process_timeout` does not count ticks.

    A node without inputs may have timers instead of `process`: they run until it is asked to stop. With `join` in its
    manifest a node cannot have timers.

    >>> import penstock
    >>> from penstock import Json, Text, testing
    >>> class Rate(penstock.Node):
    ...     count = 0
    ...     def process(self, message: Text) -> None:
    ...         self.count += 1
    ...     @penstock.every("1s")
    ...     def report(self) -> Json:
    ...         count, self.count = self.count, 0
    ...         return Json(count)
    >>> told = testing.run(Rate, [Text("a"), Text("b"), testing.wait("1s"), Text("c"), testing.wait("2s")])
    >>> [message.value for message in told]
    [2, 1, 0]
    """
    period_ns = nanoseconds(period, "the period of penstock.every")

    def mark(method: _F) -> _F:
        if not inspect.isfunction(method):
            raise TypeError("penstock.every is for methods: write it directly above `def`, as the innermost decorator")
        setattr(method, _MARK, period_ns)
        return method

    return mark


class TimerMethod(NamedTuple):
    """A method that is called every `period_ns`."""

    name: str
    period_ns: int


def timers_of(cls: type[Node], handlers: list[str]) -> tuple[TimerMethod, ...]:
    """In the order of their definition, those of base classes first. NodeError for methods that cannot be timers."""
    names = dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base))
    found = []
    for name in names:
        method = inspect.getattr_static(cls, name, None)
        period_ns = getattr(method, _MARK, None)
        if period_ns is None:
            continue
        if name in (*handlers, "setup", "finish", "teardown", "load", "checkpoint", "restore", "__init__"):
            raise NodeError(f"{cls.__name__}.{name} is called by itself: give what penstock.every calls another name")
        required = [p for p in list(inspect.signature(method).parameters.values())[1:] if p.default is p.empty]
        if any(p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in required):
            raise NodeError(f"{cls.__name__}.{name} is called by penstock.every with nothing but self")
        found.append(TimerMethod(name, period_ns))
    return tuple(found)


class Timers:
    """When the timers of one node are due. Lives on its thread.

    >>> timers = Timers((TimerMethod("fast", 10), TimerMethod("slow", 25)), now_ns=100)
    >>> timers.next_ns, timers.take(109)
    (110, [])
    >>> timers.take(131)  # fast was due at 110, 120 and 130, slow at 125
    ['fast', 'slow']
    >>> timers.next_ns
    140
    """

    def __init__(self, methods: tuple[TimerMethod, ...], now_ns: int) -> None:
        self._methods = methods
        self._due = [now_ns + method.period_ns for method in methods]
        self.next_ns = min(self._due)

    def take(self, now_ns: int) -> list[str]:
        """The methods to call now, in their order."""
        due = sorted((time, index) for index, time in enumerate(self._due) if time <= now_ns)
        for time, index in due:
            period = self._methods[index].period_ns
            self._due[index] = time + ((now_ns - time) // period + 1) * period
        self.next_ns = min(self._due)
        return [self._methods[index].name for _, index in due]
