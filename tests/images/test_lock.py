"""`penstock lock`: exact packages beside the manifest, and builds that take these and no others."""

from __future__ import annotations

import json

import pytest
from conftest import Cache, make_wheel

pytestmark = [pytest.mark.engine, pytest.mark.slow]


def test_a_locked_pipeline_gets_what_was_locked(cache: Cache) -> None:
    cache.write("penstock-test-wheel")
    assert cache.penstock("lock", str(cache.manifest)).returncode == 0
    (locked,) = json.loads(cache.lock.read_text())["environments"]
    assert locked["python"] == "3.11"
    assert locked["base"]["reference"] == cache.base
    (line,) = locked["pip"]
    assert line.startswith("penstock-test-wheel==1.0 --hash=sha256:")

    make_wheel(cache.folder / "wheels", "2.0")
    result = cache.penstock("run", str(cache.manifest))
    assert result.stdout == "answer 1.0\n", result.stderr
    assert {entry["locked"] for entry in cache.json()} == {True, False}


def test_a_lock_that_no_longer_fits_is_a_usage_error(cache: Cache) -> None:
    cache.write("penstock-test-wheel")
    assert cache.penstock("lock", str(cache.manifest)).returncode == 0
    cache.write("penstock-test-wheel==1.0")
    for verb in ("run", "build"):
        result = cache.penstock(verb, str(cache.manifest))
        assert result.returncode == 2
        assert "no longer fits its manifest" in result.stderr
        assert "run `penstock lock` again" in result.stderr
        assert "node 'answer'" in result.stderr
    assert cache.penstock("lock", str(cache.manifest)).returncode == 0
    assert cache.penstock("build", str(cache.manifest)).returncode == 0


def test_a_tampered_hash_is_refused(cache: Cache) -> None:
    cache.write("penstock-test-wheel")
    assert cache.penstock("lock", str(cache.manifest)).returncode == 0
    text = cache.lock.read_text()
    at = text.index("--hash=sha256:") + len("--hash=sha256:")
    cache.lock.write_text(text[:at] + "0" * 64 + text[at + 64 :])
    result = cache.build()
    assert result.returncode == 3
    assert "'penstock-test-wheel==1.0' has another content than the lock says" in result.stderr


def test_a_broken_lock_says_what_is_wrong_with_it(cache: Cache) -> None:
    cache.write("penstock-test-wheel")
    cache.lock.write_text("{")
    result = cache.build()
    assert result.returncode == 2
    assert f"the lock '{cache.lock}' cannot be used: it is no JSON" in result.stderr
