"""Runs bench/NAME.py (all, or those named) and merges their figures into build/bench.json.

Each script writes a JSON list to the path in its first argument; CONTRIBUTING.md describes an object of it. Figures of
scripts that did not run this time are kept. The exit code is 1 when a script failed or gave no proper figure.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

Figure = dict[str, Any]

KEYS = {"id", "value", "unit", "goal", "against", "ratio", "runs"}


def check(script: str, figures: object) -> list[str]:
    """What is wrong with a script's output; empty when nothing is."""
    if not isinstance(figures, list) or not figures:
        return ["it gave no list of figures"]
    problems = []
    seen: set[str] = set()
    for number, figure in enumerate(figures):
        if not isinstance(figure, dict) or figure.keys() != KEYS:
            problems.append(f"figure {number} must have exactly the keys {', '.join(sorted(KEYS))}")
            continue
        name = figure["id"]
        if not isinstance(name, str) or not name.startswith(f"{script}."):
            problems.append(f"the id {name!r} must begin with '{script}.'")
        elif name in seen:
            problems.append(f"the id '{name}' comes twice")
        else:
            seen.add(name)
        for key, types in (
            ("value", (int, float)),
            ("unit", str),
            ("goal", (str, type(None))),
            ("against", (int, float, type(None))),
            ("ratio", (int, float, type(None))),
            ("runs", int),
        ):
            if isinstance(figure[key], bool) or not isinstance(figure[key], types):
                problems.append(f"'{key}' of {name!r} is {figure[key]!r}")
    return problems


def run(script: Path) -> tuple[list[Figure], list[str]]:
    """The figures of one script and what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "figures.json"
        # The interpreter is this one, so that a script may use what tools/requirements.txt installs.
        done = subprocess.run([sys.executable, str(script), str(output)], check=False)
        if done.returncode != 0:
            return [], [f"it exited with code {done.returncode}"]
        try:
            figures = json.loads(output.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            return [], [f"its output cannot be read: {error}"]
    problems = check(script.stem, figures)
    return ([] if problems else figures), problems


def table(figures: list[Figure]) -> str:
    rows = [("figure", "value", "goal", "against", "ratio", "runs")]
    for figure in figures:
        ratio = "" if figure["ratio"] is None else f"{figure['ratio']:.2f}"
        value = f"{figure['value']:.4g} {figure['unit']}"
        rows.append(
            (
                figure["id"],
                value,
                figure["goal"] or "",
                "" if figure["against"] is None else f"{figure['against']:.4g}",
                ratio,
                str(figure["runs"]),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def merge(old: list[Figure], new: list[Figure], ran: set[str]) -> list[Figure]:
    kept = [figure for figure in old if str(figure["id"]).partition(".")[0] not in ran]
    return sorted([*kept, *new], key=lambda figure: str(figure["id"]))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Runs benchmarks and collects their figures.")
    parser.add_argument("names", nargs="*", help="scripts of bench/, without .py; default: all")
    parser.add_argument("--folder", type=Path, default=Path("bench"))
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"))
    options = parser.parse_args(arguments)

    there = {path.stem: path for path in sorted(options.folder.glob("*.py")) if os.access(path, os.X_OK)}
    unknown = [name for name in options.names if name not in there]
    if unknown or not there:
        wanted = options.folder / f"{(unknown or ['*'])[0]}.py"
        print(f"bench: no executable {wanted}; there are: {', '.join(there) or 'none'}", file=sys.stderr)
        return 2
    chosen = options.names or list(there)
    figures: list[Figure] = []
    failed = False
    for name in chosen:
        print(f"==> bench/{name}.py", flush=True)
        found, problems = run(there[name])
        figures += found
        for problem in problems:
            failed = True
            print(f"bench/{name}.py: {problem}", file=sys.stderr)
    old = json.loads(options.output.read_text(encoding="utf-8")) if options.output.exists() else []
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(merge(old, figures, set(chosen)), indent=1) + "\n", encoding="utf-8")
    print(table(figures))
    print(f"written to {options.output}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
