# ruff: noqa: PTH110, PTH118
"""The sources of random pipelines; see noted.py."""

import os
import random
import time
from collections.abc import Iterator
from typing import Any

import penstock
from noted import OVER_ANY_QUOTA, Ledger, perform, stamped, talk
from penstock import Bytes


class Numbers(penstock.Node):
    """A source, until it is stopped or told to finish. Mostly small messages, a large one now and then.

    Of each message it depends on its number alone what it is, so that a successor makes the same ones.
    """

    def setup(self, params: dict[str, Any]) -> None:
        self.ledger, self.params = Ledger(params), params
        self.dice = random.Random(params["seed"])
        self.last = os.path.join(params["folder"], "finish")
        self.next = 0
        with open(self.ledger.fd, closefd=False) as noted:
            self.made = max((int(line[2:]) + 1 for line in noted if line.startswith("M ")), default=0)
        self.ledger.begin()

    def process(self) -> Iterator[Bytes]:
        try:
            while self.next < self.made or not os.path.exists(self.last):  # what it had given before is owed
                place, how = (*self.ledger.take_order(), "", "")[:2]
                if place == "quota":
                    yield Bytes(bytes(OVER_ANY_QUOTA))
                elif place == "talk":
                    talk()
                elif place == "hurry":
                    self.params["pace"] = 0
                elif place == "cheat":
                    self.next += 1
                elif place == "before":
                    perform(how)
                made = self.message(self.next)
                self.ledger.write(f"M {self.next}")
                self.next += 1
                yield made
                if place in ("between", "after"):
                    perform(how)
                if self.next > self.made:  # those before are only made again
                    time.sleep(self.dice.random() * self.params["pace"])
        finally:
            self.ledger.write(f"E {self.next}")

    def message(self, index: int) -> Bytes:
        dice = random.Random(f"{self.params['seed']} {index}")
        size = dice.choice([0, 0, 1, 100, 5000]) if dice.random() < 0.99 else self.params["largest"]
        who = f"{self.ledger.name}.out {self.ledger.name} {index}"
        return stamped(who, bytes([index % 251]) * size, time=index * self.params["period"])


class KeptNumbers(Numbers):
    """One that goes on where it was when it is restarted."""

    def checkpoint(self) -> int:
        return self.next

    def restore(self, state: int) -> None:
        self.next = state


class ReplayedNumbers(Numbers):
    """One that begins anew, with the same messages."""

    replayable = True
