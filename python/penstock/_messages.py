"""All message types, by the numbers that headers have for them."""

from __future__ import annotations

from penstock._media import Audio, Image, Tensor
from penstock._message import KIND_NAMES, Bytes, Encoded, Json, Message, Text

__all__ = ["BY_KIND", "KIND_NAMES", "Audio", "Bytes", "Encoded", "Image", "Json", "Message", "Tensor", "Text"]

BY_KIND: dict[int, type[Message]] = {cls.kind: cls for cls in (Audio, Image, Tensor, Text, Json, Bytes)}
