"""Sessions of one configuration share containers, which end when the last lease is gone (FR-012, FR-015)."""

from __future__ import annotations

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import DEADLINE, User, docker


def test_a_later_session_of_another_runtime_uses_the_warm_container(user: User) -> None:
    manifest = user.pipeline()
    assert user.run(manifest) == user.run(manifest)
    assert len(user.containers()) == 1


def test_simultaneous_first_starts_create_once(user: User) -> None:
    manifest = user.pipeline()
    with ThreadPoolExecutor(8) as pool:
        places = list(pool.map(lambda _: user.run(manifest), range(8)))
    assert len({place for printed in places for place in printed}) == 1
    assert len(user.containers("-a")) == 1


def test_sessions_share_a_container_while_they_run(user: User) -> None:
    manifest = user.pipeline("Endless")
    first, second = user.start(manifest), user.start(manifest)
    assert first.container() == second.container()


def test_nodes_of_one_session_have_a_container_each(user: User) -> None:
    """Each was promised its limits."""
    manifest = user.pipeline(nodes=2)
    places = user.run(manifest)
    assert len(set(places)) == 2
    assert set(user.run(manifest)) == set(places)


def test_a_difference_that_a_session_could_notice_separates(user: User) -> None:
    base = user.run(user.pipeline(name="a"))
    limits = {"memory_mb": 257, "cpu_cores": 1}
    others = [
        user.run(user.pipeline(name="b", resource_limits=limits)),
        user.run(user.pipeline(name="c", env={"A": "1"})),
        user.run(user.pipeline(name="d", tmpfs_mb=65)),
        user.run(user.pipeline(name="e", python_version="3.10")),
    ]
    assert len({place for places in [base, *others] for place in places}) == 5
    assert user.run(user.pipeline(name="f")) == base


def test_a_changed_secret_is_not_served_from_a_warm_container(user: User) -> None:
    secret = user.folder / "token"
    secret.write_text("old")
    manifest = user.pipeline("Secret", secrets=[{"name": "token", "file": "token"}])
    first, old = user.run(manifest)
    secret.write_text("new!")
    second, new = user.run(manifest)
    assert (old, new) == ("old", "new!")
    assert first != second


def test_a_container_takes_as_many_sessions_as_it_may_and_the_next_opens_another(user: User) -> None:
    manifest = user.pipeline("Endless", max_sessions_per_container=2)
    places = [user.start(manifest).container() for _ in range(3)]
    assert places[0] == places[1] != places[2]


def test_exclusive_containers_are_nobody_elses(user: User) -> None:
    manifest = user.pipeline("Endless", sharing="exclusive")
    assert user.start(manifest).container() != user.start(manifest).container()


def test_without_keep_warm_a_container_goes_with_its_last_session(user: User) -> None:
    manifest = user.pipeline("Endless", keep_warm=0)
    first, second = user.start(manifest), user.start(manifest)
    assert first.container() == second.container()
    first.process.terminate()
    first.wait()
    assert len(user.containers()) == 1
    second.process.terminate()
    second.wait()
    assert user.containers("-a") == []


def test_a_warm_container_ends_by_itself_and_leaves_no_record(user: User) -> None:
    label = f"label=penstock.directory={user.runtime}/penstock/c"
    events = ["docker", "events", "--filter", label, "--filter", "event=destroy", "--format", "{{.ID}}"]
    since = docker("info", "--format", "{{.SystemTime}}").strip()
    with subprocess.Popen([*events, "--since", since], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        user.run(user.pipeline(keep_warm="200ms"))
        assert process.stdout.readline().strip()
        process.kill()
    assert user.containers("-a") == []


def test_the_end_of_one_session_leaves_the_others_alone(user: User) -> None:
    manifest = user.pipeline("Endless")
    doomed, other = user.start(manifest), user.start(manifest)
    assert doomed.container() == other.container()
    doomed.process.kill()
    doomed.process.wait(DEADLINE)
    other.process.terminate()
    assert other.wait() == 130
    assert "penstock: error" not in "".join(other.lines)


def test_all_sessions_of_a_container_that_dies_are_told(user: User) -> None:
    manifest = user.pipeline("Endless")
    sessions = [user.start(manifest), user.start(manifest)]
    places = {session.container() for session in sessions}
    docker("kill", *places)
    for session in sessions:
        session.read_until("penstock: error: the container of node 'n0' ")
        assert session.wait() == 1


def test_a_container_removed_behind_our_back_is_replaced(user: User) -> None:
    manifest = user.pipeline()
    before = user.run(manifest)
    docker("rm", "-f", *user.containers())
    assert user.run(manifest) != before
    assert len(user.containers("-a")) == 1


def test_a_paused_container_that_nobody_uses_is_waited_for_once_and_removed(user: User) -> None:
    manifest = user.pipeline()
    before = user.run(manifest)
    docker("pause", *user.containers())
    result = user.penstock("run", str(manifest))
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() != before
    assert len(re.findall("has not answered for 3 s", result.stderr)) == 1, result.stderr
    assert "nobody used it and it was removed" in result.stderr
    assert len(user.containers("-a")) == 1


def test_a_paused_container_in_use_is_passed_over_and_stays(user: User) -> None:
    manifest = user.pipeline("Endless")
    first = user.start(manifest)
    place = first.container()
    docker("pause", place)
    try:
        second = user.start(manifest)
        assert second.container() != place
        assert "another one is used instead" in "".join(second.lines)
        assert any(each.startswith(place) for each in user.containers())
    finally:
        docker("unpause", place)
    first.process.terminate()
    assert first.wait() == 130


def test_a_session_that_keeps_nothing_warm_leaves_what_another_one_does(user: User) -> None:
    place = user.run(user.pipeline(name="patient", keep_warm="10m"))
    hasty = user.pipeline(name="hasty", keep_warm=0)
    assert user.run(hasty) == place
    assert len(user.containers()) == 1
    assert user.run(hasty) == place


def test_the_longest_that_sessions_asked_for_counts_when_they_end_together(user: User) -> None:
    patient = user.start(user.pipeline("Endless", name="patient", keep_warm="10m"))
    hasty = user.start(user.pipeline("Endless", name="hasty", keep_warm=0))
    assert patient.container() == hasty.container()
    for each in (patient, hasty):
        each.process.terminate()
        assert each.wait() == 130
    assert len(user.containers()) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="a disk of its own takes root")
def test_a_container_that_cannot_be_offered_is_removed(user: User) -> None:
    """The runtime directory has room for one small file, which is what its session is promised, and no other."""
    manifest = user.pipeline(keep_warm="10m")
    user.state = user.folder / "state"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "runtime", user.runtime], check=True)
    try:
        (user.runtime / "ballast").write_bytes(bytes(4096))
        result = user.penstock("run", str(manifest))
        assert result.returncode == 3, result.stderr
        assert "record.new" in result.stderr
        assert user.containers("-a") == []
        assert [path for path in user.runtime.glob("penstock/c/*") if path.is_dir()] == []
    finally:
        subprocess.run(["umount", "--lazy", user.runtime], check=True)


def test_creation_locks_are_of_a_fixed_number(user: User) -> None:
    for number in range(3):
        user.run(user.pipeline(env={"N": str(number)}))
    names = [path.name for path in (user.runtime / "penstock" / "c").glob("*.lock")]
    assert names and all(re.fullmatch("[0-9a-f]{3}.lock", name) for name in names)
