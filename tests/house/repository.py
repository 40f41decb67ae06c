"""What the tests of this folder look at: tracked files, and the table of modules in ARCHITECTURE.md."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"


def tracked(*patterns: str) -> list[Path]:
    """Files that are, or are about to be, in the repository; patterns are git's."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    files = {ROOT / name for name in listing.stdout.split("\0") if name}
    return sorted(file for file in files if file.is_file())  # a deleted file is listed until it is committed


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Module:
    name: str
    direct: tuple[str, ...]  # modules that it may include by its row


def parse_modules(text: str) -> list[Module]:
    """Rows `| `src/NAME` | holds | may include |` in their order. The last cell: names, `nothing`, `all above`."""
    modules: list[Module] = []
    for name, cell in re.findall(r"^\| `src/(\w+)` \|[^|]*\|([^|]*)\|$", text, re.MULTILINE):
        above = tuple(module.name for module in modules)
        words = {"nothing": (), "all above": above}.get(cell.strip())
        direct = words if words is not None else tuple(word.strip() for word in cell.split(","))
        unknown = set(direct) - set(above)
        if unknown:
            raise ValueError(f"src/{name} may include {', '.join(sorted(unknown))}, which has no row above it")
        modules.append(Module(name, direct))
    return modules


def modules() -> list[Module]:
    return parse_modules((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))


def reach(rows: list[Module]) -> dict[str, set[str]]:
    """For each module what it may include, itself and what its dependencies may include among it."""
    closed: dict[str, set[str]] = {}
    for module in rows:
        closed[module.name] = {module.name}.union(*(closed[name] for name in module.direct))
    return closed


_INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def includes(text: str) -> list[str]:
    return _INCLUDE.findall(text)
