"""How errors of user code are told."""

from __future__ import annotations

import errno
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from penstock import NodeError, _storage
from penstock._failures import describe
from penstock._resolve import resolve


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def write(code: Path, name: str, text: str) -> None:
    (code / f"{name}.py").write_text(textwrap.dedent(text))


def failure_of(function: Any, *arguments: Any) -> Any:
    try:
        function(*arguments)
    except BaseException as error:
        assert error.__traceback__ is not None
        return describe(error.with_traceback(error.__traceback__.tb_next), "vad")  # without this frame
    raise AssertionError("nothing was raised")


def test_the_traceback_starts_in_user_code_and_shows_causes_and_notes(code: Path) -> None:
    write(
        code,
        "chained_node",
        """
        class Odd(Exception):
            __notes__ = ["while reading the model"]

        try:
            {}["weights"]
        except KeyError as error:
            raise Odd("no model") from error
        """,
    )
    failure = failure_of(resolve, "chained_node:Vad", [], str(code))
    assert failure.error == "chained_node.Odd" and failure.message == "no model"
    assert "_resolve.py" not in failure.traceback and "importlib" not in failure.traceback
    for part in ("KeyError: 'weights'", "direct cause", "while reading the model", 'chained_node.py", line 8'):
        assert part in failure.traceback


def test_a_missing_package_is_said_where_to_list(code: Path) -> None:
    write(code, "needs_soxr", "import soxr_not_installed.stream")
    failure = failure_of(resolve, "needs_soxr:Vad", [], str(code))
    assert (
        "of node 'vad' has no 'soxr_not_installed': add the package that brings it to the node's python_packages"
        in failure.message
    )


def test_a_missing_node_module_is_not_taken_for_a_package(code: Path) -> None:
    failure = failure_of(resolve, "nodes_absent.vad:Vad", [], str(code))
    assert failure.message == f"there is no module 'nodes_absent.vad': no file {code}/nodes_absent/vad.py"


@pytest.mark.parametrize(
    ("raised", "package"),
    [
        ("ImportError('libGL.so.1: cannot open shared object file: No such file or directory')", "'libgl1'"),
        (
            "ImportError('libodd.so.7: cannot open shared object file: No such file')",
            "the Debian package that contains libodd.so.7",
        ),
        (
            "OSError(\"cannot load library 'libsndfile.so': libsndfile.so: cannot open shared object file\")",
            "'libsndfile1'",
        ),
    ],
)
def test_a_missing_system_library_is_said_where_to_list(raised: str, package: str) -> None:
    failure = describe(eval(raised), "pitch")
    assert failure.message.endswith(
        f"A system library is missing: add {package} to the system_dependencies of node 'pitch'"
    )


def test_long_tracebacks_and_odd_characters_fit_a_packet() -> None:
    failure = describe(ValueError("\udcff" + "x" * 1_000_000), "vad")
    assert len(failure.traceback.encode()) < 64 * 1024 and "characters left out" in failure.traceback
    failure.message.encode()


def test_a_wrong_class_name_gets_a_suggestion(code: Path) -> None:
    write(
        code,
        "speech",
        "import penstock\nclass Segments(penstock.Node):\n    def process(self, m): ...\nclass Other: ...\n",
    )
    with pytest.raises(NodeError, match=r"has no 'Segment'; did you mean 'Segments'\?"):
        resolve("speech:Segment", [], str(code))
    with pytest.raises(NodeError, match=r"speech:Other is not a subclass of penstock.Node"):
        resolve("speech:Other", [], str(code))


def test_registered_names_are_found_through_the_modules(code: Path) -> None:
    write(
        code,
        "registered",
        "import penstock\n@penstock.node('Vad')\nclass V(penstock.Node):\n    def process(self, m): ...\n",
    )
    assert resolve("Vad", ["registered"], str(code)).__name__ == "V"
    with pytest.raises(
        NodeError,
        match=r"no node is registered as 'Vat' by the manifest's modules \(registered\); did you mean 'Vad'\?",
    ):
        resolve("Vat", ["registered"], str(code))
    with pytest.raises(NodeError, match="lists none under `modules`"):
        resolve("Vaz9", [], str(code))


MOUNTS = "overlay / overlay ro 0 0\ntmpfs /tmp tmpfs rw,size=65536k 0 0\nshm /dev/shm tmpfs rw 0 0\n"


def test_a_full_file_system_is_named_with_its_size_and_its_field(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = {"/": (4 << 30, 1 << 30), "/tmp": (64 << 20, 0), "/dev/shm": (8 << 20, 8 << 20)}
    monkeypatch.setattr(_storage, "_room", rooms.__getitem__)
    monkeypatch.setattr("os.access", lambda path, mode: path != "/")

    def hint(*arguments: Any) -> Any:
        return _storage.hint(OSError(errno.ENOSPC, *arguments), "vad", MOUNTS, in_container=True)

    full = "/tmp is full (64 MB): raise docker.tmpfs_mb of node 'vad', or delete files there"
    assert hint("No space left on device", "/tmp/a") == full
    assert hint("No space left on device") == full
    assert hint("No space left on device", "/dev/shm/a").startswith(
        "/dev/shm is full (8.0 MB): raise docker.shm_size_mb"
    )
    rooms["/tmp"] = (64 << 20, 64 << 20)  # the file that did not fit is gone again
    assert hint("No space left on device") == "Its file systems in memory are /tmp (64 MB), /dev/shm (8.0 MB)"


def test_a_full_disk_of_the_host_is_told_without_a_field_of_the_manifest(tmp_path: Path) -> None:
    failure = describe(OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "a")), "vad")
    assert re.search(r"a'\. /\S* is full \(\d+ MB\): free room there$", failure.message)
