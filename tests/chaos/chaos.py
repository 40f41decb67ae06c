"""Random pipelines under random faults, against what their nodes must see: `./dev chaos --seed S --minutes N`.

Every round prints its seed; the same seed makes the same pipeline and the same faults, though not at the same instants.
What a round may lose, and what it may not, says model.py.
"""

from __future__ import annotations

import argparse
import dataclasses
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "support"))

from endings import ENDINGS
from engines import ENGINE_ENDINGS, own_engine
from faults import FAULTS, QUARANTINE, TOGETHER
from features import FEATURES, PLAIN
from rounds import GROUPS, Options, play
from tally import Tally

KINDS = [*FAULTS, TOGETHER, QUARANTINE]


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=None, help="of the first round (default: the time)")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=None, help="so many, however long they take")
    parser.add_argument("--containers", action="store_true", help="some nodes in containers")
    parser.add_argument("--pythons", type=words, default=("3.11",), help="of containers, separated by commas")
    parser.add_argument(
        "--faults", type=words, default=(), help=f"only these: {', '.join([*FAULTS, TOGETHER, QUARANTINE])}"
    )
    parser.add_argument(
        "--features", type=words, default=None, help=f"each pipeline has these, or plain: {', '.join(FEATURES)}"
    )
    parser.add_argument("--groups", type=int, default=GROUPS, help="how often something is done in a round")
    parser.add_argument("--engine", action="store_true", help="one of our own, which is stopped or killed")
    parser.add_argument("--ending", choices=[*ENDINGS, *ENGINE_ENDINGS], default=None, help="only this one")
    parser.add_argument("--clock-offset", type=int, default=0, help="of CLOCK_MONOTONIC on the host, in seconds")
    parser.add_argument("--sabotage", default=None, help="has a node do what must be noticed: drop, repeat, reorder, …")
    parser.add_argument("--keep-going", action="store_true", help="after a violation, too")
    parser.add_argument("--report", type=Path, default=None, help="a JSON file with the figures")
    options = parser.parse_args()
    if unknown := set(options.faults) - set(KINDS):
        parser.error(f"there is no fault {', '.join(sorted(unknown))}")
    if unknown := set(options.features or ()) - {*FEATURES, PLAIN}:
        parser.error(f"there is no feature {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended, too
    wanted = Options(
        containers=options.containers or options.engine,
        pythons=options.pythons,
        faults=options.faults,
        features=options.features,
        groups=options.groups,
        ending=options.ending,
        sabotage=options.sabotage,
        clock_offset_s=options.clock_offset,
    )
    with ExitStack() as held:
        engine = held.enter_context(own_engine(options.pythons)) if options.engine else None
        return play_all(options, dataclasses.replace(wanted, engine=engine))


def play_all(options: argparse.Namespace, wanted: Options) -> int:
    seed = options.seed if options.seed is not None else int(time.time())
    end = time.monotonic() + 60 * options.minutes
    tally, played = Tally(), 0
    try:
        while played < options.rounds if options.rounds is not None else time.monotonic() < end:
            good = play(seed, wanted, tally)
            if good:
                print(f"seed {seed}: good", flush=True)
            elif not options.keep_going:
                break
            seed, played = seed + 1, played + 1
    finally:
        print(tally.text())
        if options.report is not None:
            tally.write(options.report)
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
