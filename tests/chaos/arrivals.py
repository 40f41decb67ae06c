"""What a consumer must have seen of the stream that it was sent."""

from __future__ import annotations

from dataclasses import dataclass

from history import History
from ledger import Seen
from pipelines import Edge, Ident
from violation import ViolationError


@dataclass(frozen=True)
class Sent:
    """One message of what an output was sent; `sure` unless its handler may have been cut before it was."""

    ident: Ident
    sure: bool = True


def resolved(made: list[Sent], sent: int) -> list[Sent]:
    """Where only the last messages of an output may not have been sent, it is known which they are."""
    sure = sum(each.sure for each in made)
    if all(each.sure for each in made[:sure]) and sure <= sent <= len(made):
        return [Sent(each.ident) for each in made[:sent]]
    return made


class SourceNumbers:
    """Where a source's messages stand in its stream: at their own number."""

    def __init__(self, name: str) -> None:
        self.name = name

    def place(self, ident: Ident) -> int | None:
        return ident[1] if ident[0] == self.name else None

    def unsure(self, place: int) -> bool:
        return False

    exact = True


class SentNumbers:
    def __init__(self, name: str, sent: list[Sent]) -> None:
        self.sent, self.places = sent, {each.ident: place for place, each in enumerate(sent)}
        if len(self.places) != len(sent):
            raise ViolationError(f"the model is wrong: {name} sends a message twice")
        self.exact = all(each.sure for each in sent)

    def place(self, ident: Ident) -> int | None:
        return self.places.get(ident)

    def unsure(self, place: int) -> bool:
        return not self.sent[place].sure


def check_arrivals(
    edge: Edge,
    got: list[Seen],
    stream: SourceNumbers | SentNumbers,
    total: int | None,
    history: History,
    cut_short: bool = False,
) -> None:
    """The consumer saw messages of the stream, in its order, each once; and all of them where nothing may be lost."""
    next_place, last_sequence = 0, -1
    for seen in got:
        place = stream.place(seen.ident)
        if place is None:
            raise ViolationError(f"{edge.consumer} saw {seen.ident} on {edge.id}, which was never sent there")
        if place < next_place:
            raise ViolationError(f"{edge.consumer} saw {seen.ident} on {edge.id} again, or out of order")
        if seen.sequence is not None:
            if seen.sequence <= last_sequence:
                raise ViolationError(f"{edge.id}: number {seen.sequence} came after {last_sequence}")
            last_sequence = seen.sequence
            if stream.exact and seen.sequence != place:
                raise ViolationError(f"{edge.id}: {seen.ident} came with number {seen.sequence} instead of {place}")
        require_nothing_between(edge, stream, next_place, place, history)
        next_place = place + 1
    if total is not None and not cut_short:
        require_nothing_between(edge, stream, next_place, total, history)


def require_nothing_between(
    edge: Edge, stream: SourceNumbers | SentNumbers, first: int, end: int, history: History
) -> None:
    if history.skips(edge):  # how many they are, check_delivered sees
        return
    missed = [place for place in range(first, end) if not stream.unsure(place)]
    if missed:
        raise ViolationError(f"{edge.consumer} never saw {len(missed)} messages of {edge.id}, from number {missed[0]}")
