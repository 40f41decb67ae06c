"""Speech recognition: one speech segment in, its words out (Python 3.10)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import penstock
from penstock import Audio, Text

from nodes.handled_by import stamp


class Recognizer(penstock.Node):
    """CMU PocketSphinx with the English model of its own wheel. A segment without words gives an empty text."""

    def setup(self, params: dict[str, Any]) -> None:
        import pocketsphinx

        self.decoder = pocketsphinx.Decoder(samprate=16000, loglevel="FATAL")

    def process(self, speech: Audio) -> Iterator[Text]:
        pcm = (np.clip(speech.samples[:, 0], -1, 1) * 32767).astype(np.int16)
        self.decoder.start_utt()
        self.decoder.process_raw(pcm.tobytes(), full_utt=True)
        self.decoder.end_utt()
        hypothesis = self.decoder.hyp()
        words = hypothesis.hypstr if hypothesis is not None else ""
        yield Text(words, time=speech.time, metadata=stamp("asr", speech.metadata))
