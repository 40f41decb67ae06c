"""Runs fuzz targets (libFuzzer) and says what they did; ends with 1 when an input was found that breaks one.

What a target finds that reaches new code is kept in build/fuzz/corpus/NAME and starts the next run; an input that
breaks it is kept in build/fuzz/crashes. Targets are built before, see penstock_fuzz in cmake/PenstockTargets.cmake.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

BUILD = Path("build/fuzz")
TARGETS = BUILD / "targets"
# An input that takes so long is as bad as one that crashes; far above what the slowest takes on a loaded machine.
INPUT_TIMEOUT_S = 60
MEMORY_MB = 2048

_STATUS = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)/(\S+)")
_EXECUTED = re.compile(r"stat::number_of_executed_units: (\d+)")
_REPORTED = re.compile(r"^#(\d+)\s", re.MULTILINE)
_KEPT = re.compile(r"Test unit written to (\S+)")
_WHY = re.compile(r"^(?:BROKEN: .*|.*runtime error: .*|==\d+==\s*ERROR: .*)$", re.MULTILINE)


@dataclass(frozen=True)
class Result:
    """Of one target. `coverage` counts edges of the program, `features` also how often each was passed."""

    name: str
    executions: int
    coverage: int
    features: int
    corpus: str
    seconds: float
    failure: str

    def line(self) -> str:
        rate = self.executions / self.seconds if self.seconds > 0 else 0
        figures = f"{self.executions:>11} {rate:>8.0f} {self.coverage:>7} {self.features:>8} {self.corpus:>16}"
        return f"    {self.name:<12} {figures} {self.seconds:>8.1f}  {'CRASHED' if self.failure else 'ok'}"


HEADING = (
    f"    {'target':<12} {'executions':>11} {'a second':>8} {'edges':>7} {'features':>8} {'corpus':>16} {'seconds':>8}"
)


def names() -> list[str]:
    return sorted(path.stem for path in TARGETS.glob("*.json"))


def explain(name: str, output: str) -> str:
    """What is to be known of a failed run: why, the input, how to see it again."""
    kept = _KEPT.search(output)
    why = _WHY.search(output)
    lines = [why.group(0) if why else "\n".join(output.splitlines()[-5:])]
    if kept:
        lines += [f"input: {kept.group(1)}", f"again: {TARGETS / name}_fuzz {kept.group(1)}"]
    return "\n".join(lines)


def run(name: str, limits: list[str]) -> Result:
    description = json.loads((TARGETS / f"{name}.json").read_text())
    corpus, crashes = BUILD / "corpus" / name, BUILD / "crashes"
    corpus.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(parents=True, exist_ok=True)
    command = [str(TARGETS / f"{name}_fuzz"), str(corpus), *description["seeds"], *limits]
    command += [f"-artifact_prefix={crashes}/{name}-", f"-timeout={INPUT_TIMEOUT_S}", f"-rss_limit_mb={MEMORY_MB}"]
    command += ["-print_final_stats=1", f"-max_len={description.get('longest', 4096)}"]
    if description["dictionary"]:
        command.append(f"-dict={description['dictionary']}")
    started = time.monotonic()
    # The fuzzer's own log is long and only of use when something broke.
    log = BUILD / f"{name}.log"
    with log.open("w") as file:
        status = subprocess.run(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, check=False).returncode
    output = log.read_text(errors="replace")
    found = _STATUS.findall(output)
    executed = _EXECUTED.search(output)
    reported = _REPORTED.findall(output)
    coverage, features, count, size = found[-1] if found else (0, 0, 0, "0b")
    return Result(
        name=name,
        executions=int(executed.group(1)) if executed else int(reported[-1]) if reported else 0,
        coverage=int(coverage),
        features=int(features),
        corpus=f"{count}/{size}",
        seconds=time.monotonic() - started,
        failure="" if status == 0 else explain(name, output),
    )


def write_junit(path: Path, results: list[Result]) -> None:
    suite = ElementTree.Element("testsuite", name="fuzz")
    for result in results:
        case = ElementTree.SubElement(
            suite, "testcase", classname="fuzz", name=result.name, time=f"{result.seconds:.1f}"
        )
        if result.failure:
            ElementTree.SubElement(case, "failure", message=result.failure.splitlines()[0]).text = result.failure
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(names())}; default: all")
    parser.add_argument("--seconds", type=int, help="how long each of them runs (default: 60, without --runs)")
    parser.add_argument("--runs", type=int, help="how many inputs each of them gets")
    parser.add_argument("--seed", type=int, help="of the random choices; default: another one each time")
    parser.add_argument("--junit", type=Path, help="write the results there too")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(names())
    if unknown:
        parser.error(f"there is no target {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    seconds = options.seconds if options.seconds or options.runs else 60
    limits = [f"-max_total_time={seconds}"] if seconds else []
    limits += [f"-runs={options.runs}"] if options.runs else []
    limits += [f"-seed={options.seed}"] if options.seed is not None else []
    print(HEADING, flush=True)
    results = []
    for name in options.names or names():
        results.append(run(name, limits))
        print(results[-1].line(), flush=True)
    if options.junit:
        write_junit(options.junit, results)
    failed = [result for result in results if result.failure]
    for result in failed:
        print(f"\n{result.name}:\n{result.failure}\nlog: {BUILD / result.name}.log", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
