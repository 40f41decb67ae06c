"""What was done to a pipeline, as far as it matters for what its nodes see."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field

from pipelines import Edge


@dataclass
class History:
    gone_together: collections.Counter[str] = field(default_factory=collections.Counter)  # by edge id: how often
    restarts: collections.Counter[str] = field(default_factory=collections.Counter)  # by node: how many must have been
    spare: collections.Counter[str] = field(default_factory=collections.Counter)  # and perhaps so many more
    poisoned: collections.Counter[str] = field(default_factory=collections.Counter)
    aborted: bool = False  # the session ended before its streams had

    def loses(self, edge: Edge) -> bool:
        """Messages may never reach the consumer."""
        return not edge.blocks or self.gone_together[edge.id] > 0

    def skips(self, edge: Edge) -> bool:
        """Messages may have reached it, and have ended with its worker."""
        return self.loses(edge) or not edge.repeats
