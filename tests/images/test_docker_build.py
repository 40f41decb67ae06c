"""`docker.build`: images by a Dockerfile of the user's, built once for each content of their context."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest
from conftest import Cache, docker, read_until

pytestmark = [pytest.mark.engine, pytest.mark.slow]


def context(cache: Cache, *lines: str) -> Path:
    """A build context beside the manifest, whose Dockerfile begins with this test's base."""
    folder = cache.folder / "context"
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text("\n".join([f"FROM {cache.base}", *lines, ""]))
    return folder


def run(cache: Cache) -> str:
    result = cache.penstock("run", str(cache.manifest))
    assert result.returncode == 0, result.stderr
    return result.stdout


ANSWER = "RUN echo 'VERSION = \"of the image\"' > /usr/lib/python3/dist-packages/penstock_test_wheel.py"


def test_a_node_runs_in_the_image_that_its_dockerfile_makes(cache: Cache) -> None:
    context(cache, "USER 0", ANSWER)
    cache.write_build()
    result = cache.penstock("run", str(cache.manifest))
    assert result.returncode == 0, result.stderr
    assert result.stdout == "answer of the image\n"
    assert ": RUN echo" in result.stderr
    (entry,) = cache.json()
    assert entry["state"] == "available"
    assert entry["build"] == {"context": "context", "dockerfile": "Dockerfile"}
    assert "Dockerfile in context" in cache.penstock("images").stdout
    assert "built from Dockerfile in context" in cache.penstock("images", "show", entry["identity"]).stdout

    later = cache.penstock("run", str(cache.manifest))
    assert later.stdout == "answer of the image\n"
    assert "Step " not in later.stderr
    assert cache.json()[0]["uses"] == 2


def test_packages_go_upon_it_and_pruning_takes_both(cache: Cache) -> None:
    context(cache, "LABEL mine=yes")
    cache.write_build(packages=["penstock-test-wheel"])
    cache.must_build()
    above, below = sorted(cache.json(), key=lambda entry: not entry["packages"])
    assert above["packages"] and not below["packages"]
    assert above["build"] == below["build"]
    (why,) = cache.json("why", str(cache.manifest))
    assert why["identity"] == above["identity"]
    assert why["state"] == "available"
    while cache.json():
        assert cache.json("prune", "--keep", "0")["removed"]


def test_a_changed_context_is_built_again_and_an_ignored_file_is_no_change(cache: Cache) -> None:
    folder = context(cache, "USER 0", "COPY . /usr/lib/python3/dist-packages/")
    (folder / ".dockerignore").write_text("*.txt\n!kept.txt\nsecret\n")
    (folder / "penstock_test_wheel.py").write_text(
        "import os\nVERSION = sorted(f for f in os.listdir(os.path.dirname(__file__)) if f in "
        "('a.txt', 'kept.txt', 'secret', 'link'))\n"
    )
    (folder / "a.txt").write_text("1")
    (folder / "kept.txt").write_text("1")
    (folder / "secret").mkdir()
    (folder / "secret" / "key").write_text("1")
    (folder / "link").symlink_to("kept.txt")
    cache.write_build()
    assert run(cache) == "answer ['kept.txt', 'link']\n"

    (folder / "a.txt").write_text("2")
    (folder / "secret" / "key").write_text("2")
    os.utime(folder / "kept.txt", (0, 0))
    cache.must_build()
    assert len(cache.json()) == 1
    (folder / "kept.txt").write_text("2")
    cache.must_build()
    assert len(cache.json()) == 2


def test_another_dockerfile_is_another_image(cache: Cache) -> None:
    folder = context(cache, "RUN false")
    (folder / "images").mkdir()
    (folder / "images" / "mine").write_text(f"FROM {cache.base}\nUSER 0\n{ANSWER}\n")
    (folder / ".dockerignore").write_text("images\n")  # the engine gets it all the same
    cache.write_build(dockerfile="images/mine")
    assert run(cache) == "answer of the image\n"


def test_a_dockerfile_may_have_an_ignore_file_of_its_own(cache: Cache) -> None:
    folder = context(cache, "RUN false")
    answer = "import os\nVERSION = [f for f in ('a', 'b') if os.path.exists(os.path.dirname(__file__) + '/' + f)]\n"
    for name in ("a", "b"):
        (folder / name).write_text("1")
    (folder / "penstock_test_wheel.py").write_text(answer)
    (folder / "mine").write_text(f"FROM {cache.base}\nUSER 0\nCOPY . /usr/lib/python3/dist-packages/\n")
    (folder / ".dockerignore").write_text("a\nmine\n")
    (folder / "mine.dockerignore").write_text("*\n!a\n!penstock_*.py\n")
    cache.write_build(dockerfile="mine")
    assert run(cache) == "answer ['a']\n"


def test_a_context_that_is_too_large_is_refused_with_what_makes_it_so(cache: Cache) -> None:
    folder = context(cache)
    (folder / "recordings").mkdir()
    with (folder / "recordings" / "day.wav").open("wb") as recording:
        recording.truncate(501 << 20)
    cache.write_build()
    result = cache.build()
    assert result.returncode == 3
    assert f"the build context '{folder}' has 501 MB, more than 500; add to '{folder}/.dockerignore'" in result.stderr
    assert "recordings/day.wav (501 MB)" in result.stderr
    (folder / ".dockerignore").write_text("recordings\n")
    cache.must_build()


