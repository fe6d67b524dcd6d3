"""Clips of a chain on the model's own time grid. Pure.

The model makes 16 pictures a second in clips of 80. Picture k of a chain belongs to the sound k / 16 s after
the chain's origin. It loses the first 3 pictures of a chain: they are made good by repeating the fourth, so
that lips and sound meet, where they would be 187.5 ms apart if the rest were moved to the front.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor

from mouthpiece.core.timeline import SPEECH_RATE, Span

FPS = 16
CLIP = 80
"""Pictures of a clip; the first of a chain has `LOST` less."""
LOST = 3
MOTION = 73
"""Pictures at the end of a clip that the next one goes on from."""

SAMPLES = SPEECH_RATE // FPS
"""Samples (48 kHz) of one picture."""
CLIP_SECONDS = CLIP // FPS
CONTEXT_CLIPS = 2
"""Clips of speech before and after a clip that the audio encoder hears with it."""

LEAD = (CONTEXT_CLIPS + 1) * CLIP * SAMPLES
TAIL = (CONTEXT_CLIPS + 1) * CLIP * SAMPLES
"""Samples around a chunk: a clip may begin up to its own length before it, and end as much after it."""


def picture_at(frame: int, fps: Fraction) -> int:
    """The picture nearest to the moment at which a frame of the job is shown; halves go to the later one."""
    return floor(frame * FPS / fps + Fraction(1, 2))


@dataclass(frozen=True, slots=True)
class ClipTimes:
    """What a clip hears: samples (48 kHz) of the speech, and which whole clip of them it is."""

    heard: Span
    place: int

    @property
    def own(self) -> int:
        """First sample of the clip itself."""
        return self.heard.first + self.place * CLIP * SAMPLES


def clip_times(origin: int, number: int, known: int) -> ClipTimes:
    """Clip `number` of a chain that begins at picture `origin`, where `known` samples of speech exist.

    The same for every chunk that needs the clip, provided that it knows `TAIL` samples beyond its end.
    """
    length = CLIP * SAMPLES
    first = (origin + number * CLIP) * SAMPLES
    before = min(CONTEXT_CLIPS, first // length)
    end = first + length + CONTEXT_CLIPS * length
    begin = first - before * length
    return ClipTimes(Span(begin, max(first + length, min(end, max(known, begin)))), before)


def clip_size(width: int, height: int, pixels: int) -> tuple[int, int]:
    """Width and height of clips: about so many pixels, the portrait's shape, multiples of 16, at least 64."""
    scale = (pixels / (width * height)) ** 0.5
    wide, high = (max(64, 16 * round(side * scale / 16)) for side in (width, height))
    return wide, high
