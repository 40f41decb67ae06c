"""What a user is told when something goes wrong, and with which exit code the run ends."""

from __future__ import annotations

import os
import re
import signal

import pytest
from conftest import SINK, Project, docker, node, penstock

PLACES = pytest.mark.parametrize("container", [False, True], ids=["process", "container"])


def crash(project: Project, how: str, container: bool = False, **more: object) -> None:
    project.chain(
        node("count", "Endless"), node("crash", "Crash", container=container, params={"how": how}, **more), SINK
    )


@PLACES
def test_an_exception_ends_the_run_with_its_traceback(project: Project, container: bool) -> None:
    crash(project, "exception", container)
    result = project.run()
    assert result.returncode == 1
    assert (
        "node 'crash' failed while handling message 3 of edge count.out->crash.in: ValueError: no such word"
        in result.stderr
    )
    assert 'raise ValueError("no such word")' in result.stderr


def test_an_exception_in_setup_is_told_apart(project: Project) -> None:
    crash(project, "setup")
    result = project.run()
    assert result.returncode == 1
    assert "node 'crash' failed in its setup: FileNotFoundError: model.onnx" in result.stderr


def test_a_module_that_does_not_exist_is_named(project: Project) -> None:
    project.chain(node("count", "Count"), {"id": "lost", "node_type": "nowhere:Node"}, SINK)
    result = project.run()
    assert result.returncode == 1
    assert "node 'lost' failed while importing its module: ModuleNotFoundError" in result.stderr


@PLACES
def test_an_exit_code_is_reported(project: Project, container: bool) -> None:
    crash(project, "exit", container)
    result = project.run()
    assert result.returncode == 1
    assert (
        "node 'crash' exited with code 3 before its stream had ended while handling message 3 of edge" in result.stderr
    )


@PLACES
def test_a_segmentation_fault_is_reported_with_the_python_stack(project: Project, container: bool) -> None:
    crash(project, "segfault", container)
    result = project.run()
    assert result.returncode == 1
    assert "node 'crash' was killed by signal 11 (SIGSEGV) while handling message 3" in result.stderr
    assert "Fatal Python error: Segmentation fault" in result.stderr


def test_a_killed_worker_is_reported(project: Project) -> None:
    crash(project, "hang")
    with project.start() as run:
        pid = run.pid_of("crash")
        run.read_until("[crash] hanging")
        os.kill(pid, signal.SIGKILL)
        run.read_until("penstock: error: node 'crash' was killed by signal 9 (SIGKILL) while handling message 3")
        assert run.wait() == 1


def test_a_killed_container_is_reported_with_how_it_ended(project: Project) -> None:
    crash(project, "hang", container=True)
    with project.start() as run:
        session = run.read_until("session ").split()[1]
        run.read_until("[crash] hanging")
        container = docker("ps", "-q", "--filter", f"label=penstock.session={session}").strip()
        docker("kill", container)
        run.read_until("penstock: error: the container of node 'crash' ")
        assert run.wait() == 1
        assert any("somebody had the engine send it signal 9 (SIGKILL)" in line for line in run.lines)
        assert "somebody had the engine send it signal 9 (SIGKILL)" in run.lines[-1], "also at the end"
        assert docker("ps", "-aq", "--filter", f"label=penstock.session={session}") == ""


def test_a_setup_that_never_ends_meets_its_deadline(project: Project) -> None:
    crash(project, "slow setup", start_timeout="1s")
    result = project.run()
    assert result.returncode == 1
    assert "node 'crash' did not import its module and set up within 1.0 s; raise its start_timeout" in result.stderr


def test_a_container_at_its_memory_limit_is_told_which_and_what_to_raise(project: Project) -> None:
    small = {"python_version": "3.11", "resource_limits": {"memory_mb": 128, "cpu_cores": 1}}
    project.chain(node("count", "Count", params={"n": 1}), node("glutton", "Glutton", docker=small), SINK)
    result = project.run()
    assert result.returncode == 1
    assert "node 'glutton' was killed by the kernel at its memory limit of 128 MB" in result.stderr
    assert "raise docker.resource_limits.memory_mb" in result.stderr


def test_a_pipeline_that_does_not_start_names_the_nodes_it_waits_for(project: Project) -> None:
    project.write(
        [
            node("count", "Count"),
            node("crash", "Crash", params={"how": "slow setup"}, start_timeout="1h"),
            SINK,
        ],
        [("count", "crash"), ("crash", "sink")],
        session={"start_timeout": "1s"},
    )
    result = project.run()
    assert result.returncode == 1
    assert "the pipeline did not start within 1.0 s: still waiting for crash; raise the session's" in result.stderr


