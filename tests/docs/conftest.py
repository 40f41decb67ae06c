"""Pages of the documentation, each with a shell of its own in which its commands are run in order."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree

import pytest
from walk import PENSTOCK, REPOSITORY, Walk

DEADLINE = 180  # seconds until a command that hangs is a failed test; nothing is measured against it


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.timeout(DEADLINE))


@pytest.fixture(scope="session")
def walks() -> Iterator[Callable[[Path], Walk]]:
    """The walk through a page, which goes on where the test before it has come to."""
    # Not pytest's: names of sockets are short. Containers must be able to enter it.
    place = Path(tempfile.mkdtemp(prefix="penstock-docs-"))
    place.chmod(0o755)
    known: dict[Path, Walk] = {}

    def walk(page: Path) -> Walk:
        if page not in known:
            folder = place / str(len(known))
            folder.mkdir()
            env = {
                **os.environ,
                "PATH": f"{PENSTOCK.parent}:{os.environ['PATH']}",
                "PYTHONPATH": str(PENSTOCK.parents[1] / "worker" / "python"),
                "XDG_STATE_HOME": str(folder / "state"),
                "XDG_RUNTIME_DIR": str(folder / "runtime"),
                "NO_COLOR": "1",
            }
            (folder / "runtime").mkdir(mode=0o700)
            (folder / "home").mkdir()
            for part in ("docker", "examples", "tools"):  # as in a checkout, which nothing writes into
                (folder / "home" / part).symlink_to(REPOSITORY / part)
            known[page] = Walk(page, folder / "home", env)
        return known[page]

    yield walk
    for each in known.values():
        each.close()
    rmtree(place)
