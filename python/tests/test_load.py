"""`load`: what it gives is every instance's, under penstock.testing as in a worker."""

from __future__ import annotations

from typing import Any, ClassVar

import penstock
import pytest
from penstock import NodeError, Text, testing
from penstock._node import defines_load


class Model(penstock.Node):
    calls: ClassVar[list[dict[str, Any]]] = []

    @classmethod
    def load(cls, params: dict[str, Any]) -> dict[str, Any]:
        cls.calls.append(params)
        return {"loaded for": cls.__name__}

    def setup(self, params: dict[str, Any]) -> None:
        assert self.loaded is not None
        params["changed"] = True  # its own copy

    def process(self, message: Text) -> Text:
        return Text(f"{message.text} {self.loaded['loaded for']}")


def test_load_comes_before_setup_with_params_of_its_own() -> None:
    Model.calls.clear()
    assert [m.text for m in testing.run(Model, [Text("x")], params={"a": [1]})] == ["x Model"]  # type: ignore[attr-defined]
    assert Model.calls == [{"a": [1]}]


def test_a_subclass_inherits_load_and_is_its_cls() -> None:
    class Larger(Model): ...

    assert [m.text for m in testing.run(Larger, [Text("x")])] == ["x Larger"]  # type: ignore[attr-defined]


def test_an_instance_that_has_its_model_is_not_loaded_again() -> None:
    Model.calls.clear()
    node = Model()
    node.loaded = {"loaded for": "a test"}
    assert [m.text for m in testing.run(node, [Text("x")])] == ["x a test"]  # type: ignore[attr-defined]
    assert Model.calls == []


def test_without_load_nothing_is_loaded() -> None:
    class Plain(penstock.Node):
        def process(self, message: Text) -> Text:
            return Text(str(self.loaded))

    assert not defines_load(Plain)
    assert [m.text for m in testing.run(Plain, [Text("x")])] == ["None"]  # type: ignore[attr-defined]


def test_a_static_method_loads_too() -> None:
    class Static(penstock.Node):
        @staticmethod
        def load(params: dict[str, Any]) -> int:
            return len(params)

        def process(self, message: Text) -> Text:
            return Text(str(self.loaded))

    assert [m.text for m in testing.run(Static, [Text("")], params={"a": 1})] == ["1"]  # type: ignore[attr-defined]


def test_a_load_that_is_no_class_method_is_refused_with_what_to_write() -> None:
    class Wrong(penstock.Node):
        def load(self, params: dict[str, Any]) -> None: ...

        def process(self, message: Text) -> None: ...

    with pytest.raises(NodeError, match=r"Wrong\.load is called once for all instances .*@classmethod def load\(cls"):
        testing.run(Wrong, [Text("")])


def test_a_coroutine_is_refused() -> None:
    class Later(penstock.Node):
        @classmethod
        async def load(cls, params: dict[str, Any]) -> None: ...

        def process(self, message: Text) -> None: ...

    with pytest.raises(NodeError, match=r"Later\.load"):
        testing.run(Later, [Text("")])


def test_what_load_raises_arrives_unchanged() -> None:
    class Broken(penstock.Node):
        @classmethod
        def load(cls, params: dict[str, Any]) -> None:
            raise FileNotFoundError("weights")

        def process(self, message: Text) -> None: ...

    with pytest.raises(FileNotFoundError, match="weights"):
        testing.run(Broken, [Text("")])
