"""One round: a pipeline, what is done to it, how it ends, and whether everything was as predicted."""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from endings import ENDINGS, Ending, check_explained, possible
from engines import ENGINE_ENDINGS, again
from faults import FAULTS, HANGS, QUARANTINE, TOGETHER, order
from features import FEATURES
from generator import Wishes, generate
from history import History
from leftovers import Belongings, must_leave_nothing
from model import check
from pipelines import Pipeline
from places import Place
from sessions import Run
from strikes import perform, perform_together, poison, possible_faults, quarantined, together
from tally import Tally, figures_of
from violation import ViolationError

GROUPS = 6  # of faults in a round: one, or several together


@dataclass(frozen=True)
class Options:
    containers: bool = False
    pythons: tuple[str, ...] = ("3.11",)
    faults: tuple[str, ...] = ()  # only these
    features: tuple[str, ...] | None = None  # these
    groups: int = GROUPS
    ending: str | None = None
    sabotage: str | None = None
    clock_offset_s: int = 0
    engine: Any = None  # of its own, for what is done to it

    def arguments(self) -> str:
        """That make the same round again, beside its seed."""
        said = " --containers" if self.containers else ""
        said += f" --pythons {','.join(self.pythons)}" if self.pythons != ("3.11",) else ""
        said += f" --faults '{','.join(self.faults)}'" if self.faults else ""
        said += f" --features '{','.join(self.features)}'" if self.features is not None else ""
        said += f" --groups {self.groups}" if self.groups != GROUPS else ""
        said += f" --ending '{self.ending}'" if self.ending else ""
        said += f" --sabotage {self.sabotage}" if self.sabotage else ""
        said += " --engine" if self.engine is not None else ""
        return said + (f" --clock-offset {self.clock_offset_s}" if self.clock_offset_s else "")


