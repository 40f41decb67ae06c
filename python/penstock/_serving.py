"""The worker's loop over messages: takes one, hands it to the runner, acknowledges it."""

from __future__ import annotations

import gc
from time import thread_time_ns
from typing import TYPE_CHECKING, Any, Optional

from penstock._context import UserClock
from penstock._errors import PortError
from penstock._runner import Runner

if TYPE_CHECKING:
    from penstock._async import NodeLoop
    from penstock._core import Host

_MESSAGE, _PORT_ENDED = 0, 1


class Inputs:
    """The inputs of a node that handles one message at a time. Lives on the node's thread."""

    def __init__(self, host: Host, runner: Runner) -> None:
        self.in_flight: Optional[tuple[int, int]] = None
        """Input and sequence of the message whose handler failed."""
        self.port_failed = False
        self._host = host
        self._runner = runner

    def serve(self, clock: Optional[UserClock]) -> None:
        """Until all inputs have ended. With a clock, the CPU time that was not the node's own is measured."""
        if self._runner.loop is not None:
            self._runner.loop.run(self._serve_on_loop(self._runner.loop, clock))
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

    async def _serve_on_loop(self, loop: NodeLoop, clock: Optional[UserClock]) -> None:
        """As _serve. What else the node has on its loop gets its turn at each message, and while none is there. Sending
        what a handler returns is not told from the handler when CPU time is measured."""
        host, view = self._host, None
        start = thread_time_ns()
        try:
            while True:
                seen = host.arrivals()
                try:
                    event = host.try_next()
                except PortError as error:
                    event = self._next_after(error)
                if event is None:
                    await loop.wait(seen)
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

    def _next_after(self, error: PortError) -> Any:
        if error.code == "exhausted":
            # Messages in reference cycles are held by nobody but the collector.
            gc.collect()
            return self._host.next()
        self.port_failed = True
        raise error
