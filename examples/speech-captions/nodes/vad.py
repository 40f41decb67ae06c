"""Voice activity detection: a stream of audio in, one message per speech segment out (Python 3.11)."""

import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import numpy as np
import onnxruntime
import penstock
import soxr
from penstock import Audio

from nodes.handled_by import stamp

RATE = 16_000  # Hz, what the model was trained on
FRAME = 512  # samples the model takes at a time: 32 ms
CONTEXT = 64  # samples of the frame before that it wants in front
FRAME_NS = FRAME * 1_000_000_000 // RATE

SPEECH_STARTS = 0.5  # probability
SPEECH_ENDS = 0.35
END_SILENCE = 12  # frames: 384 ms, the whole frames in 400 ms
PADDING = 6  # frames: 192 ms
SHORTEST = 6  # frames of speech: 192 ms, the whole frames in 200 ms


class SpeechProbability:
    """Silero VAD 6, read from the ONNX file in its wheel: importing the package would need torch."""

    def __init__(self) -> None:
        model = Path(sysconfig.get_paths()["purelib"], "silero_vad", "data", "silero_vad.onnx")
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self.state = np.zeros((2, 1, 128), np.float32)
        self.context = np.zeros(CONTEXT, np.float32)

    def of(self, frame: np.ndarray) -> float:
        """0…1 for `frame`: float32, shape (512,), 16 kHz. Frames must be given in order."""
        window = np.concatenate([self.context, frame])[None]
        output, self.state = self.session.run(
            None, {"input": window, "state": self.state, "sr": np.array(RATE, np.int64)}
        )
        self.context = frame[-CONTEXT:].copy()
        return float(output[0, 0])


class SpeechSegments(penstock.Node):
    """Cuts speech out of a stream. A segment's media time is its start's; its length gives its end."""

    def setup(self, params: dict[str, Any]) -> None:
        self.probability = SpeechProbability()
        self.resampler: Optional[soxr.ResampleStream] = None
        self.started_at: Optional[int] = None  # media time of the stream's first sample, ns
        self.pending = np.zeros(0, np.float32)  # fewer samples than a frame
        self.frames = 0  # handled so far
        self.recent: list[np.ndarray] = []  # frames before speech, for the padding
        self.segment: Optional[list[np.ndarray]] = None
        self.segment_start = self.voiced = self.silent = 0  # frame number, counts of frames

    def process(self, audio: Audio) -> Iterator[Audio]:
        if self.started_at is None:
            self.started_at = audio.time
            self.resampler = soxr.ResampleStream(audio.rate, RATE, 1) if audio.rate != RATE else None
        yield from self._feed(audio.samples.mean(axis=1, dtype=np.float32))

    def finish(self) -> Iterator[Audio]:
        if self.resampler is not None:
            rest, self.resampler = self.resampler.resample_chunk(np.zeros(0, np.float32), last=True), None
            yield from self._feed(rest)
        yield from self._feed(np.zeros(-len(self.pending) % FRAME, np.float32))  # completes the last frame
        yield from self._end_segment()

    def _feed(self, samples: np.ndarray) -> Iterator[Audio]:
        if self.resampler is not None:
            samples = self.resampler.resample_chunk(samples)
        self.pending = np.concatenate([self.pending, samples])
        while len(self.pending) >= FRAME:
            frame, self.pending = self.pending[:FRAME], self.pending[FRAME:]
            yield from self._handle(frame)

    def _handle(self, frame: np.ndarray) -> Iterator[Audio]:
        probability = self.probability.of(frame)
        self.frames += 1
        if self.segment is None:
            self.recent = [*self.recent, frame][-(PADDING + 1) :]
            if probability >= SPEECH_STARTS:
                self.segment = list(self.recent)
                self.segment_start = self.frames - len(self.recent)
                self.voiced, self.silent = 1, 0
            return
        self.segment.append(frame)
        self.voiced += probability >= SPEECH_STARTS
        self.silent = self.silent + 1 if probability < SPEECH_ENDS else 0
        if self.silent >= END_SILENCE:
            yield from self._end_segment()

    def _end_segment(self) -> Iterator[Audio]:
        if self.segment is None:
            return
        kept = self.segment[: len(self.segment) - max(0, self.silent - PADDING)]
        self.recent, self.segment = self.segment[-PADDING:], None
        if self.voiced >= SHORTEST:
            start = (self.started_at or 0) + self.segment_start * FRAME_NS
            end = start + len(kept) * FRAME_NS
            metadata = {**stamp("vad"), "start_ns": start, "end_ns": end}
            yield Audio(np.concatenate(kept)[:, None], rate=RATE, time=start, metadata=metadata)
