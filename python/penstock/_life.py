"""One node's life in a worker: import, setup, messages, finish, teardown.

Imported once the runtime has been greeted, so that its cost runs beside the opening of the ports.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from time import thread_time_ns
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from penstock import _failures
from penstock._errors import PortError
from penstock._node import Node, defines_load
from penstock._ports import NodePorts, inspect_node, type_name
from penstock._resolve import resolve
from penstock._runner import Identity, NodeContext, Runner, UserClock
from penstock._state import StateKeeper, check_source, defines_checkpoint, from_kept

if TYPE_CHECKING:
    from penstock._core import Host
    from penstock._joining import JoinedInputs

_MESSAGE, _PORT_ENDED = 0, 1


class Prepared(NamedTuple):
    """What all instances of a node's class have in common."""

    cls: type[Node]
    loaded: Any


class Worker:
    """One node's life. `phase` is where it is, for the report of a failure."""

    def __init__(self, host: Host) -> None:
        self.phase = "import"
        self.state: Optional[StateKeeper] = None
        self.in_flight: Optional[tuple[int, int]] = None  # input and sequence of the message whose handler failed
        self.host = host
        self.configuration = host.configuration()
        self.node_id = self.configuration["node"]

    def import_class(self) -> type[Node]:
        """Raises whatever the node's module raises."""
        code = self.configuration["code"]
        _put_first_on_path(code)
        return resolve(self.configuration["node_type"], self.configuration["modules"], code)

    def prepare(self, cls: type[Node]) -> Prepared:
        """Raises whatever the class's `load` raises."""
        self._ports_of(cls)  # what it declares is looked at before anything is loaded
        loads = defines_load(cls)
        self.phase = "setup"
        loaded = cls.load(json.loads(self.configuration["params"])) if loads else None  # type: ignore[attr-defined]
        return Prepared(cls, loaded)

    def _ports_of(self, cls: type[Node]) -> NodePorts:
        # Of sessions that share a process, one may join its inputs and another not.
        return inspect_node(cls, joins=self.configuration["join_tolerance_ns"] is not None)

    def run(self, prepared: Prepared) -> None:
        """From the instance to teardown. Raises whatever the node raises."""
        configuration, host = self.configuration, self.host
        cls, loaded = prepared

        self.phase = "setup"
        ports = self._ports_of(cls)
        keeps = defines_checkpoint(cls, ports)
        restarts = configuration["restarts"]
        replayable = check_source(cls, self.node_id, keeps) if restarts and ports.is_source else None
        node = cls()
        if loaded is not None:
            node.loaded = loaded
        identity = Identity(self.node_id, configuration["session"], configuration["attempt"])
        connected = {port: index for index, port in enumerate(configuration["output_ports"])}
        context = NodeContext(node, ports, identity, host, connected)
        runner = Runner(node, ports, context, configuration["input_ports"])
        joined = None
        if configuration["join_tolerance_ns"] is not None:
            from penstock import _joining  # here: the others start sooner without

            joined = _joining.JoinedInputs(host, runner, ports, configuration)
        node.setup(json.loads(configuration["params"]))
        if keeps and restarts:
            self._restore(node)
            self.state = runner.state = StateKeeper(node, host)

        self.phase = "ports"
        inputs = {port: type_name(types) for port, types in ports.inputs.items()}
        host.ready(inputs, {port: type_name(types) for port, types in ports.outputs.items()})
        context.is_open = True

        self.phase = "process"
        ended = runner.is_source and host.ended_before()
        if replayable is False and not ended:
            host.publish_anew()
        if ended:
            pass  # everything was sent already, what `finish` gives too
        elif runner.is_source:
            runner.run_source()
        elif joined is not None:
            self._serve_joined(joined, context)
        elif configuration["measure_cpu"]:
            context.clock = UserClock()
            self._serve_measured(runner, context.clock)
            context.clock = None
        else:
            self._serve(runner)
        if not ended:
            self.phase = "finish"
            runner.finish()
            self.phase = "replay"
            host.check_replay()
        self.phase = "ports"
        host.drain()
        self.phase = "teardown"
        node.teardown()

    def _restore(self, node: Node) -> None:
        """Gives the node what the worker before this one had kept, if there was one and it had."""
        self.phase = "restore"
        kept = self.host.restore_state()
        if kept is not None:
            node.restore(from_kept(*kept))  # type: ignore[attr-defined]

    def _serve(self, runner: Runner) -> None:
        # The hot loop. Nothing may refer to a message while the next one is awaited: its slot would stay taken.
        next_event, acknowledge, handle = self.host.next, self.host.acknowledge, runner.handle
        view = None
        try:
            while True:
                try:
                    kind, port, view = next_event()
                except PortError as error:
                    kind, port, view = self._next_after(error)
                if kind == _MESSAGE:
                    handle(port, view)
                    view = None
                    acknowledge(0)
                elif kind != _PORT_ENDED:
                    return
        except BaseException:
            if view is not None:
                self.in_flight = (port, view.sequence)
            raise

    def _serve_measured(self, runner: Runner, clock: UserClock) -> None:
        """As _serve, with the CPU time between two acknowledgements that was not the node's own."""
        host = self.host
        view = None
        start = thread_time_ns()
        try:
            while True:
                try:
                    kind, port, view = host.next()
                except PortError as error:
                    kind, port, view = self._next_after(error)
                if kind == _MESSAGE:
                    clock.user_ns = 0
                    runner.handle_measured(port, view, clock)
                    view = None
                    end = thread_time_ns()
                    host.acknowledge(max(end - start - clock.user_ns, 0))
                    start = end
                elif kind != _PORT_ENDED:
                    return
        except BaseException:
            if view is not None:
                self.in_flight = (port, view.sequence)
            raise

    def _serve_joined(self, joined: JoinedInputs, context: NodeContext) -> None:
        if self.configuration["measure_cpu"]:
            context.clock = UserClock()
        try:
            joined.serve(context.clock)
        except BaseException:
            self.in_flight = joined.in_flight
            if joined.port_failed:
                self.phase = "ports"
            raise
        context.clock = None

    def _next_after(self, error: PortError) -> Any:
        if error.code == "exhausted":
            # Messages in reference cycles are held by nobody but the collector.
            gc.collect()
            return self.host.next()
        self.phase = "ports"
        raise error

    def report(self, error: BaseException) -> None:
        """Tells the runtime why the node cannot go on."""
        failure = _failures.describe(error, self.node_id)
        edge, sequence = None, None
        if self.in_flight is not None:
            port = self.configuration["input_ports"][self.in_flight[0]]
            edges = [edge for name, ids in self.configuration["input_edges"] if name == port for edge in ids]
            edge = edges[0] if len(edges) == 1 else None
            sequence = self.in_flight[1]
        phase = "checkpoint" if self.state is not None and self.state.is_keeping else self.phase
        self.host.report_failed(phase, failure.error, failure.message, failure.traceback, edge, sequence)


def _put_first_on_path(code: str) -> None:
    # `-m` put the working directory first, which is nobody's business here.
    if sys.path and sys.path[0] in ("", str(Path.cwd())):
        del sys.path[0]
    if code in sys.path:
        sys.path.remove(code)
    sys.path.insert(0, code)
