"""Penstock's Python SDK: nodes for streaming pipelines over shared memory.

>>> import penstock
>>> from penstock import Audio, Text
>>> class Loudness(penstock.Node):
...     def process(self, sound: Audio) -> Text:
...         return Text("loud" if abs(sound.samples).max() > 0.5 else "quiet")
"""

from __future__ import annotations

from penstock._errors import NodeError, PenstockError, PortError
from penstock._messages import Audio, Bytes, Json, Message, Tensor, Text
from penstock._node import Node, node

__version__ = "0.1.0"

__all__ = [
    "Audio",
    "Bytes",
    "Json",
    "Message",
    "Node",
    "NodeError",
    "PenstockError",
    "PortError",
    "Tensor",
    "Text",
    "node",
]
