"""A source: a node without inputs. Its `process` runs once and yields what it has to say."""

from collections.abc import Iterator
from typing import Any

import penstock
from penstock import Text


class Lines(penstock.Node):
    """Sends each of `params: {lines: […]}` as a message."""

    def setup(self, params: dict[str, Any]) -> None:
        self.lines = [str(line) for line in params["lines"]]

    def process(self) -> Iterator[Text]:
        for line in self.lines:
            yield Text(line)
