"""Sessions of one configuration share containers, which end when the last lease is gone (FR-012, FR-015)."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor

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


def test_a_stopped_container_is_passed_over(user: User) -> None:
    manifest = user.pipeline()
    before = user.run(manifest)
    paused = user.containers()
    docker("pause", *paused)
    try:
        assert user.run(manifest) != before
    finally:
        docker("unpause", *paused)
