"""Speech at 16 kHz, which is what models and containers of others listen to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import soxr

from mouthpiece.core.speech import SpeechSlice
from mouthpiece.core.timeline import SPEECH_RATE

RATE = 16_000
"""Samples per second."""
CONTEXT = 960
"""Samples (48 kHz) on either side that the resampling filter hears; a multiple of three."""
_FACTOR = SPEECH_RATE // RATE


def speech_16k(speech: SpeechSlice, first: int, count: int) -> npt.NDArray[np.int16]:
    """`count` samples at 16 kHz from sample `first` (48 kHz) on; silence where the slice has nothing."""
    wanted = range(first - CONTEXT, first + count * _FACTOR + CONTEXT)
    sound = np.zeros(len(wanted), np.int16)
    begin, end = max(speech.samples.first, wanted.start), min(speech.samples.end, wanted.stop)
    if begin < end:
        pcm = np.frombuffer(speech.pcm, "<i2")
        known = pcm[begin - speech.samples.first : end - speech.samples.first]
        sound[begin - wanted.start : end - wanted.start] = known
    lower = np.asarray(soxr.resample(sound, SPEECH_RATE, RATE), np.int16)
    return lower[CONTEXT // _FACTOR : CONTEXT // _FACTOR + count]
