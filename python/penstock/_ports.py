"""A node class's ports and handlers, read from its attributes and annotations."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from penstock._annotations import Types, evaluate, message_types, returned_types
from penstock._errors import NodeError
from penstock._messages import Message
from penstock._node import Node
from penstock._timers import TimerMethod, timers_of


@dataclass(frozen=True)
class Handler:
    """How a message of one input port is given to the node."""

    method: str
    keyword: Optional[str]  # process(**{keyword: message}) instead of a positional argument


@dataclass(frozen=True)
class NodePorts:
    """What a class declares."""

    inputs: dict[str, Types]
    outputs: dict[str, Types]
    handlers: dict[str, Handler]
    has_coroutines: bool = False
    """Whether the node needs an event loop."""
    timers: tuple[TimerMethod, ...] = ()

    @property
    def is_source(self) -> bool:
        return not self.inputs


def type_name(types: Types) -> str:
    """As reported to the runtime.

    >>> from penstock import Audio, Text
    >>> type_name(frozenset([Text, Audio])), type_name(None)
    ('Audio|Text', 'Any')
    """
    return "Any" if types is None else "|".join(sorted(cls.__name__ for cls in types))


def inspect_node(cls: type[Node], *, joins: bool = False) -> NodePorts:
    """The ports of a class. NodeError that names class and method when they make no sense.

    `joins`: its manifest has `join`, so `process` gets one message of every input at a time.

    >>> from penstock import Audio, Text
    >>> from collections.abc import Iterator
    >>> class Recognizer(Node):
    ...     def process(self, speech: Audio) -> Iterator[Text]: ...
    >>> ports = inspect_node(Recognizer)
    >>> type_name(ports.inputs["in"]), type_name(ports.outputs["out"])
    ('Audio', 'Text')
    """
    methods = ["process"] if joins else _handler_methods(cls)
    timers = timers_of(cls, methods)
    if joins:
        _check_can_join(cls, timers)
    handlers = _joined_handlers(cls) if joins else _handlers(cls, methods)
    _check_timers(cls, handlers, methods, timers)
    called = [*methods, *(timer.name for timer in timers)]
    inputs, outputs = _input_types(cls, handlers), _output_types(cls, called)
    return NodePorts(inputs, outputs, handlers, _has_coroutines(cls, called), timers)


def _has_coroutines(cls: type[Node], handlers: list[str]) -> bool:
    for name in ("setup", "teardown"):
        if inspect.isasyncgenfunction(getattr(cls, name)):
            raise NodeError(f"{cls.__name__}.{name} is an async generator, but sends nothing: leave out its `yield`")
    functions = [getattr(cls, name) for name in [*handlers, "setup", "finish", "teardown"]]
    return any(inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each) for each in functions)


def _check_timers(
    cls: type[Node], handlers: Mapping[str, Handler], methods: list[str], timers: tuple[TimerMethod, ...]
) -> None:
    if methods and not handlers and timers:
        raise NodeError(
            f"{cls.__name__} is a source: its process says itself when it sends, so {timers[0].name} would never be "
            "called. Leave out process, and send in timers; or have inputs"
        )
    if not methods and not timers:
        raise NodeError(f"{cls.__name__} has no process method (nor on_<port> methods, nor timers)")


def _handler_methods(cls: type[Node]) -> list[str]:
    has_process = callable(getattr(cls, "process", None))
    names = _on_port_methods(cls)
    if has_process and names:
        raise NodeError(
            f"{cls.__name__} has both process and {names[0]}: handle all inputs in process, or each in a method "
            f"on_<port> of its own. (A method that handles no input needs another name, such as _{names[0]})"
        )
    return ["process"] if has_process else names


def _on_port_methods(cls: type[Node]) -> list[str]:
    """NodeError for one without a port, unless it is from before the inputs were declared."""
    names = [name for name in dir(cls) if name.startswith("on_") and callable(getattr(cls, name))]
    if cls.inputs is None:
        return names
    before = next(base for base in cls.__mro__ if "inputs" in vars(base)).__mro__[1:]
    for name in names:
        if name[3:] not in cls.inputs and not any(name in vars(base) for base in before):
            near = difflib.get_close_matches(name[3:], list(cls.inputs), 1)
            meant = f"; did you mean on_{near[0]}?" if near else ""
            raise NodeError(
                f"{cls.__name__}.{name} is for an input {name[3:]!r}, which `inputs` does not have: it has "
                f"{', '.join(map(repr, cls.inputs)) or 'none'}{meant}"
            )
    return [name for name in names if name[3:] in cls.inputs]


def _handlers(cls: type[Node], methods: list[str]) -> dict[str, Handler]:
    handlers = {name[3:]: Handler(name, None) for name in methods if name != "process"}
    for name in handlers.values():
        if len(_parameters(cls, name.method)) != 1:
            raise NodeError(f"{cls.__name__}.{name.method} must take one argument, the message")
    declared = None if cls.inputs is None else list(cls.inputs)
    if "process" in methods:
        parameters = _parameters(cls, "process")
        if declared is None:
            several = len(parameters) > 1
            ports = [p.name for p in parameters] if several else ["in"] if parameters else []
        else:
            ports = declared
            several = len(ports) > 1 or len(parameters) > 1
        catch_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
        if catch_all and declared is None:
            raise NodeError(
                f"{cls.__name__}.process takes **{parameters[-1].name}: "
                "declare the ports with the class attribute `inputs`"
            )
        for port in ports:
            if several and not catch_all and port not in [p.name for p in parameters]:
                raise NodeError(
                    f"{cls.__name__}.process has no parameter for the input {port!r}; "
                    f"add {port}=None, or have a method on_<port> for each input instead"
                )
            if not parameters:
                raise NodeError(
                    f"{cls.__name__}.process takes no message, but the input {port!r} is declared; "
                    "add a parameter, or have a method on_<port> for each input instead"
                )
            handlers.setdefault(port, Handler("process", port if several or catch_all else None))
        if several and not catch_all:
            for parameter in parameters:
                if parameter.default is parameter.empty:
                    raise NodeError(
                        f"{cls.__name__}.process is called with the message of one port at a time: "
                        f"give {parameter.name!r} the default None"
                    )
    missing = [port for port in declared or [] if port not in handlers]
    if missing:
        raise NodeError(f"{cls.__name__} declares the input {missing[0]!r} but has neither process nor on_{missing[0]}")
    return handlers


def _check_can_join(cls: type[Node], timers: tuple[TimerMethod, ...]) -> None:
    if timers:
        raise NodeError(
            f"{cls.__name__} has the timer {timers[0].name}, and its node has `join`: only one of the two is possible. "
            "Join the inputs in a node of its own, before this one"
        )
    if not callable(getattr(cls, "process", None)):
        raise NodeError(
            f"{cls.__name__} has no process method, and its node has `join`: "
            "define process with a parameter for each input"
        )
    uncalled = [f"on_{port}" for port in cls.inputs or () if callable(getattr(cls, f"on_{port}", None))]
    if uncalled:
        raise NodeError(
            f"{cls.__name__}.{uncalled[0]} would never be called, as its node has `join`: "
            "process gets the messages of all inputs"
        )


def _joined_handlers(cls: type[Node]) -> dict[str, Handler]:
    """All of them are `process`, which is called with one message of each."""
    parameters = _parameters(cls, "process")
    catch_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    ports = names if cls.inputs is None else list(cls.inputs)
    if len(ports) < 2:
        has = f"only the input {ports[0]!r}" if ports else "no inputs"
        raise NodeError(f"{cls.__name__} has {has}, and its node has `join`, which needs two or more")
    for port in ports:
        if port not in names and not catch_all:
            raise NodeError(
                f"{cls.__name__}.process has no parameter for the input {port!r}, and its node has `join`: "
                "it is called with a message of every input"
            )
    for parameter in parameters:
        if parameter.default is parameter.empty and parameter.name not in ports and parameter.name in names:
            raise NodeError(f"{cls.__name__}.process has the parameter {parameter.name!r}, which is no input")
    return {port: Handler("process", port) for port in ports}


def _parameters(cls: type[Node], method: str) -> list[inspect.Parameter]:
    parameters = list(inspect.signature(getattr(cls, method)).parameters.values())
    is_static = isinstance(inspect.getattr_static(cls, method), staticmethod)
    return parameters if is_static else parameters[1:]


def _input_types(cls: type[Node], handlers: Mapping[str, Handler]) -> dict[str, Types]:
    types: dict[str, Types] = {}
    for port in cls.inputs if cls.inputs is not None else handlers:
        declared = None if cls.inputs is None else cls.inputs[port]
        handler = handlers[port]
        where = f"{cls.__name__}.{handler.method}"
        if declared is not None:
            types[port] = message_types(declared, f"{cls.__name__}.inputs[{port!r}]")
            continue
        parameters = _parameters(cls, handler.method)
        chosen = next((p for p in parameters if p.name == handler.keyword), parameters[0])
        types[port] = None
        if chosen.kind is not chosen.VAR_KEYWORD:
            annotation = evaluate(chosen.annotation, getattr(cls, handler.method))
            types[port] = message_types(annotation, f"the annotation of {chosen.name!r} of {where}")
    return types


def _output_types(cls: type[Node], methods: list[str]) -> dict[str, Types]:
    if cls.outputs is not None:
        return {
            port: message_types(declared, f"{cls.__name__}.outputs[{port!r}]") for port, declared in cls.outputs.items()
        }
    found: set[type[Message]] = set()
    for name in [*methods, "finish"]:
        function = getattr(cls, name)
        if function is Node.finish:
            continue
        annotation = inspect.signature(function).return_annotation
        types = returned_types(evaluate(annotation, function), f"the return annotation of {cls.__name__}.{name}")
        if types is None:
            return {"out": None}
        found |= types
    return {"out": frozenset(found) or None}
