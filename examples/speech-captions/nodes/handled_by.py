"""A record of who handled a message, which travels with it in its metadata."""

import platform
from collections.abc import Mapping
from typing import Any, Optional


def stamp(node: str, metadata: Optional[Mapping[str, Any]] = None) -> dict[str, Any]:
    """`metadata` with one more entry in `handled_by`: the node, its interpreter's version and its host's name.

    In a container the host's name is the container's.

    >>> stamp("asr", stamp("vad"))["handled_by"][1]["node"]
    'asr'
    """
    entry = {"node": node, "python": platform.python_version(), "host": platform.node()}
    before = dict(metadata or {})
    return {**before, "handled_by": [*before.get("handled_by", []), entry]}
