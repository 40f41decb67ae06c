#!/usr/bin/env python3
"""The speech-captions example: our own CPU time per message and hop, time to the first caption, end-to-end latency.

`demo.cpu_per_hop` is the p50, over the messages of `vad`, which sees every frame, of the CPU time that its worker
spends on a message outside the user's code (CLOCK_THREAD_CPUTIME_ID of the node's thread).
"""

from __future__ import annotations

import subprocess
import time

from figures import PENSTOCK, REPOSITORY, figure, median, run, write

RUNS = 5
EXAMPLE = REPOSITORY / "examples/speech-captions"
MANIFEST = EXAMPLE / "captions.yaml"


def first_caption() -> float:
    """Seconds from the command to the first line."""
    began = time.monotonic()
    with subprocess.Popen(
        [str(PENSTOCK), "run", str(MANIFEST), "--quiet"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        elapsed = time.monotonic() - began
        process.stdout.read()
    return elapsed


def main() -> None:
    subprocess.run([str(EXAMPLE / "fetch_audio.py")], check=True)
    report_file = REPOSITORY / "build/demo.report"
    first = median([first_caption() for _ in range(RUNS)])
    overhead: dict[str, list[float]] = {}
    for _ in range(RUNS):
        for entry in run(MANIFEST, "--measure-cpu", report=report_file)["nodes"]:
            if entry["placement"] == "container":
                overhead.setdefault(entry["id"], []).append(entry["overhead_cpu_p50_ns"] / 1000)
    medians = {id: median(values) for id, values in overhead.items()}
    figures = [figure("demo.cpu_per_hop", medians["vad"], "us p50", "< 20", RUNS)]
    figures += [
        figure(f"demo.cpu_per_hop.{id}", value, "us p50", "< 20 per frame; asr and pitch see ten segments", RUNS)
        for id, value in medians.items()
    ]
    figures.append(figure("demo.first_caption", first, "s", "shown", RUNS))
    write(figures)


if __name__ == "__main__":
    main()
