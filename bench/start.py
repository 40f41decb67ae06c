#!/usr/bin/env python3
"""Cached start of three containers with three Pythons, until all their workers have said hello (SC-005's first half).

`start.cached3` is our own share: what is left of that time when every stretch in which a request to the engine was
under way is taken out. The whole time and the engine's share are shown beside it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from figures import figure, median, node, run, write, write_pipeline

RUNS = 11
NODES = """
import penstock
from penstock import Text

class One(penstock.Node):
    def process(self):
        yield Text("x")

class Pass(penstock.Node):
    def process(self, text: Text) -> Text:
        return text

class End(penstock.Node):
    def process(self, text: Text) -> None:
        pass
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "nodes.py").write_text(NODES)
        nodes = [
            node("a", "nodes:One", python="3.11"),
            node("b", "nodes:Pass", python="3.10"),
            node("c", "nodes:End", python="3.9"),
        ]
        manifest = write_pipeline(folder, nodes, [{"from": "a", "to": "b"}, {"from": "b", "to": "c"}])
        run(manifest)  # warms the page cache, as any second start finds it
        timelines = [run(manifest)["timeline_s"] for _ in range(RUNS)]
    total = median([timeline["hellos"] for timeline in timelines])
    engine = median([timeline["engine_requests"] for timeline in timelines])
    ours = median([timeline["hellos"] - timeline["engine_requests"] for timeline in timelines])
    started = median([timeline["started"] for timeline in timelines])
    write(
        [
            figure("start.cached3", ours, "s", "<= 0.3", RUNS),
            figure("start.cached3.total", total, "s", "shown", RUNS),
            figure("start.cached3.engine", engine, "s", "shown", RUNS),
            figure("start.cached3.started", started, "s", "shown", RUNS),
        ]
    )


if __name__ == "__main__":
    main()
