"""The speaker's pitch: one speech segment in, `{"hz": 175}` out (Python 3.9, and a numpy that librosa 0.8.1 bears)."""

from collections.abc import Iterator

import librosa
import numpy as np
import penstock
from penstock import Audio, Json

from nodes.handled_by import stamp

LOWEST_HZ, HIGHEST_HZ = 80, 400


class MedianPitch(penstock.Node):
    """Median of the fundamental frequency over the segment, in whole Hz, by the YIN algorithm."""

    def process(self, speech: Audio) -> Iterator[Json]:
        samples = np.ascontiguousarray(speech.samples[:, 0])
        hertz = librosa.yin(samples, fmin=LOWEST_HZ, fmax=HIGHEST_HZ, sr=speech.rate)
        value = {"hz": round(float(np.median(hertz)))}
        yield Json(value, time=speech.time, metadata=stamp("pitch", speech.metadata))
