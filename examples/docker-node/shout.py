"""The custom node: runs in a container and says in which Python."""

import platform
from collections.abc import Iterator

import penstock
from penstock import Text


class Shout(penstock.Node):
    """Text in, the same in capitals out."""

    def process(self, text: Text) -> Iterator[Text]:
        yield Text(f"{text.text.upper()}! (Python {platform.python_version()} on {platform.node()})")
