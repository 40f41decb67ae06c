"""The image cache as a user has it: `penstock images`, failures that are remembered, builds that are killed."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import DEADLINE, Cache, docker, make_wheel, read_until

pytestmark = [pytest.mark.engine, pytest.mark.slow]


def test_an_environment_is_listed_shown_pinned_and_pruned(cache: Cache) -> None:
    assert cache.json() == []
    cache.write("penstock-test-wheel")
    cache.must_build()
    (entry,) = cache.json("list")
    assert entry["state"] == "available"
    assert entry["python"] == "3.11"
    assert entry["packages"] == [{"package": "penstock-test-wheel", "no_deps": False}]
    assert not entry["in_use"] and not entry["pinned"] and entry["size_bytes"] > 0
    assert entry["identity"][:12] in cache.penstock("images").stdout

    shown = cache.json("show", entry["identity"][:8])
    assert [(item["name"], item["version"]) for item in shown["pip"]] == [("penstock-test-wheel", "1.0")]
    assert f"FROM {cache.base}" in shown["dockerfile"]
    assert "penstock-test-wheel==1.0" in cache.penstock("images", "show", entry["image"]).stdout

    assert cache.json("pin", entry["identity"])["pinned"]
    assert cache.json("prune", "--keep", "0")["removed"] == []
    assert not cache.json("unpin", entry["identity"])["pinned"]
    assert cache.json("prune", "--older-than", "1d", "--size", "10GB")["removed"] == []
    pruned = cache.penstock("images", "prune", "--keep", "0")
    assert f"removed {entry['identity'][:12]}" in pruned.stdout
    assert "1 environment removed" in pruned.stdout
    assert cache.json() == []
    assert entry["image"] not in docker("images", "--no-trunc", "--quiet").split()


def test_an_image_of_a_container_is_never_pruned(cache: Cache) -> None:
    cache.write("penstock-test-wheel")
    cache.must_build()
    (entry,) = cache.json()
    container = docker("create", "--label", cache.label, entry["image"]).strip()
    # Nor is a container that somebody makes of it taken for one of the build.
    assert cache.penstock("gc").stdout == "removed 0 containers\n"
    assert cache.json()[0]["in_use"]
    pruned = cache.json("prune", "--keep", "0")
    assert pruned["removed"] == []
    assert pruned["kept"] == [{"identity": entry["identity"], "why": "in use by a container"}]
    docker("rm", container)
    assert [item["identity"] for item in cache.json("prune", "--keep", "0")["removed"]] == [entry["identity"]]


@pytest.mark.parametrize("keep", ["-1", "many", "1.5"])
def test_prune_keeps_a_number_of_them(cache: Cache, keep: str) -> None:
    result = cache.penstock("images", "prune", f"--keep={keep}")
    assert result.returncode == 2
    assert "--keep" in result.stderr


def test_an_unknown_id_is_a_usage_error_that_says_where_to_look(cache: Cache) -> None:
    result = cache.penstock("images", "show", "beef")
    assert result.returncode == 2
    assert "`penstock images` lists them" in result.stderr


def test_why_names_what_is_different(cache: Cache) -> None:
    cache.write("penstock-test-wheel")
    (answer,) = cache.json("why", str(cache.manifest), "answer")
    assert answer["state"] == "missing"
    cache.must_build()
    (answer,) = cache.json("why", str(cache.manifest))
    assert answer["state"] == "available"
    identity = answer["identity"]

    cache.write("penstock-test-wheel==1.0")
    (answer,) = cache.json("why", str(cache.manifest))
    assert answer["nearest"] == identity
    assert answer["differences"] == [
        "- Python package penstock-test-wheel",
        "+ Python package penstock-test-wheel==1.0",
    ]
    assert "+ Python package penstock-test-wheel==1.0" in cache.penstock("images", "why", str(cache.manifest)).stdout


def test_a_failed_build_is_told_at_once_until_something_changes(cache: Cache) -> None:
    cache.write("penstock-test-wheel==2.0")
    first = cache.build()
    assert first.returncode == 3
    log = Path(first.stderr[first.stderr.index("The whole output: ") :].split()[3])
    assert "No matching distribution found" in log.read_text()

    second = cache.penstock("run", str(cache.manifest))
    assert second.returncode == 3
    assert "nothing has changed since; use --retry" in second.stderr
    assert "No matching distribution found" in second.stderr
    assert str(log) in second.stderr
    assert "downloading" not in second.stderr.replace("downloading Python packages failed", "")
    (entry,) = cache.json()
    assert entry["state"] == "failed"

    assert "downloading" in cache.build("--retry").stderr.replace("downloading Python packages failed", "")
    make_wheel(cache.folder / "wheels", "2.0")
    cache.must_build()
    assert [entry["state"] for entry in cache.json()] == ["available"]


def test_a_builder_that_is_killed_is_taken_over(cache: Cache) -> None:
    cache.write("penstock-test-wheel")
    with cache.start("build", str(cache.manifest)) as killed:
        read_until(killed, "downloading Python packages")
        killed.kill()
    (entry,) = cache.json()
    assert entry["state"] == "failed"
    assert "was killed" in entry["failure"]
    cache.must_build()
    (entry,) = cache.json()
    assert entry["state"] == "available"
    assert docker("ps", "--all", "--quiet", "--filter", f"label={cache.label}") == ""


@pytest.mark.parametrize("verb", ["build", "run"])
def test_a_build_that_is_interrupted_is_no_failed_build(cache: Cache, verb: str) -> None:
    cache.write("penstock-test-wheel")
    with cache.start(verb, str(cache.manifest)) as interrupted:
        read_until(interrupted, "downloading Python packages")
        interrupted.send_signal(signal.SIGINT)
        _, err = interrupted.communicate(timeout=DEADLINE)
    assert interrupted.returncode == 130
    assert "error" not in err and "failed" not in err, err
    assert cache.json() == []
    assert docker("ps", "--all", "--quiet", "--filter", f"label={cache.label}") == ""


def test_the_container_of_a_build_that_was_killed_is_removed_by_gc(cache: Cache) -> None:
    cache.write("penstock-test-wheel")
    with cache.start("build", str(cache.manifest)) as killed:
        read_until(killed, "downloading Python packages")
        assert cache.penstock("gc").stdout == "removed 0 containers\n"  # it is in use
        killed.kill()
    assert cache.penstock("gc").stdout == "removed 1 container\n"
    assert docker("ps", "--all", "--quiet", "--filter", f"label={cache.label}") == ""


def test_another_users_build_of_the_same_environment_is_left_alone(cache: Cache, tmp_path: Path) -> None:
    """One engine, two state directories: neither knows the other's locks."""
    other = replace(cache, environment={**cache.environment, "XDG_STATE_HOME": str(tmp_path / "other")})
    cache.write("penstock-test-wheel")
    with cache.start("build", str(cache.manifest)) as builder:
        read_until(builder, "downloading Python packages")
        builder.send_signal(signal.SIGSTOP)
        other.must_build()
        builder.send_signal(signal.SIGCONT)
        _, err = builder.communicate()
        assert builder.returncode == 0, err
    for each in (cache, other):
        assert [entry["state"] for entry in each.json()] == ["available"]
        assert each.penstock("run", str(each.manifest)).stdout == "answer 1.0\n"


