"""Rules for every tracked file: sizes, nothing left to do, nothing of one machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT, relative, tracked

CODE = tracked("*.h", "*.cpp", "*.c", "*.rs", "*.py", "*.pyi", "*.sh", "*.cmake", "dev")
PRODUCT = tracked("src/*", "python/*", "docker/*", "examples/*")
TEXT = [path for path in tracked() if path.suffix not in {".lock", ".wav", ".flac", ".g722", ".png", ".bin"}]

# Hosts that documentation and code may point to, or name a format by, as SVG does; package registries are not among
# them, they are the user's choice.
ALLOWED_HOSTS = re.compile(
    r"[\w\-]+|127\.0\.0\.1|\[::1\]|(.*\.)?example(\.(com|org|net))?|.*\.(invalid|test)|www\.(apache|w3)\.org|json-schema\.org|rustup\.rs"
)
URL = re.compile(r"\bhttps?://(?:[^/\s@\"']*@)?([\w.\-]+|\[[\w:]+\])")
# Anybody's home; that of the user inside our images is no machine's, and tests make up one called `user`.
MACHINE_PATH = re.compile(r"(?<![\w.])/(home|Users|root)/(?!(?:penstock|user)\b)[\w.]")


def lines_of(count: Path) -> int:
    return len(count.read_text(encoding="utf-8").splitlines())


def test_no_file_has_more_than_700_lines() -> None:
    assert {relative(path): lines_of(path) for path in CODE if lines_of(path) > 700} == {}


def test_nine_files_in_ten_have_fewer_than_300_lines() -> None:
    long = sorted(relative(path) for path in CODE if lines_of(path) >= 300)
    assert len(long) * 10 <= len(CODE), long


def test_nothing_is_left_to_do() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX)\b|NotImplementedError|not implemented")
    assert matching(PRODUCT, marks) == []


def test_addresses_name_no_registry() -> None:
    found = []
    for path in TEXT:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            found += [f"{relative(path)}:{number}" for host in URL.findall(line) if not ALLOWED_HOSTS.fullmatch(host)]
    assert found == []


def test_no_path_of_one_machine_is_tracked() -> None:
    own = {str(ROOT), str(Path.home())} - {"/", "/root"}
    patterns = [MACHINE_PATH.pattern, *(re.escape(path) + r"\b" for path in sorted(own))]
    assert matching(TEXT, re.compile("|".join(patterns))) == []


def test_no_registry_of_this_machine_is_tracked() -> None:
    """Whatever pip, cargo and apt are configured with here is nobody else's business."""
    hosts = configured_hosts()
    if hosts:
        assert matching(TEXT, re.compile("|".join(re.escape(host) for host in sorted(hosts)))) == []


def matching(paths: list[Path], pattern: re.Pattern[str]) -> list[str]:
    """Places, never the text: it may hold what should not be printed."""
    found = []
    for path in paths:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [f"{relative(path)}:{number}" for number, line in enumerate(lines, start=1) if pattern.search(line)]
    return found


def configured_hosts() -> set[str]:
    pip = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    texts = [pip.stdout, *(value for name, value in os.environ.items() if name.startswith(("PIP_", "CARGO_", "UV_")))]
    for path in [*Path("/etc/apt").glob("sources.list*"), *Path("/etc/apt").glob("sources.list.d/*")]:
        if path.is_file() and os.access(path, os.R_OK):
            texts.append(path.read_text(encoding="utf-8"))
    hosts = {
        host.rpartition("@")[2].partition(":")[0]
        for text in texts
        for host in re.findall(r"https?://([^/\s'\"]+)", text)
    }
    return {host for host in hosts if not ALLOWED_HOSTS.fullmatch(host)}


@pytest.mark.parametrize("path", tracked("*.md"), ids=relative)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{relative(path)} links to {target}"
