"""Faults at nodes of a running pipeline: which are possible, and what must come of them."""

from __future__ import annotations

import json
import random

from faults import FAULTS, HANGS, POISON, QUARANTINE, TOGETHER, Fault, order
from history import History
from pipelines import SHORT_TIMEOUT_S, Node, Pipeline
from sessions import Run
from violation import ViolationError

MOST_TOGETHER = 3


def fits(fault: Fault, node: Node, run: Run) -> bool:
    if fault.kind == "full disk" and not run.place.small_disk:
        return False
    if fault.kind in HANGS and is_patient(run.pipeline):
        return False
    # What is granted takes its time on a busy machine, and is no hang.
    if fault.kind == "too much shared memory" and not (run.pipeline.small_quota or is_patient(run.pipeline)):
        return False
    if fault.kind == "hang beyond a deadline" and not is_limited(run.pipeline, node):
        return False
    # One in its checkpoint would come again: it ends the session.
    if fault.kind == "exception anywhere" and node.state == "kept":
        return False
    if fault.hopeless and not (node.skips and node.retried):
        return False
    if not node.retried and (fault.restarts + fault.perhaps > 1 or fault.kind == "slow start"):
        return False
    return node.role in fault.on and fault.containers in (None, node.container)


def is_limited(pipeline: Pipeline, node: Node) -> bool:
    """By the deadlines of its edges, and by nothing before."""
    fed = pipeline.fed
    held_up = any(edge.deadline_s is not None and edge.producer in fed for edge in pipeline.inputs_of(node.id))
    return held_up and node.kind != "join" and is_patient(pipeline)


def is_patient(pipeline: Pipeline) -> bool:
    return pipeline.process_timeout_s > SHORT_TIMEOUT_S


def possible_faults(run: Run, history: History) -> list[tuple[str, str]]:
    """Kinds of faults, and the nodes that they can happen to."""
    nodes = [run.pipeline.nodes[name] for name in run.pipeline.targets]
    found = [
        (fault.kind, node.id)
        for fault in FAULTS.values()
        for node in nodes
        if fits(fault, node, run) and affords(node, fault.restarts + fault.perhaps, history)
    ]
    if len(at_once(run, history)) > 1:
        found.append((TOGETHER, ""))
    for name in run.pipeline.steady_steps:
        if run.pipeline.nodes[name].max_attempts < 100 and not history.poisoned[name]:
            found.append((QUARANTINE, name))
    return found


def affords(node: Node, restarts: int, history: History) -> bool:
    """A node with few attempts is to have them for a message that goes to quarantine."""
    if node.max_attempts >= 100 or restarts == 0:
        return True
    return history.restarts[node.id] + restarts <= 1 and not history.poisoned[node.id]


def at_once(run: Run, history: History) -> list[tuple[Fault, str]]:
    """What several nodes can be struck by at a time."""
    return [
        (fault, name)
        for name in run.pipeline.targets
        for fault in FAULTS.values()
        if fault.at_once
        and fault.restarts == 1
        and run.pipeline.nodes[name].retried
        and fits(fault, run.pipeline.nodes[name], run)
        and affords(run.pipeline.nodes[name], 1, history)
    ]


def together(run: Run, dice: random.Random, history: History) -> list[tuple[Fault, str]]:
    found = at_once(run, history)
    names = sorted({name for _, name in found})
    chosen = dice.sample(names, min(len(names), dice.randint(2, MOST_TOGETHER)))
    return [(dice.choice([fault for fault, each in found if each == name]), name) for name in chosen]


def perform(fault: Fault, run: Run, name: str, history: History) -> None:
    """One fault, until the pipeline is whole again."""
    said = len(run.said.lines)
    node = run.pipeline.nodes[name]
    if fault.restarts:
        without_producers(run, name, history)
    fault.strike(run, name)
    if fault.restarts and (fault.hopeless or not node.retried):
        history.restarts[name] += fault.hopeless
        run.await_left_out(name)
        run.pipeline.left_out.add(name)
        return
    history.restarts[name] += fault.restarts
    history.spare[name] += fault.perhaps
    if fault.perhaps:
        run.await_replacement(name, said)
    elif fault.restarts:
        run.await_restart(name, fault.restarts)


def without_producers(run: Run, name: str, history: History) -> None:
    """Of a node that was left out, what its consumer has not handled is only in that one's memory. So is what a join
    keeps of one that was restarted."""
    joins = run.pipeline.nodes[name].kind == "join"
    for edge in run.pipeline.inputs_of(name):
        gone = edge.producer in run.pipeline.left_out or (joins and history.restarts[edge.producer] > 0)
        history.gone_together[edge.id] += gone


def perform_together(faults: list[tuple[Fault, str]], run: Run, history: History) -> None:
    """Several at once. What nodes that read each other have in their hands may be lost, and must be counted."""
    names = {name for fault, name in faults if fault.restarts}
    for edge in run.pipeline.between(names):
        history.gone_together[edge.id] += 1
    for fault, name in faults:
        without_producers(run, name, history)
        fault.strike(run, name)
    for fault, name in faults:
        history.restarts[name] += fault.restarts
        if fault.restarts:
            run.await_restart(name, fault.restarts)


def poison(run: Run, name: str, dice: random.Random, history: History) -> None:
    """A message at which the node fails at every attempt: exactly it goes to quarantine."""
    attempts = run.pipeline.nodes[name].max_attempts
    place, how = dice.choice(["before", "between", "after"]), dice.choice(POISON)
    order(place, how, "poison")(run, name)
    without_producers(run, name, history)
    history.restarts[name] += attempts
    history.poisoned[name] += 1
    run.await_restart(name, attempts)
    run.said.await_line(
        lambda line: "is in quarantine" in line and f"node '{name}'" in line, f"that {name} has put a message away"
    )
    (run.pipeline.shared / f"poison.{name}").unlink(missing_ok=True)


def quarantined(run: Run) -> list[dict[str, object]]:
    state = run.place.disk_of(run.pid) if run.place.small_disk else run.place.state
    listed = run.penstock("quarantine", "list", "--json", state=state)
    if listed.returncode != 0:
        raise ViolationError(f"'penstock quarantine list' failed: {listed.stderr}")
    messages: list[dict[str, object]] = json.loads(listed.stdout)["messages"]
    return messages
