"""Which messages of several ports belong together by their media times: the algorithm of `join`, without any I/O.

The first port leads. Each of its messages, in order, is joined with one message of every other port: with the last one
before its time or the first one at or after it, whichever is nearer (the earlier when both are equally near), if that
is within the tolerance. Which it is cannot change any more once the port has shown a message at or after the leader's
time, or has ended. So the sets depend on the media times alone, not on when messages arrive.

What decides next is asked for by name (`wants`), and nothing is taken before it is needed: at most one message of the
leading port and two of every other one are kept. What no set can need any more is let go of in the order in which it
came, so that acknowledging it says "and all before". Starting anew with what was not let go of gives the same sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Optional, TypeVar

from penstock._errors import NodeError

_T = TypeVar("_T")


class _Kept(Generic[_T]):
    """A message that a set may still need."""

    __slots__ = ("joined", "message", "time")

    def __init__(self, message: _T, time: int) -> None:
        self.message = message
        self.time = time
        self.joined = False


class _Partner(Generic[_T]):
    """What is kept of a port that does not lead, for a leader at time t: before < t <= ahead."""

    __slots__ = ("ahead", "before")

    def __init__(self) -> None:
        self.before: Optional[_Kept[_T]] = None
        self.ahead: Optional[_Kept[_T]] = None


class Matching(Generic[_T]):
    """Give it what `wants` asks for, until there is a set (`joined`) or nothing is wanted any more.

    >>> matching = Matching(["audio", "speaker"], tolerance_ns=20)
    >>> matching.wants()
    0
    >>> matching.give(0, "a100", 100)
    >>> matching.wants()
    1
    >>> matching.give(1, "s90", 90)
    >>> matching.wants()  # the next one may be nearer
    1
    >>> matching.give(1, "s112", 112)
    >>> matching.wants() is None, matching.joined()
    (True, ['a100', 's90'])
    >>> matching.done()
    >>> matching.wants()
    0
    >>> matching.give(0, "a150", 150)
    >>> matching.wants(), matching.released()
    (1, [(1, 's90'), (1, 's112')])
    """

    def __init__(self, ports: Sequence[str], tolerance_ns: int) -> None:
        self.unmatched = [0] * len(ports)
        """By port: messages that were let go of and had been in no set."""
        self._ports = list(ports)
        self._tolerance = tolerance_ns
        self._leader: Optional[_Kept[_T]] = None
        self._partners: list[_Partner[_T]] = [_Partner() for _ in ports[1:]]
        self._chosen: Optional[list[_Kept[_T]]] = None
        self._ended = [False] * len(ports)
        self._latest: list[Optional[int]] = [None] * len(ports)
        self._released: list[tuple[int, _T]] = []

    def wants(self) -> Optional[int]:
        """The port whose next message, or end, is needed. None: there is a set, or all ports have ended."""
        while self._chosen is None:
            if self._leader is None:
                return self._without_leader()
            port = self._decide(self._leader)
            if port is not None:
                return port
        return None

    def give(self, port: int, message: _T, time: Optional[int], number: Optional[int] = None) -> None:
        """The next message of a port. NodeError without a media time, or with one before that of its predecessor.

        `number` names the message then.
        """
        latest = self._latest[port]
        if time is None or (latest is not None and time < latest):
            raise NodeError(self._bad_time(port, time, number))
        self._latest[port] = time
        kept = _Kept(message, time)
        if port == 0:
            self._leader = kept
        elif self._leader is None:
            self._let_go(port, kept)
        else:
            self._partners[port - 1].ahead = kept

    def end(self, port: int) -> None:
        """The port will have no further messages."""
        self._ended[port] = True

    def joined(self) -> Optional[list[_T]]:
        """A set, one message of each port in their order; None when `wants` names a port, or all is over."""
        if self._chosen is None:
            return None
        return [kept.message for kept in self._chosen]

    def done(self) -> None:
        """The set is handled, and its leader with it: that one is not among those `released`."""
        self._leader = self._chosen = None

    def released(self) -> list[tuple[int, _T]]:
        """Port and message of what was let go of since this was asked last; of each port in order."""
        released, self._released = self._released, []
        return released

    def _without_leader(self) -> Optional[int]:
        if not self._ended[0]:
            return 0
        for port, partner in enumerate(self._partners, 1):
            self._let_go(port, partner.before)
            self._let_go(port, partner.ahead)
            partner.before = partner.ahead = None
        return self._ended.index(False) if False in self._ended else None

    def _decide(self, leader: _Kept[_T]) -> Optional[int]:
        """The port that the leader waits for; None when its set is chosen, or there is none."""
        chosen, waits_for = [leader], None
        for port, partner in enumerate(self._partners, 1):
            self._advance(port, partner, leader.time)
            if partner.ahead is None and not self._ended[port]:
                waits_for = waits_for or port
                continue
            nearest = self._nearest(partner, leader.time)
            if nearest is None:
                self._leader = None
                self._let_go(0, leader)
                return None
            chosen.append(nearest)
        if waits_for is None:
            for kept in chosen:
                kept.joined = True
            self._chosen = chosen
        return waits_for

    def _advance(self, port: int, partner: _Partner[_T], time: int) -> None:
        if partner.ahead is not None and partner.ahead.time < time:
            self._let_go(port, partner.before)
            partner.before, partner.ahead = partner.ahead, None
        if partner.before is not None and partner.before.time < time - self._tolerance:
            self._let_go(port, partner.before)
            partner.before = None

    def _nearest(self, partner: _Partner[_T], time: int) -> Optional[_Kept[_T]]:
        before, ahead = partner.before, partner.ahead
        if ahead is None or ahead.time > time + self._tolerance:
            return before
        if before is None or ahead.time - time < time - before.time:
            return ahead
        return before

    def _let_go(self, port: int, kept: Optional[_Kept[_T]]) -> None:
        if kept is None:
            return
        if not kept.joined:
            self.unmatched[port] += 1
        self._released.append((port, kept.message))

    def _bad_time(self, port: int, time: Optional[int], number: Optional[int]) -> str:
        which = "a message" if number is None else f"message {number}"
        which += f" of input {self._ports[port]!r}"
        if time is None:
            return (
                f"{which} has no media time, and this node joins its inputs by it: give `time` to the messages "
                "where they are made"
            )
        return (
            f"{which} has the media time {time} ns, but the one before it had {self._latest[port]} ns: a node that "
            "joins its inputs needs messages in the order of their media times"
        )