def test_a_failing_step_is_shown_and_remembered(cache: Cache) -> None:
    folder = context(cache, "RUN echo ONE", "RUN echo what went wrong && false")
    cache.write_build()
    first = cache.build()
    assert first.returncode == 3
    assert " : RUN echo what went wrong && false of Dockerfile in 'context' failed" in first.stderr
    assert "  what went wrong\n" in first.stderr
    log = Path(first.stderr[first.stderr.index("The whole output: ") :].split()[3])
    assert "ONE" in log.read_text()

    second = cache.build()
    assert second.returncode == 3
    assert "the image of 'context' could not be built" in second.stderr
    assert "nothing has changed since; use --retry" in second.stderr
    assert "  what went wrong\n" in second.stderr
    (entry,) = cache.json()
    assert entry["state"] == "failed"
    assert "Step 2/" in cache.build("--retry").stderr

    context(cache, "USER 0", ANSWER)
    assert folder.is_dir()
    assert run(cache) == "answer of the image\n"


def test_why_says_that_the_image_of_a_dockerfile_would_be_built(cache: Cache) -> None:
    context(cache, "USER 0", ANSWER)
    cache.write_build()
    why = cache.penstock("images", "why", str(cache.manifest))
    assert why.returncode == 0, why.stderr
    assert why.stdout == "answer: the image of Dockerfile in 'context' is built: it is not there yet\n"
    cache.write_build(packages=["penstock-test-wheel"])
    (answer,) = cache.json("why", str(cache.manifest))
    assert (answer["node"], answer["state"]) == ("answer", "missing")
    assert "is built, and its packages are installed upon it" in answer["why"]

    context(cache, "RUN exit 3")
    cache.write_build()
    assert cache.build().returncode == 3
    (answer,) = cache.json("why", str(cache.manifest))
    assert answer["state"] == "failed"
    assert answer["why"].startswith("the build of the image of Dockerfile in 'context' failed ")


def test_a_dockerfile_that_is_none_says_so(cache: Cache) -> None:
    context(cache, "NONSENSE")
    cache.write_build()
    result = cache.build()
    assert result.returncode == 3
    assert "unknown instruction: NONSENSE" in result.stderr


def test_an_image_in_which_no_node_can_run_is_refused_with_what_to_change(cache: Cache) -> None:
    folder = context(cache)
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    cache.write_build()
    result = cache.build()
    assert result.returncode == 3
    assert "cannot be used for nodes with Python 3.11" in result.stderr
    assert "libc: no C library; Penstock needs glibc 2.34 or newer" in result.stderr
    assert "python: there is no python3 in its PATH; install" in result.stderr
    (entry,) = cache.json()
    assert entry["state"] == "refused"
    assert "libc: no C library" in entry["failure"]
    assert re.search(r"^\w{12}  3\.11 .* refused ", cache.penstock("images").stdout, re.MULTILINE)
    shown = cache.penstock("images", "show", entry["identity"]).stdout
    assert "no node can run in it:\nlibc: no C library" in shown
    docker("rmi", entry["image"])


def test_a_missing_context_or_dockerfile_is_a_usage_error(cache: Cache) -> None:
    cache.write_build("nowhere")
    result = cache.build()
    assert result.returncode == 2
    assert "the build context" in result.stderr and "does not exist" in result.stderr
    (cache.folder / "context").mkdir()
    cache.write_build()
    result = cache.build()
    assert result.returncode == 2
    assert "the Dockerfile" in result.stderr and "does not exist" in result.stderr


def test_a_broken_dockerignore_is_named_with_its_line(cache: Cache) -> None:
    (context(cache) / ".dockerignore").write_text("a\n[b\n")
    cache.write_build()
    assert ".dockerignore', line 2: '[b' is no pattern" in cache.build().stderr


def test_two_at_once_build_once(cache: Cache) -> None:
    context(cache, "USER 0", "RUN true", ANSWER)
    cache.write_build()
    with cache.start("build", str(cache.manifest)) as builder:
        read_until(builder, "Step 1/")
        builder.send_signal(signal.SIGSTOP)
        with cache.start("run", str(cache.manifest)) as waiter:
            read_until(waiter, "waiting for another process that makes it: ")
            builder.send_signal(signal.SIGCONT)
            out, err = waiter.communicate()
            assert waiter.returncode == 0, err
            assert out == "answer of the image\n"
            assert "environment of answer: Step" not in err
        builder.communicate()
        assert builder.returncode == 0
    (entry,) = cache.json()
    assert entry["uses"] == 2


def test_a_lock_is_refused_when_the_context_makes_another_image(cache: Cache) -> None:
    folder = context(cache, "COPY one /")
    (folder / "one").write_text("1")
    cache.write_build(packages=["penstock-test-wheel"])
    assert cache.penstock("lock", str(cache.manifest)).returncode == 0
    (locked,) = json.loads(cache.lock.read_text())["environments"]
    assert locked["build"] == {"context": "context", "dockerfile": "Dockerfile"}
    assert run(cache) == "answer 1.0\n"

    (folder / "one").write_text("2")
    for verb in ("run", "build"):
        result = cache.penstock(verb, str(cache.manifest))
        assert result.returncode == 3, result.stderr
        assert "the image that Dockerfile in 'context' makes has another content than the one that the lock" in (
            result.stderr
        )
        assert "take the change back, or run `penstock lock` again" in result.stderr
    (folder / "one").write_text("1")
    assert run(cache) == "answer 1.0\n"

    (folder / "one").write_text("2")
    assert cache.penstock("lock", str(cache.manifest)).returncode == 0
    cache.must_build()


def test_a_lock_holds_while_a_change_of_the_context_makes_the_same_image(cache: Cache) -> None:
    folder = context(cache, "COPY one /")
    (folder / "one").write_text("1")
    cache.write_build(packages=["penstock-test-wheel"])
    assert cache.penstock("lock", str(cache.manifest)).returncode == 0
    (folder / "not-copied").write_text("1")
    assert run(cache) == "answer 1.0\n"
