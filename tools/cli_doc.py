"""Writes docs/cli.md from the help of `penstock` itself: `tools/cli_doc.py [--check] [PENSTOCK]`.

With --check nothing is written; the exit code is 1 when the page is not what the program says.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "cli.md"
HEAD = """# The command line

What `penstock` says when asked for help, of every command: `tools/cli_doc.py` writes this page, and
`tests/house/test_cli_doc.py` holds it against the program. What is printed with `--json` is in [json.md](json.md).

Colours and the line of progress appear on a terminal only; with `NO_COLOR` set to anything, no colours there either.
In a pipe every line is whole, on a terminal tables are cut to its width. When a reader of stdout has enough, a command
ends without an error. Errors go to stderr, begin with `penstock: error:` and say what to do.
"""
COMMANDS = re.compile(r"^Commands:\n((?:  .*\n)+)", re.MULTILINE)


def help_of(program: Path, words: tuple[str, ...]) -> str:
    """As in a pipe, where it has a width of its own."""
    done = subprocess.run([program, *words, "--help"], capture_output=True, text=True, check=True)
    return done.stdout


def commands(program: Path, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every command with its help, each before those below it."""
    text = help_of(program, words)
    yield words, text
    listed = COMMANDS.search(text)
    for name in re.findall(r"^  (\S+)", listed.group(1), re.MULTILINE) if listed else ():
        yield from commands(program, (*words, name))


def page(program: Path) -> str:
    parts = [HEAD]
    for words, text in commands(program):
        title = " ".join(("penstock", *words))
        parts.append(f"{'#' * (2 + max(0, len(words) - 1))} {title}\n\n```text\n{text.rstrip()}\n```\n")
    return "\n".join(parts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("program", nargs="?", type=Path, default=ROOT / "build" / "bin" / "penstock")
    options = parser.parse_args()
    text = page(options.program)
    if not options.check:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{PAGE} is not what {options.program} says: run tools/cli_doc.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
