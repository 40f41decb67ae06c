"""Penstock's Python SDK: nodes for streaming pipelines over shared memory.

A node is a class. What its handler returns goes to the next node of the pipeline; annotations say what it takes and
gives. A manifest says which nodes there are, and where they run ([manifest.md](manifest.md)).

>>> import penstock
>>> from penstock import Audio, Text
>>> class Loudness(penstock.Node):
...     def process(self, sound: Audio) -> Text:
...         return Text("loud" if abs(sound.samples).max() > 0.5 else "quiet")

It needs no pipeline to be tested:

>>> import array
>>> from penstock import testing
>>> tone = Audio(array.array("f", [0.9, -0.9]), rate=16000)
>>> [message.text for message in testing.run(Loudness, [tone])]
['loud']

The SDK runs on CPython 3.9 to 3.13 and needs no other package; numpy is imported when an array is first asked for.
It is in `build/worker/python` of a checkout: nodes find it by themselves, tests and editors by `PYTHONPATH`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock._current import Current, current
    from penstock._errors import MemoryQuotaError, NodeError, PenstockError, PortError
    from penstock._messages import Audio, Bytes, Image, Json, Message, Tensor, Text
    from penstock._node import Node, node
    from penstock._timers import every

__version__ = "0.1.0"

__all__ = [
    "Audio",
    "Bytes",
    "Current",
    "Image",
    "Json",
    "MemoryQuotaError",
    "Message",
    "Node",
    "NodeError",
    "PenstockError",
    "PortError",
    "Tensor",
    "Text",
    "current",
    "every",
    "node",
]

_MODULES = {
    "_current": ("Current", "current"),
    "_errors": ("MemoryQuotaError", "NodeError", "PenstockError", "PortError"),
    "_messages": ("Audio", "Bytes", "Image", "Json", "Message", "Tensor", "Text"),
    "_node": ("Node", "node"),
    "_timers": ("every",),
}


def __getattr__(name: str) -> Any:
    # Imported on first use: a worker greets its runtime before it needs any of these.
    for module, names in _MODULES.items():
        if name in names:
            from importlib import import_module

            value = getattr(import_module(f"penstock.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'penstock' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
