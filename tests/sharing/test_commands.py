"""What runs is seen, ended and cleaned by commands of other processes."""

from __future__ import annotations

import json

from conftest import User, docker


def test_ps_shows_sessions_and_containers(user: User) -> None:
    run = user.start(user.pipeline("Endless", name="talk"))
    place = run.container()
    shown = json.loads(user.penstock("ps", "--json").stdout)
    (session,) = shown["sessions"]
    assert session["pipeline"] == "talk"
    assert session["phase"] == "running"
    assert session["pid"] == run.process.pid
    assert [node["id"] for node in session["nodes"]] == ["n0", "s0"]
    (container,) = shown["containers"]
    assert container["container"].startswith(place)
    assert container["sessions"] == [session["session"]]
    text = user.penstock("ps").stdout
    assert session["session"] in text
    assert "n0.out->s0.in" in text


def test_ps_tells_a_warm_container_from_one_in_use(user: User) -> None:
    user.run(user.pipeline())
    shown = json.loads(user.penstock("ps", "--json").stdout)
    assert shown["sessions"] == []
    assert [container["state"] for container in shown["containers"]] == ["warm"]


def test_stop_ends_a_session_in_order(user: User) -> None:
    first, second = user.start(user.pipeline("Endless")), user.start(user.pipeline("Endless"))
    first.container()
    second.container()
    sessions = [each["session"] for each in json.loads(user.penstock("ps", "--json").stdout)["sessions"]]
    result = user.penstock("stop", sessions[0])
    assert result.returncode == 0, result.stderr
    left = json.loads(user.penstock("ps", "--json").stdout)["sessions"]
    assert [each["session"] for each in left] == sessions[1:]
    assert user.penstock("stop", "--all").returncode == 0
    assert {first.wait(), second.wait()} == {130}


def test_stop_says_what_it_does_not_know(user: User) -> None:
    result = user.penstock("stop", "nobody")
    assert result.returncode == 2
    assert "no session that runs begins with 'nobody'" in result.stderr
    assert user.penstock("stop").returncode == 2
    assert "no session runs" in user.penstock("stop", "--all").stdout


def test_gc_removes_what_a_killed_runtime_left_and_spares_what_is_in_use(user: User) -> None:
    user.start(user.pipeline("Endless", name="alive")).container()
    dead = user.start(user.pipeline("Endless", name="dead", keep_warm=0, env={"A": "1"}))
    place = dead.container()
    dead.process.kill()
    dead.process.wait()
    result = user.penstock("gc")
    assert result.returncode == 0, result.stderr
    left = [docker("inspect", "--format", "{{.Config.Hostname}}", each).strip() for each in user.containers()]
    assert len(left) == 1
    assert place not in left


def test_gc_ends_warm_containers_only_when_asked(user: User) -> None:
    user.run(user.pipeline())
    assert user.penstock("gc").returncode == 0
    assert len(user.containers()) == 1
    assert user.penstock("gc", "--warm").returncode == 0
    assert user.containers("-a") == []
