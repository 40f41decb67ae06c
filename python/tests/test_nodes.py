"""Nodes under penstock.testing: ports, handlers, results, loans, and what is said when something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Optional, Union

import penstock
import pytest
from penstock import Audio, Bytes, Image, Json, Message, NodeError, Tensor, Text, testing
from penstock._ports import inspect_node, type_name


def ports_of(cls: Any) -> tuple[dict[str, str], dict[str, str]]:
    ports = inspect_node(cls)
    return (
        {port: type_name(types) for port, types in ports.inputs.items()},
        {port: type_name(types) for port, types in ports.outputs.items()},
    )


class Upper(penstock.Node):
    def process(self, message: Text) -> Text:
        return Text(message.text.upper())


def test_annotations_declare_the_port_types() -> None:
    class Generator(penstock.Node):
        def process(self, speech: Audio) -> Iterator[Text]:
            yield Text("")

    class Either(penstock.Node):
        def process(self, message: Union[Audio, Text]) -> Optional[list[Json]]: ...

    class Piped(penstock.Node):
        def process(self, message: Audio | Text) -> None: ...  # a string here, so 3.9 too

    class Anything(penstock.Node):
        def process(self, message): ...  # type: ignore[no-untyped-def]

    assert ports_of(Upper) == ({"in": "Text"}, {"out": "Text"})
    assert ports_of(Generator) == ({"in": "Audio"}, {"out": "Text"})
    assert ports_of(Either) == ({"in": "Audio|Text"}, {"out": "Json"})
    assert ports_of(Piped) == ({"in": "Audio|Text"}, {"out": "Any"})
    assert ports_of(Anything) == ({"in": "Any"}, {"out": "Any"})


def test_parameters_of_process_are_the_ports_when_there_are_several() -> None:
    class Join(penstock.Node):
        def process(self, text: Optional[Text] = None, pitch: Optional[Json] = None) -> Optional[Text]:
            return Text(text.text if text else str(pitch.value if pitch else ""))

    assert ports_of(Join)[0] == {"text": "Text", "pitch": "Json"}
    out = testing.run(Join, [("text", Text("a")), ("pitch", Json(175))])
    assert [message.text for message in out] == ["a", "175"]  # type: ignore[attr-defined]


def test_handlers_by_port_and_several_outputs() -> None:
    class Split(penstock.Node):
        inputs: ClassVar[Any] = {"audio": Audio, "speaker": Json}
        outputs: ClassVar[Any] = {"loud": Text, "names": Json}

        def on_audio(self, message: Audio) -> None:
            self.emit("loud", Text("yes"))

        def on_speaker(self, message: Json) -> None:
            self.emit("names", message)

    out = testing.run(Split, [("speaker", Json("ann")), ("audio", Audio(memoryview(bytes(16)).cast("f"), 8000))])
    assert [m.text for m in out.by_port["loud"]] == ["yes"]  # type: ignore[attr-defined]
    assert [m.value for m in out.by_port["names"]] == ["ann"]  # type: ignore[attr-defined]


def test_a_class_may_leave_out_inputs_of_its_base() -> None:
    class Base(penstock.Node):
        def on_audio(self, message: Text) -> Text:
            return Text("audio")

        def on_video(self, message: Text) -> Text:
            return Text("video")

    class Deaf(Base):
        inputs: ClassVar[Any] = {"video": Text}

    assert ports_of(Base)[0] == {"audio": "Text", "video": "Text"}
    assert [m.text for m in testing.run(Deaf, [Text("")])] == ["video"]  # type: ignore[attr-defined]


def test_process_may_return_nothing_a_message_or_many() -> None:
    class Repeat(penstock.Node):
        def process(self, message: Json) -> Any:
            n = message.value
            return None if n == 0 else message if n == 1 else [message] * n if n == 2 else (message for _ in range(n))

    assert [m.value for m in testing.run(Repeat, [Json(n) for n in range(4)])] == [1, 2, 2, 3, 3, 3]  # type: ignore[attr-defined]


def test_life_of_a_node() -> None:
    calls: list[str] = []

    class Life(penstock.Node):
        def setup(self, params: dict[str, Any]) -> None:
            calls.append(f"setup {params}")

        def process(self, message: Message) -> None:
            calls.append("process")

        def finish(self) -> Iterator[Text]:
            calls.append("finish")
            yield Text("bye")

        def teardown(self) -> None:
            calls.append("teardown")

    assert [m.text for m in testing.run(Life, [Text("")], params={"a": 1})] == ["bye"]  # type: ignore[attr-defined]
    assert calls == ["setup {'a': 1}", "process", "finish", "teardown"]


def test_a_source_is_stopped_between_two_messages() -> None:
    closed: list[bool] = []

    class Ticks(penstock.Node):
        def process(self) -> Iterator[Json]:
            try:
                for n in range(1000):
                    yield Json(n)
            finally:
                closed.append(True)

    assert [m.value for m in testing.run(Ticks, limit=2)] == [0, 1]  # type: ignore[attr-defined]
    assert closed == [True]


def test_loans_are_filled_in_place_and_sealed_by_emitting() -> None:
    np = pytest.importorskip("numpy")
    kept: list[Any] = []

    class Loaner(penstock.Node):
        def process(self, message: Audio) -> Iterator[Message]:
            out = self.loan_audio(2, 1, 8000, metadata={"k": 1})
            assert out.samples.shape == (2, 1) and out.samples.dtype == np.float32
            out.samples[:] = message.samples * 2
            kept.append(out)
            yield out
            tensor = self.loan_tensor((2, 2), "int16")
            tensor.array[...] = 3
            yield tensor
            data = self.loan_bytes(3)
            data.data[:] = b"xyz"
            yield data
            for format in ("bgr24", "nv12"):
                image = self.loan_image(4, 2, format)
                image.pixels[:] = 7
                yield image

    audio, tensor, data, image, planes = testing.run(Loaner, [Audio(np.array([0.25, 0.5], np.float32), 8000, time=9)])
    assert isinstance(audio, Audio) and audio.samples[:, 0].tolist() == [0.5, 1.0] and audio.time == 9
    assert audio.metadata == {"k": 1}
    assert isinstance(tensor, Tensor) and tensor.array.tolist() == [[3, 3], [3, 3]] and tensor.array.dtype == np.int16
    assert isinstance(data, Bytes) and bytes(data.data) == b"xyz"
    assert isinstance(image, Image) and image.pixels.tolist() == [[[7] * 3] * 2] * 4 and image.format == "bgr24"
    assert isinstance(planes, Image) and planes.pixels.shape == (6, 2, 1) and planes.height == 4
    with pytest.raises(ValueError, match="read-only"):
        kept[0].samples[0] = 1


def test_a_loan_is_emitted_once() -> None:
    class Twice(penstock.Node):
        def process(self, message: Text) -> Iterator[Bytes]:
            out = self.loan_bytes(1)
            yield out
            yield out

    with pytest.raises(ValueError, match="emitted already"):
        testing.run(Twice, [Text("")])


def test_wrong_results_name_node_and_method() -> None:
    class Wrong(penstock.Node):
        result: Any = None

        def process(self, message: Text) -> Any:
            return self.result

        def finish(self) -> Any:
            return None

    for result, said in [("text", "returned str 'text'"), (3, "returned int 3"), ([Text(""), 3], "gave int 3")]:
        Wrong.result = result
        with pytest.raises(TypeError, match=f"node 'asr': Wrong.process {said}"):
            testing.run(Wrong, [Text("")], node_id="asr")


def test_outputs_are_checked_against_their_declaration() -> None:
    class Undeclared(penstock.Node):
        def process(self, message: Text) -> Iterator[Text]:
            yield Json(1)  # type: ignore[misc]

    class Nowhere(penstock.Node):
        def process(self, message: Text) -> None:
            self.emit("speech", message)

    with pytest.raises(TypeError, match=r"Undeclared.process gave Json for output 'out', which is declared as Text"):
        testing.run(Undeclared, [Text("")])
    with pytest.raises(NodeError, match="no output 'speech'; its outputs are 'out'"):
        testing.run(Nowhere, [Text("")])


def test_inputs_are_checked_against_their_declaration() -> None:
    with pytest.raises(TypeError, match=r"node 'up': Upper.process takes Text at input 'in', but received Json"):
        testing.run(Upper, [Json(1)], node_id="up")


def test_nothing_is_emitted_or_loaned_in_setup() -> None:
    class Early(penstock.Node):
        def setup(self, params: dict[str, Any]) -> None:
            self.emit("out", Text("")) if params["emit"] else self.loan_bytes(1)

        def process(self, message: Text) -> None: ...

    for emit in (True, False):
        with pytest.raises(NodeError, match="setup"):
            testing.run(Early, [], params={"emit": emit})


class NoHandler(penstock.Node):
    pass


class WrongType(penstock.Node):
    def process(self, message: str) -> None: ...


class WrongReturn(penstock.Node):
    def process(self, message: Text) -> str: ...  # type: ignore[empty-body]


class NoDefault(penstock.Node):
    def process(self, a: Text, b: Text) -> None: ...


class Unhandled(penstock.Node):
    inputs: ClassVar[Any] = {"a": Text, "b": Text}

    def on_a(self, message: Text) -> None: ...


class Mixed(penstock.Node):
    inputs: ClassVar[Any] = {"audio": Text, "speaker": Text}

    def on_audio(self, message: Text) -> None: ...
    def process(self, speaker: Text) -> None: ...


class Misspelt(penstock.Node):
    inputs: ClassVar[Any] = {"audio": Text, "speaker": Text}

    def on_adio(self, message: Text) -> None: ...
    def on_speaker(self, message: Text) -> None: ...


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (NoHandler, "NoHandler has no process method"),
        (Mixed, r"Mixed has both process and on_audio: .*another name, such as _on_audio"),
        (Misspelt, r"Misspelt.on_adio is for an input 'adio', which `inputs` does not have: .*did you mean on_audio\?"),
        (WrongType, "annotation of 'message' of WrongType.process is str, which is not a message type"),
        (WrongReturn, "return annotation of WrongReturn.process is str"),
        (NoDefault, "give 'a' the default None"),
        (Unhandled, "declares the input 'b' but has neither process nor on_b"),
    ],
)
def test_classes_that_make_no_sense_are_refused(cls: Any, said: str) -> None:
    with pytest.raises(NodeError, match=said):
        inspect_node(cls)


def test_a_name_is_registered_once() -> None:
    penstock.node("Speech")(Upper)
    with pytest.raises(NodeError, match="two classes are registered as node 'Speech'"):
        penstock.node("Speech")(NoHandler)


class Who(penstock.Node):
    inputs: ClassVar[Any] = {"audio": Text, "speaker": Json}

    def process(self, audio: Text, speaker: Json) -> Text:
        return Text(f"{audio.text} {speaker.value}")


def test_joined_inputs_are_handled_together_whatever_order_they_come_in() -> None:
    audio = [("audio", Text(f"a{t}", time=t)) for t in (0, 10, 20, 30, 90)]
    speaker = [("speaker", Json(f"s{t}", time=t)) for t in (12, 33, 60)]
    mixed = [speaker[0], *audio[:2], speaker[1], *audio[2:], speaker[2]]
    for inputs in (audio + speaker, speaker + audio, mixed):
        out = testing.run(Who, inputs, join=10)
        assert [(m.text, m.time) for m in out] == [("a10 s12", 10), ("a20 s12", 20), ("a30 s33", 30)]  # type: ignore[attr-defined]
        assert out.unmatched == {"audio": 2, "speaker": 1}


def test_a_generator_and_finish_emit_for_joined_inputs_too() -> None:
    class Both(penstock.Node):
        def process(self, left: Text, right: Text) -> Iterator[Text]:
            yield left
            yield right

        def finish(self) -> Text:
            return Text("end")

    out = testing.run(Both, [("left", Text("l", time=1)), ("right", Text("r", time=1))], join=0)
    assert [m.text for m in out] == ["l", "r", "end"]  # type: ignore[attr-defined]


def test_what_cannot_be_joined_says_what_to_change() -> None:
    class One(penstock.Node):
        def process(self, text: Text) -> None: ...

    class Apart(penstock.Node):
        inputs: ClassVar[Any] = {"left": Text, "right": Text}

        def on_left(self, text: Text) -> None: ...
        def process(self, left: Text, right: Text) -> None: ...

    class Deaf(penstock.Node):
        inputs: ClassVar[Any] = {"left": Text, "right": Text}

        def process(self, left: Text) -> None: ...

    class More(penstock.Node):
        inputs: ClassVar[Any] = {"left": Text, "right": Text}

        def process(self, left: Text, right: Text, other: Text) -> None: ...

    class Handlers(penstock.Node):
        def on_left(self, text: Text) -> None: ...
        def on_right(self, text: Text) -> None: ...

    for cls, problem in (
        (One, "has only the input 'text', .* needs two or more"),
        (Apart, "Apart.on_left would never be called"),
        (Deaf, "has no parameter for the input 'right'"),
        (More, "has the parameter 'other', which is no input"),
        (Handlers, "has no process method"),
    ):
        with pytest.raises(NodeError, match=problem):
            testing.run(cls, [], join=0)
    with pytest.raises(NodeError, match="message 0 of input 'audio' has no media time"):
        testing.run(Who, [("audio", Text("a"))], join=0)
    with pytest.raises(TypeError, match="takes Json at input 'speaker', but received Text"):
        testing.run(Who, [("audio", Text("a", time=0)), ("speaker", Text("s", time=0))], join=0)
