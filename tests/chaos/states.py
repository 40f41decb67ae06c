"""What a node keeps over the end of its worker is never behind, and never ahead of what it handled."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from history import History
from ledger import Ledger, Seen
from violation import ViolationError

NOTHING = "0:0"


def after(seen: Seen) -> str:
    """What nodes.Kept keeps once that message is handled."""
    count, digest = map(int, seen.state.split(":"))
    path, index = seen.ident
    return f"{count + 1}:{zlib.crc32(f'{path} {index}'.encode(), digest)}"


def possible(last: Seen | None, history: History) -> Iterator[str]:
    if last is None:
        yield NOTHING
        return
    given_up = last.sent is not None  # it is in quarantine
    if not given_up:
        yield after(last)
    if given_up or (last.cut and history.skips(last.edge)):
        yield last.state


def check_states(ledger: Ledger, history: History) -> None:
    """That a message which came again met the same state, ledger.parse sees."""
    last: Seen | None = None
    for seen in ledger.seen:
        wanted = list(possible(last, history))
        if seen.state not in wanted:
            raise ViolationError(f"{ledger.node} had the state {seen.state} before {seen.ident}, instead of {wanted}")
        last = seen
