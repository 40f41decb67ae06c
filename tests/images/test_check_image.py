"""`penstock check-image`, and the same look at every `base_image` that a manifest names."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import DEADLINE, PENSTOCK, REPOSITORY, Cache, docker

pytestmark = [pytest.mark.engine, pytest.mark.slow]

PASSED = {"architecture", "libc", "python", "user", "version", "abi", "writable", "extension", "agent", "messages"}


def checks(cache: Cache, image: str, *options: str) -> tuple[int, dict[str, Any]]:
    result = cache.penstock("check-image", image, "--json", *options)
    assert result.stdout, result.stderr
    return result.returncode, {check["name"]: check for check in json.loads(result.stdout)["checks"]}


def probes(since: str) -> list[str]:
    """The containers that looked into an image from then on."""
    out = docker("events", "--since", since, "--until", now(), "--filter", "type=container", "--filter", "event=create",
                 "--filter", "label=penstock.build=probe", "--format", "{{.Actor.Attributes.image}}")  # fmt: skip
    return out.split()


def now() -> str:
    return subprocess.run(["date", "+%s.%N"], capture_output=True, text=True, check=True).stdout.strip()


def image_id(image: str) -> str:
    return docker("inspect", "--format", "{{.Id}}", image).strip()


def test_a_good_image_passes_everything_and_nothing_is_left(cache: Cache) -> None:
    code, found = checks(cache, cache.base)
    assert {name for name, check in found.items() if check["result"] == "passed"} == PASSED, found
    assert code == 0
    assert found["numpy"]["result"] == "noted"
    assert found["numpy"]["found"].startswith("not there")
    assert found["version"]["found"].startswith("Python 3.11.")
    assert "went through shared memory and back" in found["messages"]["found"]
    assert docker("ps", "--all", "--quiet", "--filter", f"label={cache.label}") == ""
    assert list(Path(cache.environment["XDG_STATE_HOME"]).glob("penstock/sessions/*")) == []


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.11"])
def test_penstocks_own_base_images_pass_everything(cache: Cache, version: str) -> None:
    image = f"penstock/base:{version}"
    code, found = checks(cache, image, "--python", version)
    assert {name for name, check in found.items() if check["result"] == "passed"} == PASSED, found
    assert code == 0
    assert found["version"]["found"].startswith(f"Python {version}.")
    assert docker("inspect", "--format", "{{.Config.User}}", image).strip() == "1000:1000"


def test_the_text_has_one_line_for_each_check_and_the_script_says_the_same(cache: Cache) -> None:
    script = REPOSITORY / "docker/scripts/validate-custom-image.sh"
    result = subprocess.run(
        [script, cache.base, "--python", "3.10"],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env={**cache.all_variables(), "PENSTOCK": str(PENSTOCK)},
    )
    assert result.returncode == 3
    lines = result.stdout.splitlines()
    assert len(lines) == 12  # of which one is the remedy
    at = next(i for i, line in enumerate(lines) if line.startswith("failed"))
    assert "version       Python 3.11." in lines[at]
    assert "3.10 was asked for: say python_version" in lines[at + 1]
    assert lines[-1].startswith("not checked  messages")


def test_an_image_without_anything_is_told_so(cache: Cache) -> None:
    empty = cache.image("empty", "FROM scratch\nCOPY test-id /\n")
    code, found = checks(cache, empty)
    assert code == 3
    assert found["libc"]["result"] == "failed"
    assert found["libc"]["found"] == "no C library"
    assert "not with Alpine" in found["libc"]["remedy"]
    assert found["python"]["found"] == "there is no python3 in its PATH"
    assert found["agent"]["result"] == "passed"  # it needs nothing of the image
    for name in ("version", "abi", "numpy", "extension", "messages"):
        assert found[name]["result"] == "not checked"


def test_another_c_library_is_named(cache: Cache) -> None:
    musl = cache.image("musl", "FROM scratch\nCOPY test-id /lib/ld-musl-x86_64.so.1\n")
    assert checks(cache, musl)[1]["libc"]["found"] == "musl"


def test_no_python_in_a_whole_system(cache: Cache) -> None:
    image = cache.image("bare", f"FROM {cache.base}\nUSER 0\nRUN rm /usr/bin/python3\n")
    code, found = checks(cache, image)
    assert code == 3
    assert found["libc"]["result"] == "passed"
    assert found["python"]["result"] == "failed"
    assert "in a folder of its PATH" in found["python"]["remedy"]


def test_an_interpreter_that_only_root_may_run(cache: Cache) -> None:
    image = cache.image("private", f"FROM {cache.base}\nUSER 0\nRUN chmod 0700 /usr/bin/python3.11\n")
    code, found = checks(cache, image)
    assert code == 3
    assert found["user"]["result"] == "failed"
    assert found["user"]["found"] == "user 1000 must not run /usr/bin/python3"
    assert "chmod a+rx" in found["user"]["remedy"]


def test_another_interpreter_of_the_image_can_be_checked(cache: Cache) -> None:
    image = cache.image(
        "two",
        f"FROM {cache.base}\nUSER 0\n"
        'RUN mkdir /opt/other && cp "$(readlink -f "$(command -v python3)")" /opt/other/snake '
        '&& chmod 0700 "$(readlink -f "$(command -v python3)")"\n',
    )
    code, found = checks(cache, image)
    assert code == 3
    assert found["user"]["result"] == "failed"

    code, found = checks(cache, image, "--python", "/opt/other/snake")
    assert code == 0, found
    assert found["python"]["found"] == "/opt/other/snake"
    assert found["version"]["found"].startswith("Python 3.11.")
    assert found["extension"]["result"] == "passed"
    assert found["messages"]["result"] == "not checked"
    assert found["messages"]["found"] == (
        "nodes use the first python3 of the image's PATH, which is none; put /opt/other/snake before it"
    )
    # What was found of it says nothing about the one that nodes would have.
    cache.base = image
    cache.write()
    assert "must not run" in cache.build().stderr


def test_the_interpreter_that_nodes_use_may_be_named(cache: Cache) -> None:
    program = docker("run", "--rm", "--label", cache.label, cache.base, "sh", "-c", "command -v python3").strip()
    code, found = checks(cache, cache.base, "--python", program)
    assert code == 0, found
    assert found["messages"]["result"] == "passed"


def test_an_interpreter_that_is_not_there_is_named(cache: Cache) -> None:
    code, found = checks(cache, cache.base, "--python", "/opt/nowhere/python3")
    assert code == 3
    assert found["python"]["result"] == "failed"
    assert found["python"]["found"] == "there is no program '/opt/nowhere/python3' in it"
    assert found["version"]["result"] == "not checked"

    result = cache.penstock("check-image", cache.base, "--python", "snake")
    assert result.returncode == 2
    assert "snake is neither one of 3.9, 3.10, 3.11, 3.12, 3.13 nor an absolute path in the image" in result.stderr


def test_an_interpreter_whose_library_is_unreadable(cache: Cache) -> None:
    image = cache.image("unreadable", f"FROM {cache.base}\nUSER 0\nRUN chmod 0700 /usr/lib/python3.11\n")
    code, found = checks(cache, image)
    assert code == 3
    assert found["python"]["result"] == "passed"
    assert found["user"]["found"].startswith("user 1000 cannot run it: it ended with status 1")


def test_an_interpreter_of_another_kind(cache: Cache) -> None:
    site = (
        "import sys, types\\nsys.implementation = types.SimpleNamespace(**{**vars(sys.implementation), 'name': 'pypy'})"
    )
    image = cache.image(
        "pypy", f'FROM {cache.base}\nUSER 0\nRUN printf "{site}" > /usr/lib/python3.11/sitecustomize.py\n'
    )
    abi = checks(cache, image)[1]["abi"]
    assert abi["result"] == "failed"
    assert abi["found"] == "pypy"
    assert "needs CPython" in abi["remedy"]


@pytest.mark.parametrize("next_command", ["gc", "ps"])
def test_what_a_killed_check_left_is_removed_by_the_next_command(cache: Cache, next_command: str) -> None:
    lasting = cache.image(
        "lasting", f'FROM {cache.base}\nUSER 0\nRUN printf "#!/bin/sh\\nexec sleep 1000\\n" > /usr/bin/python3\n'
    )
    of_this_test = f"label={cache.label}"
    with (
        subprocess.Popen(
            ["docker", "events", "--since", now(), "--filter", "event=start", "--filter", of_this_test],
            stdout=subprocess.PIPE,
        ) as events,
        cache.start("check-image", lasting) as check,
    ):
        assert events.stdout is not None
        assert events.stdout.readline(), check.communicate()
        events.terminate()
        assert cache.penstock("gc").stdout == "removed 0 containers\n"  # it is in use
        check.kill()
    assert docker("ps", "--quiet", "--filter", of_this_test) != "", "it was not killed in the middle"
    result = cache.penstock(next_command)
    assert result.returncode == 0, result.stderr
    if next_command == "gc":
        assert result.stdout == "removed 1 container\n"
    assert docker("ps", "--all", "--quiet", "--filter", of_this_test) == ""
    assert [path for path in Path(cache.environment["XDG_RUNTIME_DIR"]).glob("penstock/c/*") if path.is_dir()] == []


def test_what_was_found_is_known_until_the_image_changes(cache: Cache) -> None:
    begin = now()
    for _ in range(2):
        cache.write()
        cache.must_build()
    first = image_id(cache.base)
    assert [image for image in probes(begin) if image == first] == [first]

    cache.image("base", f"FROM {cache.base}\nLABEL changed=yes\n")
    second = image_id(cache.base)
    assert second != first
    cache.must_build()
    assert [image for image in probes(begin) if image in (first, second)] == [first, second]


def test_a_refused_base_is_refused_at_once_until_it_changes_or_is_tried_again(cache: Cache) -> None:
    good = cache.base
    cache.base = cache.image("refused", f"FROM {good}\nUSER 0\nRUN chmod 0700 /usr/bin/python3.11\n")
    cache.write()
    begin = now()
    for _ in range(2):
        result = cache.build()
        assert result.returncode == 3
        assert f"the base image '{cache.base}' cannot be used for nodes with Python 3.11:" in result.stderr
        assert "user: user 1000 must not run /usr/bin/python3; make the interpreter" in result.stderr
    assert "--retry looks again" in result.stderr
    refused = image_id(cache.base)
    assert probes(begin).count(refused) == 1
    assert cache.build("--retry").returncode == 3
    assert probes(begin).count(refused) == 2

    cache.image("refused", f"FROM {good}\nLABEL mended=yes\n")
    cache.must_build()


def test_an_image_that_is_nowhere_is_one_sentence(cache: Cache) -> None:
    result = cache.penstock("check-image", "127.0.0.1:1/penstock-test/no-such-image:1")
    assert result.returncode == 3
    assert "is not in the engine and cannot be fetched" in result.stderr