@dataclass
class Round:
    seed: int
    options: Options
    tally: Tally
    folder: Path
    history: History = field(default_factory=History)
    played: set[str] = field(default_factory=set)  # kinds of faults
    done: list[str] = field(default_factory=list)  # for who looks into a violation

    def __post_init__(self) -> None:
        self.dice = random.Random(f"faults {self.seed}")
        endings = ENDINGS if self.options.engine is None else ENGINE_ENDINGS
        root = os.geteuid() == 0  # who may mount a disk, and choose a clock
        given = set(self.options.features or ())
        kinds = [kind for kind, each in endings.items() if (root or not each.small_disk) and not given & each.without]
        kinds = [self.options.ending] if self.options.ending else kinds
        weights = [endings[kind].weight for kind in kinds]
        self.ending: Ending = endings[self.dice.choices(kinds, weights)[0]]
        self.small_disk = self.ending.small_disk or self.wants({"full disk"}, 0.2 if root else 0)
        # What runs in containers has the clock of the host.
        self.clock_offset_s = 86_400 if root and not self.options.containers and self.dice.random() < 0.1 else 0
        self.small_quota = self.wants({"too much shared memory"}, 0.2)
        self.hangs = self.wants(HANGS, 0.3)
        self.few_attempts = self.ending.few_attempts or self.wants({QUARANTINE}, 0.3)

    def wants(self, kinds: set[str], chance: float) -> bool:
        """Whether the pipeline is to be one in which these faults are possible."""
        return self.dice.random() < chance if not self.options.faults else bool(kinds & set(self.options.faults))

    def features(self) -> tuple[str, ...]:
        if self.options.features is not None:
            return (*self.options.features, *self.ending.needs)
        dice = random.Random(f"features {self.seed}")
        wanted = {name for name in FEATURES if dice.random() < 0.3} - self.ending.without
        return tuple(wanted | self.ending.needs)

    def pipeline(self) -> Pipeline:
        options = self.options
        wishes = Wishes(
            containers=options.containers,
            pythons=options.pythons,
            small_quota=self.ending.small_quota or self.small_quota,
            small_disk=self.small_disk,
            hangs=self.hangs,
            few_attempts=self.few_attempts,
            cheat=options.sabotage,
            features=self.features(),
        )
        pipeline = generate(self.seed, self.folder, wishes)
        pipeline.start_timeout_s = self.ending.start_timeout_s
        return pipeline

    def play(self) -> None:
        """Raises ViolationError."""
        place = Place(self.small_disk, self.options.clock_offset_s or self.clock_offset_s, self.options.engine)
        run = Run(self.pipeline(), place)
        try:
            self.play_in(run)
        except ViolationError as violation:
            (self.folder / "stderr.txt").write_text(run.said.text())
            (self.folder / "done.txt").write_text("\n".join(self.done) + "\n")
            raise ViolationError(f"after {self.done[-1] if self.done else 'its start'}: {violation}") from None
        finally:
            run.close()
            again(run)
            shutil.rmtree(place.runtime, ignore_errors=True)
        self.tally.rounds += 1

    def play_in(self, run: Run) -> None:
        if not self.ending.early:
            run.await_start()
            for _ in range(self.options.groups):
                self.strike(run)
            if run.pipeline.cheater is not None:
                order("cheat", str(self.options.sabotage))(run, run.pipeline.cheater)
        if not possible(self.ending, run):
            self.ending = ENDINGS["interrupt"]
        self.history.aborted = self.ending.aborts
        if not self.ending.aborts:
            self.check_quarantine(run)
        self.done.append(f"the end: {self.ending.kind}")
        belongings = None if self.ending.early else Belongings(run)
        wanted = self.ending.play(run, self.dice, self.history)
        code = run.wait()
        if code not in self.ending.codes:
            raise ViolationError(f"it ended with {code} instead of {' or '.join(map(str, self.ending.codes))}")
        check_explained(run, wanted)
        again(run)
        if belongings is not None:
            belongings.must_be_gone()
        else:
            must_leave_nothing(run.place)
        self.tally.endings[self.ending.kind] += 1
        self.tally.left_out += len(run.pipeline.left_out)
        report = run.report() if run.report_file.exists() else None
        account = check(run.pipeline, report, self.history)
        self.tally.began += account.began
        self.tally.arrived += account.arrived
        if report:
            self.tally.totals += figures_of(report)

    def strike(self, run: Run) -> None:
        """A fault at a random node, or several together; each time the pipeline is whole again before the next."""
        choices = self.choices(run)
        if not choices:
            return
        kinds = sorted({kind for kind, _ in choices})
        kinds = [kind for kind in kinds if kind not in self.played] or kinds
        kind = self.dice.choices(kinds, [len(kinds) / 4 if kind == TOGETHER else 1 for kind in kinds])[0]
        names = [name for each, name in choices if each == kind]
        self.played.add(kind)
        before = figures_of(run.status())
        if kind == TOGETHER:
            faults = together(run, self.dice, self.history)
            names = [name for _, name in faults]
            self.done.append("together: " + ", ".join(f"{fault.kind} at {name}" for fault, name in faults))
            perform_together(faults, run, self.history)
        else:
            name = self.dice.choice(names)
            names = [name]
            self.done.append(f"{kind} at {name}")
            if kind == QUARANTINE:
                poison(run, name, self.dice, self.history)
            else:
                perform(FAULTS[kind], run, name, self.history)
        self.tally.add_fault(kind, before, figures_of(run.status()))
        self.tally.roles.update(run.pipeline.nodes[name].role for name in names)

    def choices(self, run: Run) -> list[tuple[str, str]]:
        wanted = self.options.faults
        return [(kind, name) for kind, name in possible_faults(run, self.history) if not wanted or kind in wanted]

    def check_quarantine(self, run: Run) -> None:
        """Exactly the messages that were made to fail are kept, each with the payload that it had."""
        kept: list[dict[str, Any]] = quarantined(run)
        counted = {name: sum(each["node"] == name for each in kept) for name in run.pipeline.busy_steps}
        wanted = {name: self.history.poisoned[name] for name in run.pipeline.busy_steps}
        if counted != wanted:
            raise ViolationError(f"in quarantine are {counted}, instead of {wanted}")
        for each in kept:
            attempts = run.pipeline.nodes[str(each["node"])].max_attempts
            if len(each["failures"]) != attempts:
                raise ViolationError(f"a message is in quarantine after {len(each['failures'])} of {attempts} failures")


def play(seed: int, options: Options, tally: Tally) -> bool:
    """Plays a round. A violation is printed, with all that it takes to look into it, and False returned."""
    folder = Path(tempfile.mkdtemp(prefix="penstock-chaos-"))
    this = Round(seed, options, tally, folder)
    try:
        this.play()
    except ViolationError as violation:
        print(f"VIOLATED: {violation}\n  again with: ./dev chaos --rounds 1 --seed {seed}{options.arguments()}")
        print(f"  manifest, stderr, ledgers and what was done: {folder}", flush=True)
        tally.violations.append({"seed": str(seed), "arguments": options.arguments(), "violation": str(violation)})
        (folder / "violation.json").write_text(json.dumps(tally.violations[-1]))
        return False
    shutil.rmtree(folder)
    return True
