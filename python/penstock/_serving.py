"""The worker's loop over messages: takes one, hands it to the runner, acknowledges it."""

from __future__ import annotations

import gc
from time import monotonic_ns, thread_time_ns
from typing import TYPE_CHECKING, Any, Optional

from penstock._context import UserClock
from penstock._errors import PortError
from penstock._runner import Runner
from penstock._timers import TimerMethod, Timers

if TYPE_CHECKING:
    from penstock._async import NodeLoop
    from penstock._core import Host

_MESSAGE, _PORT_ENDED, _TIME = 0, 1, 4


class Inputs:
    """The inputs of a node that handles one message at a time, and its timers. Lives on the node's thread."""

    def __init__(self, host: Host, runner: Runner, timers: tuple[TimerMethod, ...]) -> None:
        self.in_flight: Optional[tuple[int, int]] = None
        """Input and sequence of the message whose handler failed."""
        self.port_failed = False
        self._host = host
        self._runner = runner
        self._timer_methods = timers

    def serve(self, clock: Optional[UserClock]) -> None:
        """Until all inputs have ended, or a node that has none is asked to stop. With a clock, the CPU time that was
        not the node's own is measured."""
        timers = Timers(self._timer_methods, monotonic_ns()) if self._timer_methods else None
        if self._runner.loop is not None:
            self._runner.loop.run(self._serve_on_loop(self._runner.loop, timers, clock))
        elif timers is not None:
            self._serve_timed(timers, clock)
        elif clock is not None:
            self._serve_measured(clock)
        else:
            self._serve()

    def _serve(self) -> None:
        # The hot loop. Nothing may refer to a message while the next one is awaited: its slot would stay taken.
        next_event, acknowledge, handle = self._host.next, self._host.acknowledge, self._runner.handle
        view = None
        try:
            while True:
                try:
                    kind, port, view = next_event()
                except PortError as error:
                    kind, port, view = self._next_after(error)
                if kind == _MESSAGE:
                    handle(port, view)
                    view = None
                    acknowledge(0)
                elif kind != _PORT_ENDED:
                    return
        except BaseException:
            if view is not None:
                self.in_flight = (port, view.sequence)
            raise

    def _serve_measured(self, clock: UserClock) -> None:
        """As _serve, with the CPU time between two acknowledgements that was not the node's own."""
        host = self._host
        view = None
        start = thread_time_ns()
        try:
            while True:
                try:
                    kind, port, view = host.next()
                except PortError as error:
                    kind, port, view = self._next_after(error)
                if kind == _MESSAGE:
                    clock.user_ns = 0
                    self._runner.handle_measured(port, view, clock)
                    view = None
                    end = thread_time_ns()
                    host.acknowledge(max(end - start - clock.user_ns, 0))
                    start = end
                elif kind != _PORT_ENDED:
                    return
        except BaseException:
            if view is not None:
                self.in_flight = (port, view.sequence)
            raise

    def _serve_timed(self, timers: Timers, clock: Optional[UserClock]) -> None:
        """As _serve, with the ticks that are due after each message, and while none is there."""
        host, view = self._host, None
        start = thread_time_ns()
        try:
            while True:
                now = monotonic_ns()
                if timers.next_ns <= now and host.begin_tick():
                    for method in timers.take(now):
                        self._runner.tick(method)
                    start = thread_time_ns()
                try:
                    kind, port, view = host.next_until(timers.next_ns)
                except PortError as error:
                    kind, port, view = self._next_after(error)
                if kind == _MESSAGE:
                    if clock is None:
                        self._runner.handle(port, view)
                    else:
                        clock.user_ns = 0
                        self._runner.handle_measured(port, view, clock)
                    view = None
                    end = thread_time_ns()
                    host.acknowledge(0 if clock is None else max(end - start - clock.user_ns, 0))
                    start = end
                elif kind not in (_PORT_ENDED, _TIME):
                    return
        except BaseException:
            if view is not None:
                self.in_flight = (port, view.sequence)
            raise

    async def _serve_on_loop(self, loop: NodeLoop, timers: Optional[Timers], clock: Optional[UserClock]) -> None:
        """As _serve. What else the node has on its loop gets its turn at each message, and while none is there. Sending
        what a handler returns is not told from the handler when CPU time is measured."""
        host, view = self._host, None
        start = thread_time_ns()
        try:
            while True:
                ticked = await self._tick_on_loop(timers)
                seen = host.arrivals()
                try:
                    event = host.try_next()
                except PortError as error:
                    event = self._next_after(error)
                if event is None:
                    if not ticked:  # what it was to come after may have been done already, or not come
                        ticked = await self._tick_on_loop(timers)
                    await loop.wait(seen, (timers.next_ns - monotonic_ns()) / 1e9 if timers and ticked else None)
                    continue
                kind, port, view = event
                del event
                if kind == _MESSAGE:
                    handling = thread_time_ns()
                    await self._runner.handle_on_loop(port, view)
                    view = None
                    end = thread_time_ns()
                    host.acknowledge(0 if clock is None else clock.outside(start, handling, end))
                    start = end
                    await loop.give_way()
                elif kind != _PORT_ENDED:
                    return
        except BaseException:
            if view is not None:
                self.in_flight = (port, view.sequence)
            raise

    async def _tick_on_loop(self, timers: Optional[Timers]) -> bool:
        """False when a tick is due that must not run before the next message."""
        now = monotonic_ns()
        if timers is None or timers.next_ns > now:
            return True
        if not self._host.begin_tick():
            return False
        for method in timers.take(now):
            await self._runner.tick_on_loop(method)
        return True

    def _next_after(self, error: PortError) -> Any:
        if error.code == "exhausted":
            # Messages in reference cycles are held by nobody but the collector.
            gc.collect()
            return self._host.next()
        self.port_failed = True
        raise error