def test_a_second_runtime_waits_for_the_build_and_shows_how_far_it_is(cache: Cache) -> None:
    cache.write("penstock-test-wheel")
    with cache.start("build", str(cache.manifest)) as builder:
        read_until(builder, "downloading Python packages")
        builder.send_signal(signal.SIGSTOP)
        assert [entry["state"] for entry in cache.json()] == ["building"]
        with cache.start("run", str(cache.manifest)) as waiter:
            read_until(waiter, "waiting for another process that makes it: downloading Python packages")
            builder.send_signal(signal.SIGCONT)
            out, err = waiter.communicate()
            assert waiter.returncode == 0, err
            assert out == "answer 1.0\n"
        builder.communicate()
        assert builder.returncode == 0
    (entry,) = cache.json()
    assert entry["uses"] == 2


def test_an_image_removed_behind_our_back_is_built_again(cache: Cache) -> None:
    cache.write("penstock-test-wheel")
    cache.must_build()
    docker("rmi", "--force", cache.json()[0]["image"])
    assert cache.json() == []
    assert "built" in cache.must_build()
    assert len(cache.json()) == 1


@pytest.mark.parametrize("verb", ["list", "show", "why", "pin", "unpin", "prune"])
def test_help_has_an_example_of_the_verb_itself(cache: Cache, verb: str) -> None:
    shown = cache.penstock("images", verb, "--help")
    assert shown.returncode == 0
    assert f"Example:\n  penstock images {verb} " in shown.stdout
    assert "penstock run" not in shown.stdout
