"""The report's accounts against what the nodes counted themselves."""

from __future__ import annotations

from typing import Any

from arrivals import Sent
from history import History
from ledger import Ledger
from pipelines import Edge, Node, Pipeline
from violation import ViolationError


def check_nodes(report: dict[str, Any], pipeline: Pipeline, history: History) -> None:
    for node in report["nodes"]:
        if bool(node.get("left_out")) != (node["id"] in pipeline.left_out):
            raise ViolationError(f"that {node['id']} was left out: {node.get('left_out')}")
        least = history.restarts[node["id"]]
        if not least <= node["restarts"] <= least + history.spare[node["id"]]:
            raise ViolationError(f"{node['id']} was restarted {node['restarts']} times, instead of {least}")
        if node["quarantined"] != history.poisoned[node["id"]]:
            raise ViolationError(f"{node['id']} has {node['quarantined']} messages in quarantine")


def check_account(edge: Edge, account: dict[str, Any], pipeline: Pipeline, history: History) -> None:
    """What a node that was left out had not taken stays in flight; and what it had in its hands, not acknowledged."""
    alone = edge.consumer in pipeline.left_out
    in_flight = account.get("in_flight", 0)
    if account["sent"] != account["delivered"] + account["lost"] + in_flight or (in_flight and not alone):
        raise ViolationError(f"the account of {edge.id} does not add up: {account}")
    if account["acknowledged"] != account["sent"] and not alone:
        raise ViolationError(f"not all of {edge.id} is acknowledged: {account}")
    if not history.loses(edge) and account["lost"]:
        raise ViolationError(f"{edge.id} lost {account['lost']} messages, and nothing explains it: {account}")
    most = edge.depth * history.gone_together[edge.id]
    if edge.blocks and account["lost"] > most:
        raise ViolationError(f"{edge.id} lost {account['lost']} messages, of at most {most}: {account}")


def check_count(edge: Edge, sent: list[Sent], account: dict[str, Any], ledgers: dict[str, Ledger], node: Node) -> None:
    """The account's `sent` against what the producer says itself."""
    if node.is_source:
        made = ledgers[node.id].made.sent()
        if node.kind == "numbers" and account["sent"] not in made:
            raise ViolationError(f"{edge.id}: {account['sent']} were sent, but {node.id} made {made}")
        return
    least = sum(each.sure for each in sent)
    if not least <= account["sent"] <= len(sent):
        raise ViolationError(f"{edge.id}: {account['sent']} were sent, instead of {least} to {len(sent)}")


def check_delivered(
    edge: Edge, got: int, account: dict[str, Any], ledger: Ledger, pipeline: Pipeline, history: History
) -> None:
    """The account's `delivered` against what the consumer counted itself."""
    delivered = account["delivered"]
    unwritten = ledger.workers - 1 if history.skips(edge) else 0  # taken, and killed before that was written down
    unwritten += edge.consumer in pipeline.left_out
    given_up = ledger.workers - 1 if history.gone_together[edge.id] else 0  # begun, killed, and lost with its producer
    if not got - given_up <= delivered <= got + unwritten:
        raise ViolationError(f"{edge.id}: {delivered} were delivered, but {edge.consumer} counted {got}")
