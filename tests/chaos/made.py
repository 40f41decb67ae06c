"""How many messages a source has made, by what its workers wrote down."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines import Node
from violation import ViolationError


@dataclass
class Made:
    """The last message that a worker was about to send may not have been sent: all before it were."""

    before: int = 0  # by the workers that were replaced
    now: int = 0
    upcoming: int | None = None
    ended: int | None = None

    def begin(self) -> None:
        """A worker begins."""
        self.before = self.now
        self.upcoming = self.ended = None

    def add(self, node: Node, number: int) -> None:
        """Raises where a worker leaves one out, or a successor does not begin where its state says."""
        if self.upcoming is not None:
            wanted = {self.upcoming}
        else:
            wanted = {max(self.before - 1, 0), self.before} if node.state == "kept" else {0}
        if number not in wanted:
            raise ViolationError(f"{node.id} made message {number}, instead of {sorted(wanted)}")
        self.upcoming = number + 1
        self.now = max(self.now, self.upcoming)

    def sent(self) -> range:
        """How many may have been sent when the streams have ended. A successor may be stopped before it has begun."""
        if self.ended is None and not self.before:
            return range(0)
        ended = self.ended or 0
        return range(max(ended, self.before - 1), max(ended, self.before) + 1)
