"""`penstock logs`: which session, which lines, and until when."""

from __future__ import annotations

import json
import re
import subprocess

from conftest import PENSTOCK, Project, source


def test_without_a_session_the_newest_is_shown_and_any_can_be_named_by_its_beginning(project: Project) -> None:
    project.write(source("first", "Say", what="levels"))
    first = project.run().report["session"]
    project.write(source("second", "Say", what="levels"))
    project.run()
    assert "[second] a line of stdout" in project.logs().stdout
    assert "[first] a line of stdout" in project.logs(first[:18]).stdout


def test_a_session_that_does_not_exist_is_answered_with_those_that_do(project: Project) -> None:
    none = project.logs()
    assert none.returncode == 2 and "no session has a log" in none.stderr
    project.write(source("say", "Say", what="levels"))
    session = project.run().report["session"]
    wrong = project.logs("ffff")
    assert wrong.returncode == 2 and session in wrong.stderr


def test_lines_are_chosen_by_node_level_pattern_and_time(project: Project) -> None:
    project.write(source("a", "Say", what="levels"), source("b", "Say", what="levels"))
    project.run()
    assert {r["node"] for r in project.records("--node", "b")} == {"b"}
    assert {r["level"] for r in project.records("--level", "warning")} == {"warning", "error"}
    assert {r["message"] for r in project.records("--grep", "^a line of (stdout|stderr)$")} == {
        "a line of stdout",
        "a line of stderr",
    }
    everything = project.records()
    assert project.records("--since", "1h") == everything
    assert project.records("--since", "2099-01-01") == []
    middle = everything[len(everything) // 2]["time"]
    assert project.records("--since", middle) == [r for r in everything if r["time"] >= middle]


def test_mistakes_are_named(project: Project) -> None:
    project.write(source("say", "Say", what="levels"))
    project.run()
    for arguments, word in ((["--since", "soon"], "soon"), (["--grep", "("], "("), (["--level", "loud"], "loud")):
        done = project.logs(*arguments)
        assert done.returncode == 2 and word in done.stderr


def test_a_node_that_is_not_there_is_answered_with_those_that_are(project: Project) -> None:
    project.write(source("say", "Say", what="levels"))
    project.run()
    for arguments in (["--node", "nope"], ["--json", "--node", "nope"], ["-f", "--node", "nope"]):
        done = project.logs(*arguments)
        assert done.returncode == 2 and done.stdout == ""
        assert "no node 'nope' in the log of session " in done.stderr
        assert "; there are say, say-end\n" in done.stderr
    some = project.logs("--node", "nope", "--node", "say")
    assert some.returncode == 2 and "[say] a line of stdout" in some.stdout
    quiet = project.logs("--node", "say-end")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", ""), "it wrote nothing, but there is one"


def test_ages_may_be_days_and_weeks(project: Project) -> None:
    project.write(source("say", "Say", what="levels"))
    project.run()
    everything = project.records()
    for age in ("1d", "7d", "1.5d", "2w", "200h", "52w", "90s", "3600"):
        assert project.records("--since", age) == everything
    assert project.records("--since", "0s") == []
    for too_much in ("53w", "1000d"):
        done = project.logs("--since", too_much)
        assert done.returncode == 2 and "--since takes at most 52w" in done.stderr
    for nonsense in ("1y", "-1d", "d", "1e3d", "0x1d", "nand"):
        done = project.logs("--since", nonsense)
        assert done.returncode == 2 and "is neither a duration (90s, 10m, 2h, 7d, 2w) nor a time" in done.stderr


def test_people_read_local_time_node_and_text(project: Project) -> None:
    project.write(source("say", "Say", what="records"))
    project.run()
    text = project.logs().stdout
    assert re.search(r"^\d\d:\d\d:\d\d\.\d{3} \[say\] it failed$", text, re.MULTILINE)
    assert re.search(r"^\d\d:\d\d:\d\d\.\d{3} \[say\] KeyError: 'first'$", text, re.MULTILINE)
    assert re.search(r"^\d\d:\d\d:\d\d\.\d{3} penstock: the session is done after ", text, re.MULTILINE)


def test_a_follower_sees_each_line_once_and_ends_with_the_session(project: Project) -> None:
    lines = 30_000
    project.write(source("flood", "Flood", lines=lines, rate=15_000))
    # Files so many that the follower cannot be overtaken.
    run = project.start_streams("--log-file-size", "64KiB", "--log-files", "1000")
    follower = subprocess.run(
        [str(PENSTOCK), "logs", "-f", "--json"], stdout=subprocess.PIPE, env=project.env, text=True, check=True
    )
    assert run.wait() == 0
    followed = [json.loads(line) for line in follower.stdout.splitlines()]
    assert followed == project.records()
    assert followed[-1]["event"] == "ended"


def test_a_follower_ends_when_nobody_reads_it(project: Project) -> None:
    project.write(source("say", "Say", what="until_killed"))
    project.start_streams()
    with subprocess.Popen([str(PENSTOCK), "logs", "-f"], stdout=subprocess.PIPE, env=project.env) as follower:
        assert follower.stdout is not None
        follower.stdout.readline()
        follower.stdout.close()
        follower.wait()


def test_a_log_is_bounded_and_says_what_went(project: Project) -> None:
    project.write(source("flood", "Flood", lines=9000))
    run = project.run("--quiet", "--log-file-size", "64KiB", "--log-files", "3")
    folder = project.sessions / run.report["session"]
    files = sorted(folder.glob("log.*.jsonl"))
    assert len(files) == 3 and all(file.stat().st_size <= 64 << 10 for file in files)
    assert run.report["log"]["removed"] > 0
    assert any(r.get("event") == "rotated" for r in project.records())


def test_the_logs_of_old_sessions_go(project: Project) -> None:
    project.write(source("say", "Say", what="levels"))
    sessions = [project.run("--quiet", "--log-sessions", "2").report["session"] for _ in range(3)]
    assert sorted(folder.name for folder in project.sessions.iterdir()) == sorted(sessions[1:])
