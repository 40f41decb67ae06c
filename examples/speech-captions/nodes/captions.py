"""Captions: the words and the pitch of a segment, joined by its time, make a line (any Python; no packages)."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import penstock
from penstock import Json, Text

from nodes.handled_by import stamp

NANOSECONDS = 1_000_000_000


class Captions(penstock.Node):
    """`[  0.42 –   2.11 s] 175 Hz  all circuits are busy now`

    Params: `trace: true` adds a line that says who handled the caption; `json: true` gives one JSON object a caption,
    trace included.
    """

    inputs: ClassVar = {"text": Text, "pitch": Json}

    def setup(self, params: dict[str, Any]) -> None:
        unknown = set(params) - {"trace", "json"}
        if unknown:
            raise ValueError(f"captions: unknown params {sorted(unknown)}; known are trace and json")
        self.trace = bool(params.get("trace", False))
        self.json = bool(params.get("json", False))
        # Segments of which only one part has come, by their start. Values, not messages: a message that is kept
        # occupies its producer's memory, and pitch is many segments ahead of speech recognition.
        self.words: dict[int, tuple[str, Mapping[str, Any]]] = {}
        self.pitches: dict[int, tuple[int, Mapping[str, Any]]] = {}

    def on_text(self, text: Text) -> Iterator[Text]:
        self.words[text.time] = (text.text, text.metadata)
        yield from self._complete(text.time)

    def on_pitch(self, pitch: Json) -> Iterator[Text]:
        self.pitches[pitch.time] = (pitch.value["hz"], pitch.metadata)
        yield from self._complete(pitch.time)

    def finish(self) -> None:
        lonely = len(self.words) + len(self.pitches)
        if lonely:
            raise RuntimeError(f"{lonely} segments have words or pitch but not both: a message was lost on the way")

    def _complete(self, time: int) -> Iterator[Text]:
        if time not in self.words or time not in self.pitches:
            return
        words, metadata = self.words.pop(time)
        hertz, of_pitch = self.pitches.pop(time)
        if not words:
            return  # a sound without words
        handlers = [*metadata["handled_by"], of_pitch["handled_by"][-1]]
        metadata = stamp("captions", {**metadata, "handled_by": handlers, "hz": hertz})
        yield Text(self._line(words, hertz, metadata), time=time, metadata=metadata)

    def _line(self, words: str, hertz: int, metadata: Mapping[str, Any]) -> str:
        start, end = metadata["start_ns"] / NANOSECONDS, metadata["end_ns"] / NANOSECONDS
        handled_by = metadata["handled_by"]
        if self.json:
            return json.dumps({"start": start, "end": end, "hz": hertz, "text": words, "handled_by": handled_by})
        line = f"[{start:6.2f} – {end:6.2f} s] {hertz:3d} Hz  {words}"
        if self.trace:
            line += "\n    " + ", ".join("{node}: Python {python} on {host}".format(**by) for by in handled_by)
        return line
