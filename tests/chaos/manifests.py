"""The manifest of a pipeline, and the files beside it."""

from __future__ import annotations

import json
import shutil
import wave
from array import array
from pathlib import Path
from typing import Any

from pipelines import Edge, Node, Pipeline

HERE = Path(__file__).parent
CODE = ("noted.py", "nodes.py", "sources.py")
FRAMES = 3_000  # of the audio file
LIVE_FRAMES = 60_000  # of one that is played in real time, for longer than any round
LIMITS = {"memory_mb": 256, "cpu_cores": 1}


def write(pipeline: Pipeline) -> Path:
    pipeline.folder.chmod(0o755)
    pipeline.shared.mkdir(exist_ok=True)
    pipeline.shared.chmod(0o777)
    for name in CODE:
        shutil.copy(HERE / name, pipeline.folder / name)
        (pipeline.folder / name).chmod(0o644)
    for node in pipeline.nodes.values():
        if node.kind == "media":
            write_audio(pipeline.audio, LIVE_FRAMES if node.retried else FRAMES)
    path = pipeline.folder / "pipeline.json"
    path.write_text(json.dumps(manifest(pipeline), indent=1))
    return path


def manifest(pipeline: Pipeline) -> dict[str, Any]:
    return {
        "version": "v1",
        "metadata": {"name": f"chaos-{pipeline.seed}"},
        "session": {"shm_quota_mb": pipeline.quota_mb},
        "nodes": [node_section(pipeline, node) for node in pipeline.nodes.values()],
        "connections": [connection_of(edge) for edge in pipeline.edges],
    }


def node_section(pipeline: Pipeline, node: Node) -> dict[str, Any]:
    made: dict[str, Any] = {"id": node.id, "node_type": node.node_type, "params": params_of(pipeline, node)}
    if node.skips:
        made["on_failure"] = "skip"
    if node.retried:
        backoff = node.params.get("backoff", "0s")
        made["retry"] = {"max_attempts": node.max_attempts, "backoff": backoff, "window": "1h"}
    if node.is_step:
        made["process_timeout"] = f"{pipeline.process_timeout_s}s"
    if node.kind == "join":
        made["join"] = {"on": "time", "tolerance": f"{node.params['tolerance']}ns"}
    if node.is_native:
        return made
    made["start_timeout"] = f"{pipeline.start_timeout_s}s"
    if node.container:
        volume = {"host_path": str(pipeline.shared), "container_path": "/shared"}
        section = {"resource_limits": LIMITS, "keep_warm": 0, "volumes": [volume]}
        made["docker"] = {"python_version": node.python or "3.11", **section}
    elif node.python:
        made["python"] = node.python
    return made


def params_of(pipeline: Pipeline, node: Node) -> dict[str, Any]:
    if node.kind == "media":
        audio = {"frame_ms": 10, "rate": 8000, "channels": 1}
        return {"url": pipeline.audio.name, "audio": audio, "realtime": node.retried}
    if node.is_native:
        return {"path": str(pipeline.file_of(node.id))}
    return {**node.params, "name": node.id, "folder": "/shared" if node.container else str(pipeline.shared)}


def connection_of(edge: Edge) -> dict[str, Any]:
    made: dict[str, Any] = {
        "from": edge.producer,
        "from_output": edge.output,
        "to": edge.consumer,
        "to_input": edge.port,
        "policy": edge.policy,
        "depth": edge.depth,
        "max_held": edge.max_held,
    }
    if edge.blocks and edge.once:
        made["delivery"] = "at_most_once"
    if edge.deadline_s is not None:
        made["deadline"] = f"{edge.deadline_s}s"
    if edge.most_bytes:
        made["max_in_flight_bytes"] = edge.most_bytes
    return made


def write_audio(path: Path, frames: int) -> None:
    """Each frame tells its number, as nodes.level_of says."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        for frame in range(frames):
            file.writeframes(array("h", [(frame % 200 - 100) * 256] * 80).tobytes())
