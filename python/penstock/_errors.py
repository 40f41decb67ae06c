"""The SDK's exceptions. (`penstock._core` raises PortError from C++.)"""

from __future__ import annotations


class PenstockError(Exception):
    """Base of what the SDK raises itself."""


class PortError(PenstockError):
    """A port or the connection to the runtime failed.

    >>> error = PortError("exhausted", "edge 'a.out->b.in': 5 messages are held, 4 are allowed")
    >>> error.code
    'exhausted'
    >>> print(error)
    edge 'a.out->b.in': 5 messages are held, 4 are allowed
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


class MemoryQuotaError(PortError):
    """There is no shared memory for a message: the session's `shm_quota_mb`, or the host's memory, is used up.

    Raised where the message is loaned or emitted, before anything is written. The node may go on with smaller messages.

    >>> error = MemoryQuotaError("over quota", "a message of 40000000 bytes does not fit")
    >>> isinstance(error, PortError), error.code
    (True, 'over quota')
    """


class NodeError(PenstockError):
    """A node's class or behaviour is not what the SDK or its manifest expects."""
