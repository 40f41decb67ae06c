"""One node's life in a worker: import, setup, messages, finish, teardown.

Imported once the runtime has been greeted, so that its cost runs beside the opening of the ports.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union

from penstock import _current, _failures
from penstock._context import Identity, NodeContext, UserClock
from penstock._node import Node, defines_load
from penstock._ports import NodePorts, inspect_node, type_name
from penstock._resolve import resolve
from penstock._runner import Runner
from penstock._serving import Inputs
from penstock._state import StateKeeper, check_source, defines_checkpoint, from_kept

if TYPE_CHECKING:
    from penstock._async import NodeLoop
    from penstock._core import Host
    from penstock._joining import JoinedInputs


class Prepared(NamedTuple):
    """What all instances of a node's class have in common."""

    cls: type[Node]
    loaded: Any


class Worker:
    """One node's life. `phase` is where it is, for the report of a failure."""

    def __init__(self, host: Host) -> None:
        self.phase = "import"
        self.state: Optional[StateKeeper] = None
        self.loop: Optional[NodeLoop] = None  # of nodes that have coroutines
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
        replays = restarts and ports.is_source and not ports.timers
        replayable = check_source(cls, self.node_id, keeps) if replays else None
        if ports.has_coroutines:
            from penstock._async import NodeLoop

            self.loop = NodeLoop(host)
        node = cls()
        if loaded is not None:
            node.loaded = loaded
        identity = Identity(self.node_id, configuration["session"], configuration["attempt"])
        connected = {port: index for index, port in enumerate(configuration["output_ports"])}
        context = NodeContext(node, ports, identity, host, connected)
        runner = Runner(node, ports, context, configuration["input_ports"])
        runner.use(self.loop)
        inputs = self._inputs_of(runner, ports)
        runner.setup(json.loads(configuration["params"]))
        if keeps and restarts:
            self._restore(node)
            self.state = runner.state = StateKeeper(node, host)

        self.phase = "ports"
        declared = {port: type_name(types) for port, types in ports.inputs.items()}
        host.ready(declared, {port: type_name(types) for port, types in ports.outputs.items()})
        context.is_open = True

        self.phase = "process"
        ended = runner.is_source and host.ended_before()
        if replayable is False and not ended:
            host.publish_anew()
        if ended:
            pass  # everything was sent already, what `finish` gives too
        elif runner.is_source and not ports.timers:
            runner.run_source()
        else:
            self._serve(inputs, context)
        if not ended:
            self.phase = "finish"
            host.begin_finish()
            runner.finish()
            self.phase = "replay"
            host.check_replay()
        self.phase = "ports"
        host.drain()
        self.phase = "teardown"
        runner.teardown()
        if self.loop is not None:
            self.loop.close()

    def let_go(self) -> None:
        """Of a node that has ended, in a process that goes on: its thread refers to it no longer, and what a failed one
        has on its event loop does not go on."""
        _current.enter(None)
        if self.loop is not None:
            self.loop.let_go()

    def wake(self) -> None:
        """Any thread: a node that awaits something looks at what was done to its thread."""
        if self.loop is not None:
            self.loop.wake()

    def _inputs_of(self, runner: Runner, ports: NodePorts) -> Union[Inputs, JoinedInputs]:
        if self.configuration["join_tolerance_ns"] is None:
            return Inputs(self.host, runner, ports.timers)
        from penstock._joining import JoinedInputs  # here: the others start sooner without

        return JoinedInputs(self.host, runner, ports, self.configuration)

    def _serve(self, inputs: Union[Inputs, JoinedInputs], context: NodeContext) -> None:
        if self.configuration["measure_cpu"]:
            context.clock = UserClock()
        try:
            inputs.serve(context.clock)
        except BaseException:
            self.in_flight = inputs.in_flight
            if inputs.port_failed:
                self.phase = "ports"
            raise
        context.clock = None

    def _restore(self, node: Node) -> None:
        """Gives the node what the worker before this one had kept, if there was one and it had."""
        self.phase = "restore"
        kept = self.host.restore_state()
        if kept is not None:
            node.restore(from_kept(*kept))  # type: ignore[attr-defined]

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