def test_an_absent_engine_is_one_clear_sentence_and_no_fallback(project: Project) -> None:
    project.chain(node("count", "Count"), node("shout", "Shout", container=True), SINK)
    result = project.run(env={"DOCKER_HOST": f"unix://{project.folder}/no.sock"})
    assert result.returncode == 3
    errors = [line for line in result.stderr.splitlines() if "error" in line]
    assert len(errors) == 1 and "no.sock" in errors[0]
    assert result.stdout == ""


def test_a_pipeline_without_containers_needs_no_engine(project: Project) -> None:
    project.chain(node("count", "Count", params={"n": 1}), SINK)
    result = project.run(env={"DOCKER_HOST": f"unix://{project.folder}/no.sock"})
    assert (result.returncode, result.stdout) == (0, "0\n"), result.stderr


def test_the_failure_is_the_last_thing_on_the_terminal(project: Project) -> None:
    crash(project, "exception")
    lines = project.run().stderr.splitlines()
    assert any(line.startswith("started in ") for line in lines), "the summary"
    assert lines[-1].startswith("penstock: failed: node 'crash' failed while handling message 3 of edge ")


def test_a_verb_that_does_not_exist_is_told_with_the_nearest() -> None:
    result = penstock("rum", "pipeline.yaml")
    assert result.returncode == 2
    assert result.stderr == "penstock: error: there is no verb 'rum'; did you mean 'penstock run'?\n"
    result = penstock("deploy")
    assert result.returncode == 2
    assert result.stderr == "penstock: error: there is no verb 'deploy'; 'penstock --help' lists what there is\n"


def test_each_verb_has_an_example_of_its_own() -> None:
    help_text = penstock("--help").stdout
    listed = help_text[help_text.index("Commands:") : help_text.index("Examples:")]
    verbs = re.findall(r"^  ([a-z-]+) ", listed, re.MULTILINE)
    assert {"run", "ps", "gc", "logs", "check-image"} <= set(verbs)
    for verb in verbs:
        assert re.search(rf"Examples?:\n  penstock {verb}\b", penstock(verb, "--help").stdout), verb


def test_a_manifest_with_errors_is_refused_with_positions(project: Project) -> None:
    project.manifest.write_text("version: v1\nnodes:\n  - id: a\n    node_typ: text.sink\n")
    result = project.run()
    assert result.returncode == 2
    assert "pipeline.json:4:5" in result.stderr and "node_type" in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="containers of an ordinary user run as that user")
def test_code_that_is_closed_to_containers_is_told_before_anything_starts(project: Project) -> None:
    project.chain(node("count", "Count", container=True), SINK)
    project.folder.chmod(0o700)
    closed = project.run()
    assert closed.returncode == 2
    assert f"the manifest's directory '{project.folder}', which containers see at /app, cannot be read" in closed.stderr
    assert closed.stderr.endswith(f": chmod o+rx '{project.folder}'\n")
    project.folder.chmod(0o755)
    (project.folder / "nodes.py").chmod(0o600)
    closed = project.run()
    assert closed.returncode == 2
    assert closed.stderr.endswith(f": chmod o+r '{project.folder / 'nodes.py'}'\n")


def test_a_placement_that_there_is_not_is_answered_with_those_that_there_are(project: Project) -> None:
    result = penstock("run", "--placement", "foo", str(project.manifest))
    assert result.returncode == 2
    assert result.stderr.startswith("penstock: error: --placement: foo not in {declared,process}\n")


def test_a_node_that_closes_what_is_not_its_own_is_told(project: Project) -> None:
    (project.folder / "nodes.py").write_text(
        "import os, threading\nimport penstock\nfrom penstock import Text\n"
        "class One(penstock.Node):\n    def process(self):\n        yield Text('x')\n"
        "class Shut(penstock.Node):\n    def process(self, text: Text) -> None:\n"
        "        os.close(3)\n        threading.Event().wait()\n"
    )
    project.chain(node("one", "One"), node("shut", "Shut"))
    result = project.run()
    assert result.returncode == 1
    assert "node 'shut' has closed its connection to the runtime and goes on without it" in result.stderr


def test_a_fork_bomb_is_told_by_the_limit_that_it_met(project: Project) -> None:
    (project.folder / "nodes.py").write_text(
        "import os\nimport penstock\nfrom penstock import Text\n"
        "class One(penstock.Node):\n    def process(self):\n        yield Text('x')\n"
        "class Bomb(penstock.Node):\n    def process(self, text: Text) -> None:\n"
        "        while True:\n            os.fork()\n"
    )
    small = {"python_version": "3.11", "resource_limits": {"memory_mb": 128, "cpu_cores": 1}}
    project.chain(node("one", "One"), node("bomb", "Bomb", docker=small))
    result = project.run()
    assert result.returncode == 1, result.stderr[-2000:]
    last = result.stderr.splitlines()[-1]
    assert "limit of 128 MB" in last or "limit of 256" in last, last
    warnings = [line for line in result.stderr.splitlines() if line.startswith("penstock: warning: node 'bomb'")]
    assert len(warnings) <= 3, warnings
