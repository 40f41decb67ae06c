#!/usr/bin/env python3
"""Cached start of three containers with three Pythons, until all their workers have said hello (SC-005).

`start.cached3` is our own share: what is left of that time when every stretch in which a request to the engine was
under way is taken out. The whole time and the engine's share are shown beside it. `start.warm` is the same with one
container that an earlier session left warm, `start.warm3` with three; cold and warm starts alternate.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from figures import PENSTOCK, figure, median, node, run, write, write_pipeline

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


def three_pythons(keep_warm: int) -> list[dict[str, Any]]:
    return [
        node("a", "nodes:One", python="3.11", keep_warm=keep_warm),
        node("b", "nodes:Pass", python="3.10", keep_warm=keep_warm),
        node("c", "nodes:End", python="3.9", keep_warm=keep_warm),
    ]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        cold, warm, warm_one = folder / "cold", folder / "warm", folder / "one"
        for each in (cold, warm, warm_one):
            each.mkdir()
            (each / "nodes.py").write_text(NODES)
        chain = [{"from": "a", "to": "b"}, {"from": "b", "to": "c"}]
        cold_manifest = write_pipeline(cold, three_pythons(keep_warm=0), chain)
        warm_manifest = write_pipeline(warm, three_pythons(keep_warm=60), chain)
        one = [node("a", "nodes:One", python="3.11", keep_warm=60), node("c", "nodes:End")]
        one_manifest = write_pipeline(warm_one, one, [{"from": "a", "to": "c"}])
        # The first of each warms the page cache, as any second start finds it, and the containers.
        manifests = (cold_manifest, warm_manifest, one_manifest)
        for manifest in manifests:
            run(manifest)
        rounds = [[run(manifest)["timeline_s"] for manifest in manifests] for _ in range(RUNS)]
        subprocess.run([str(PENSTOCK), "gc", "--warm"], check=True, stdout=subprocess.DEVNULL)
    timelines = [cold for cold, _, _ in rounds]
    total = median([timeline["hellos"] for timeline in timelines])
    engine = median([timeline["engine_requests"] for timeline in timelines])
    ours = median([timeline["hellos"] - timeline["engine_requests"] for timeline in timelines])
    started = median([timeline["started"] for timeline in timelines])
    write(
        [
            figure("start.cached3", ours, "s", "<= 0.3", RUNS),
            figure("start.cached3.total", total, "s", "<= 0.8", RUNS),
            figure("start.cached3.engine", engine, "s", "shown", RUNS),
            figure("start.cached3.started", started, "s", "shown", RUNS),
            figure("start.warm", median([one["hellos"] for _, _, one in rounds]), "s", "<= 0.1", RUNS),
            figure("start.warm3", median([warm["hellos"] for _, warm, _ in rounds]), "s", "shown", RUNS, total),
        ]
    )


if __name__ == "__main__":
    main()
