"""A node class's ports and handlers, read from its attributes and annotations."""

from __future__ import annotations

import collections.abc
import inspect
import sys
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable, Optional

from penstock._errors import NodeError
from penstock._messages import Message
from penstock._node import Node

Types = Optional[frozenset[type[Message]]]  # None: any

_ITERABLES = (
    collections.abc.Iterator, collections.abc.Iterable, collections.abc.Generator, collections.abc.Sequence,
    list, tuple,
)  # fmt: skip


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
    >>> class Recognizer(Node):
    ...     def process(self, speech: Audio) -> typing.Iterator[Text]: ...
    >>> ports = inspect_node(Recognizer)
    >>> type_name(ports.inputs["in"]), type_name(ports.outputs["out"])
    ('Audio', 'Text')
    """
    methods = ["process"] if joins else _handler_methods(cls)
    if joins:
        _check_can_join(cls)
    for name in [*methods, "setup", "finish", "teardown"]:
        function = getattr(cls, name)
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise NodeError(f"{cls.__name__}.{name} is a coroutine (async def); handlers are functions or generators")
    handlers = _joined_handlers(cls) if joins else _handlers(cls, methods)
    return NodePorts(_input_types(cls, handlers), _output_types(cls, methods), handlers)


def _handler_methods(cls: type[Node]) -> list[str]:
    declared = cls.inputs
    has_process = callable(getattr(cls, "process", None))
    names = [name for name in dir(cls) if name.startswith("on_") and callable(getattr(cls, name))]
    if declared is not None:
        names = [name for name in names if name[3:] in declared]
    elif has_process:
        names = []  # nothing says that they are ports
    if has_process:
        names.append("process")
    if not names:
        raise NodeError(f"{cls.__name__} has no process method (nor on_<port> methods)")
    return names


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
            ports = [port for port in declared if port not in handlers]
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
                    f"add {port}=None, or a method on_{port}"
                )
            if not parameters:
                raise NodeError(
                    f"{cls.__name__}.process takes no message, but the input {port!r} is declared; "
                    f"add a parameter or a method on_{port}"
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


def _check_can_join(cls: type[Node]) -> None:
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
            types[port] = _message_types(declared, f"{cls.__name__}.inputs[{port!r}]")
            continue
        parameters = _parameters(cls, handler.method)
        chosen = next((p for p in parameters if p.name == handler.keyword), parameters[0])
        types[port] = None
        if chosen.kind is not chosen.VAR_KEYWORD:
            annotation = _evaluate(chosen.annotation, getattr(cls, handler.method))
            types[port] = _message_types(annotation, f"the annotation of {chosen.name!r} of {where}")
    return types


def _output_types(cls: type[Node], methods: list[str]) -> dict[str, Types]:
    if cls.outputs is not None:
        return {
            port: _message_types(declared, f"{cls.__name__}.outputs[{port!r}]")
            for port, declared in cls.outputs.items()
        }
    found: set[type[Message]] = set()
    for name in [*methods, "finish"]:
        function = getattr(cls, name)
        if function is Node.finish:
            continue
        annotation = inspect.signature(function).return_annotation
        types = _returned_types(_evaluate(annotation, function), f"the return annotation of {cls.__name__}.{name}")
        if types is None:
            return {"out": None}
        found |= types
    return {"out": frozenset(found) or None}


def _returned_types(annotation: Any, where: str) -> Types:
    if annotation is None or annotation is type(None):
        return frozenset()
    origin = typing.get_origin(annotation)
    if origin is typing.Union or _is_new_union(annotation):
        parts = [_returned_types(part, where) for part in typing.get_args(annotation)]
        return None if any(part is None for part in parts) else frozenset().union(*(part for part in parts if part))
    if origin in _ITERABLES:
        arguments = typing.get_args(annotation)
        if not arguments:
            return None
        used = arguments[:1] if origin is not tuple else [part for part in arguments if part is not Ellipsis]
        parts = [_returned_types(part, where) for part in used]
        return None if any(part is None for part in parts) else frozenset().union(*(part for part in parts if part))
    return _message_types(annotation, where)


def _message_types(annotation: Any, where: str) -> Types:
    """Any, no annotation and Message itself mean: any type."""
    if annotation in (inspect.Parameter.empty, Any, Message, object) or annotation in _ITERABLES:
        return None
    if isinstance(annotation, type) and issubclass(annotation, Message):
        return frozenset([annotation])
    if typing.get_origin(annotation) is typing.Union or _is_new_union(annotation):
        types: set[type[Message]] = set()
        for part in typing.get_args(annotation):
            if part is type(None):
                continue
            inner = _message_types(part, where)
            if inner is None:
                return None
            types |= inner
        return frozenset(types)
    name = getattr(annotation, "__name__", annotation)
    raise NodeError(f"{where} is {name}, which is not a message type; use Audio, Tensor, Text, Json or Bytes")


def _is_new_union(annotation: Any) -> bool:
    if sys.version_info >= (3, 10):
        import types

        return isinstance(annotation, types.UnionType)
    return False


def _evaluate(annotation: Any, function: Callable[..., Any]) -> Any:
    """A string annotation's value. One that cannot be evaluated here (names under TYPE_CHECKING) means: any type.

    `A | B` is understood on Python 3.9 too, where only the string can be written.
    """
    if not isinstance(annotation, str):
        return annotation
    names = {**vars(typing), **getattr(function, "__globals__", {})}
    try:
        return eval(annotation, names)
    except TypeError:
        pass
    except Exception:
        return inspect.Parameter.empty
    return _evaluate_union(annotation, names)


def _evaluate_union(annotation: str, names: dict[str, Any]) -> Any:
    try:
        parts: tuple[Any, ...] = tuple(eval(part, names) for part in annotation.split("|"))
        return typing.Union[parts]
    except Exception:
        return inspect.Parameter.empty
