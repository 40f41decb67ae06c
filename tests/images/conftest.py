"""Runs the real `penstock` with an image index, a base image and Python packages of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
PENSTOCK = Path(os.environ.get("PENSTOCK_BIN", REPOSITORY / "build/bin/penstock"))
DEADLINE = 240  # seconds until a hanging run is a failed test; nothing is measured against it

SINK = {"id": "sink", "node_type": "text.sink"}
NODES = """
import penstock
from penstock import Text


class Answer(penstock.Node):
    def process(self):
        import penstock_test_wheel

        yield Text(f"answer {penstock_test_wheel.VERSION}")
"""


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True, timeout=DEADLINE).stdout


def make_wheel(folder: Path, version: str) -> None:
    folder.mkdir(exist_ok=True)
    info = f"penstock_test_wheel-{version}.dist-info"
    files = {
        "penstock_test_wheel.py": f'VERSION = "{version}"\n',
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: penstock-test-wheel\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(folder / f"penstock_test_wheel-{version}-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
        wheel.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]))


@dataclass
class Cache:
    """A user of Penstock with nothing built yet. Wheels come from `folder/wheels` and nowhere else."""

    folder: Path
    base: str
    label: str
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def manifest(self) -> Path:
        return self.folder / "pipeline.json"

    @property
    def lock(self) -> Path:
        return self.folder / "pipeline.lock"

    def write(self, *packages: str) -> None:
        self._write({"python_version": "3.11", "base_image": self.base, "python_packages": list(packages)})

    def _write(self, section: dict[str, Any]) -> None:
        limits = {"memory_mb": 256, "cpu_cores": 1}
        node = {"id": "answer", "node_type": "nodes:Answer", "docker": {**section, "resource_limits": limits}}
        pipeline = {"version": "v1", "metadata": {"name": "images"}, "nodes": [node, SINK]}
        self.manifest.write_text(json.dumps({**pipeline, "connections": [{"from": "answer", "to": "sink"}]}))

    def write_build(self, context: str = "context", packages: Sequence[str] = (), **options: str) -> None:
        """A node whose image is built from a folder beside the manifest."""
        build = {"context": context, **options}
        self._write({"python_version": "3.11", "build": build, "python_packages": list(packages)})

    def image(self, tag: str, dockerfile: str) -> str:
        """An image with this test's label; its context has a file `test-id`."""
        context = self.folder / f"image-{tag}"
        context.mkdir(exist_ok=True)
        (context / "test-id").write_text(self.label)
        (context / "Dockerfile").write_text(dockerfile)
        name = f"{self.base.split(':')[0]}:{tag}"
        docker("build", "--quiet", "--tag", name, "--label", self.label, str(context))
        return name

    def all_variables(self) -> dict[str, str]:
        return {**os.environ, **self.environment}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(PENSTOCK), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env=self.all_variables(),
        )

    def penstock(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=DEADLINE)
            return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def build(self, *options: str) -> subprocess.CompletedProcess[str]:
        return self.penstock("build", str(self.manifest), *options)

    def must_build(self) -> str:
        """What it said on stderr."""
        result = self.build()
        assert result.returncode == 0, result.stderr
        return result.stderr

    def json(self, *arguments: str) -> Any:
        result = self.penstock("images", *arguments, "--json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    name = uuid.uuid4().hex
    label = f"penstock.test={name}"
    base = f"penstock-test-{name}:base"
    context = tmp_path / "base"
    context.mkdir()
    (context / "test-id").write_text(name)
    (context / "Dockerfile").write_text("FROM penstock/base:3.11\nCOPY test-id /\n")
    docker("build", "--quiet", "--tag", base, "--label", label, str(context))
    tmp_path.chmod(0o755)
    (tmp_path / "nodes.py").write_text(NODES)
    make_wheel(tmp_path / "wheels", "1.0")
    own = {"XDG_STATE_HOME": str(tmp_path / "state")}
    own |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "wheels")}
    try:
        # Not below tmp_path, whose name is too long for a socket's.
        with tempfile.TemporaryDirectory(prefix="penstock-") as runtime:
            yield Cache(tmp_path, base, label, {**own, "XDG_RUNTIME_DIR": runtime})
    finally:
        # Containers and environments inherit the label of their base.
        for container in docker("ps", "--all", "--quiet", "--filter", f"label={label}").split():
            docker("rm", "--force", container)
        for image in docker("images", "--quiet", "--filter", f"label={label}").split():
            docker("rmi", "--force", image)


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """The first line of stderr that contains `text`."""
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if text in line:
            return line
    raise AssertionError(f"ended without {text!r}:\n" + "".join(seen))
