"""Time in a test: it stands still until somebody moves it."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional, Union

from penstock._timers import TimerMethod, Timers, nanoseconds


class Clock:
    """The time of timers in a test. It stands still while handlers run; `wait` among the inputs moves it.

    A handler that takes long is one that moves it itself:

    >>> import penstock
    >>> from penstock import Text, testing
    >>> clock = testing.Clock()
    >>> class Slow(penstock.Node):
    ...     def process(self, message: Text) -> None:
    ...         clock.advance(message.text)
    ...     @penstock.every("1s")
    ...     def tick(self) -> Text:
    ...         return Text(f"at {clock.now_ns / 1e9} s")
    >>> told = testing.run(Slow, [Text("3.5s"), Text("100ms"), testing.wait("1s")], clock=clock)
    >>> [message.text for message in told]
    ['at 3.5 s', 'at 4.0 s']

    For nodes with coroutines it is the time of their event loop too: `asyncio.sleep` and time limits of asyncio end
    when this clock says so, which moves to the next of them as soon as nothing else is to be done.
    """

    def __init__(self) -> None:
        self.now_ns = 0
        """Nanoseconds since the clock was made."""

    def advance(self, duration: Union[str, int, float]) -> None:
        """Moves it, by "1.5s" and the like or a number of seconds. Ticks that are due then run after the handler."""
        self.now_ns += nanoseconds(duration, "by how much a clock advances")


class Wait(NamedTuple):
    """An input that is none: see `wait`."""

    duration_ns: int


def wait(duration: Union[str, int, float]) -> Wait:
    """Among the inputs of `penstock.testing.run`: for so long no message comes. Timers tick at their times meanwhile.

    >>> wait("250ms")
    Wait(duration_ns=250000000)
    """
    return Wait(nanoseconds(duration, "what wait is given"))


class Ticks:
    """Runs a node's timers on a Clock."""

    def __init__(self, methods: tuple[TimerMethod, ...], clock: Clock, tick: Callable[[str], None]) -> None:
        self._clock = clock
        self._tick = tick
        self._timers = Timers(methods, clock.now_ns) if methods else None

    def run_due(self) -> None:
        """As between two messages."""
        timers, now = self._timers, self._clock.now_ns
        if timers is not None and timers.next_ns <= now:
            for method in timers.take(now):
                self._tick(method)

    def wait(self, wait: Wait, move: Callable[[int], None]) -> None:
        """`move` brings the clock to a time, not back."""
        until = self._clock.now_ns + wait.duration_ns
        while self._timers is not None and self._timers.next_ns <= until:
            move(self._timers.next_ns)
            self.run_due()
        move(until)

    def run_forever(self, move: Callable[[int], None]) -> None:
        """Until a tick raises."""
        while self._timers is not None:
            move(self._timers.next_ns)
            self.run_due()


def loop_with(clock: Clock) -> Any:
    """An event loop that has a clock's time."""
    import asyncio
    import selectors

    class Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type, unused-ignore]
        def select(self, timeout: Optional[float] = None) -> Any:
            if timeout is None or timeout <= 0:
                return super().select(timeout)
            events = super().select(0)
            if not events:
                clock.now_ns += max(round(timeout * 1e9), 1)
            return events

    class Loop(asyncio.SelectorEventLoop):
        def time(self) -> float:
            return clock.now_ns / 1e9

    return Loop(Selector())
