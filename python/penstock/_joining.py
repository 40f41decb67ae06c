"""The worker's part of `join`: takes messages from the ports as the matching asks for them, and handles the sets.

A message is acknowledged when no set can need it any more, a leader when its set is handled. A worker that replaces
this one therefore makes the same sets again, in the same order, beginning with the one that was not handled to its end;
and as all outputs have the leader for their origin, what was published for that one already is not published twice.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from time import thread_time_ns
from typing import TYPE_CHECKING, Any, Optional

from penstock._context import UserClock
from penstock._errors import NodeError, PortError
from penstock._local import View
from penstock._matching import Matching
from penstock._ports import NodePorts
from penstock._runner import Runner

if TYPE_CHECKING:
    from penstock._core import Host


def leading_first(ports: NodePorts, connected: list[str], node_id: str) -> list[tuple[str, int]]:
    """The inputs in the order of their declaration, each with its index in `connected`."""
    absent = [port for port in ports.inputs if port not in connected]
    if absent:
        raise NodeError(
            f"node {node_id!r} has `join`, which needs a message of every input, but nothing is connected to its input "
            f"{absent[0]!r}"
        )
    return [(port, connected.index(port)) for port in ports.inputs]


class JoinedInputs:
    """The inputs of a node that joins them. Lives on the node's thread."""

    def __init__(self, host: Host, runner: Runner, ports: NodePorts, configuration: Mapping[str, Any]) -> None:
        order = leading_first(ports, configuration["input_ports"], configuration["node"])
        self.in_flight: Optional[tuple[int, int]] = None
        """Input and sequence of the message that is looked at, or whose set is handled."""
        self.port_failed = False
        self._host = host
        self._runner = runner
        self._ports = [port for _, port in order]
        self._matching: Matching[View] = Matching([name for name, _ in order], configuration["join_tolerance_ns"])
        self._clock: Optional[UserClock] = None

    def serve(self, clock: Optional[UserClock]) -> None:
        """Until all inputs have ended. With a clock, the CPU time that was not the node's own is measured."""
        self._clock = clock
        matching = self._matching
        start = thread_time_ns()
        while True:
            wanted = matching.wants()
            self._release()
            if wanted is not None:
                self._take(wanted)
            elif self._handle():
                start = self._acknowledge(start)
            else:
                return

    # Each of these forgets its messages when it returns: the slot of one that is referred to stays taken.

    def _release(self) -> None:
        for position, view in self._matching.released():
            self._host.release(self._ports[position], view.sequence)

    def _take(self, position: int) -> None:
        port = self._ports[position]
        try:
            view = self._host.take(port)
        except PortError as error:
            if error.code != "exhausted":
                self.port_failed = True
                raise
            # Messages in reference cycles are held by nobody but the collector.
            gc.collect()
            view = self._host.take(port)
        if view is None:
            self._matching.end(position)
            return
        self.in_flight = (port, view.sequence)
        self._matching.give(position, view, view.time, view.sequence)
        self.in_flight = None

    def _handle(self) -> bool:
        views = self._matching.joined()
        if views is None:
            return False
        self._host.begin(views)
        self.in_flight = (self._ports[0], views[0].sequence)
        if self._clock is not None:
            self._clock.user_ns = 0
        self._runner.handle_set(self._ports, views, self._clock)
        self.in_flight = None
        return True

    def _acknowledge(self, start: int) -> int:
        end = start if self._clock is None else thread_time_ns()
        self._host.acknowledge(0 if self._clock is None else max(end - start - self._clock.user_ns, 0))
        self._matching.done()
        return end
