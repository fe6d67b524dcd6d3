"""What head and brows of a portrait do with the voice: small nods and lifts on syllables that stand out.

Like the articulation that it is made from, a pure windowed function of the speech.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np

from mouthpiece.core.speech import SpeechSlice
from mouthpiece.core.timeline import SPEECH_RATE, Span
from services.lipsync.engines.viseme import articulation
from services.lipsync.engines.viseme.arrays import Floats
from services.lipsync.engines.viseme.visemes import Channel

REACH = SPEECH_RATE * 7 // 20
"""Samples before and after a frame whose articulation makes its accent."""

_SYLLABLE = Fraction(9, 50)
"""Seconds on each side of a frame that make a syllable; all of `REACH` is what it stands out from."""


def articulate_with_accents(
    speech: SpeechSlice, frames: Span, fps: Fraction
) -> tuple[articulation.Track, Floats]:
    """The articulation track of ``frames``, and how much each stands out, -1..1, (len(frames),).

    ``speech`` must hold `REACH` samples more on each side than `articulation.articulate` needs.
    """
    reach = ceil(REACH * fps / SPEECH_RATE)
    first = max(0, frames.first - reach)
    wide = articulation.articulate(speech, Span(first, frames.end + reach), fps)
    before = reach - (frames.first - first)
    jaw = np.concatenate((np.zeros(before), wide[:, Channel.JAW]))
    syllable = _weighted(jaw, len(frames), reach, float(_SYLLABLE * fps))
    phrase = _weighted(jaw, len(frames), reach, float(REACH * fps / SPEECH_RATE))
    at = frames.first - first
    return wide[at : at + len(frames)], syllable - phrase


def _weighted(jaw: Floats, count: int, reach: int, radius: float) -> Floats:
    """Mean of ``jaw`` around each of ``count`` frames, the first at index ``reach``.

    Summed tap by tap, so that a frame comes out the same in every span.
    """
    total, weights = np.zeros(count), 0.0
    for offset in range(-reach, reach + 1):
        weight = max(0.0, 1.0 - (offset / radius) ** 2) ** 2 if radius > 0 else float(offset == 0)
        total += weight * jaw[reach + offset : reach + offset + count]
        weights += weight
    return np.asarray(total / weights)
