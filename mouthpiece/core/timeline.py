"""The frame grid: exact relations between frames, samples and seconds.

Frame ``n`` is shown at ``n / fps`` seconds; samples are counted at ``SPEECH_RATE`` from the start of the
speech. Everything here is integers and fractions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

SPEECH_RATE = 48_000
"""Samples per second of every speech in the suite."""

MIN_FPS = Fraction(5)
MAX_FPS = Fraction(120)

STANDARD_RATES = (
    Fraction(10),
    Fraction(12),
    Fraction(15),
    Fraction(16),
    Fraction(20),
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(48),
    Fraction(50),
    Fraction(60000, 1001),
    Fraction(60),
)
"""Rates that a measured average is rounded to."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open stretch ``[first, end)`` of frames or samples; never negative, possibly empty."""

    first: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.end:
            raise ValueError(f"not a span: [{self.first}, {self.end})")

    def __len__(self) -> int:
        return self.end - self.first

    def __bool__(self) -> bool:
        return self.end > self.first

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.end))

    def overlaps(self, other: Span) -> bool:
        """Whether the two share at least one element."""
        return max(self.first, other.first) < min(self.end, other.end)

    def contains(self, other: Span) -> bool:
        """Whether ``other`` lies within this span."""
        return self.first <= other.first and other.end <= self.end

    def clip(self, other: Span) -> Span:
        """The part of this span within ``other``; empty at the nearer edge when they do not meet."""
        first = min(max(self.first, other.first), other.end)
        return Span(first, max(first, min(self.end, other.end)))

    def shift(self, by: int) -> Span:
        """This span, ``by`` elements later."""
        return Span(self.first + by, self.end + by)


def frame_count(samples: int, fps: Fraction) -> int:
    """Frames of a speech of ``samples``: its seconds times ``fps``, rounded, halves up."""
    return floor(samples * fps / SPEECH_RATE + Fraction(1, 2))


def full_frames(samples: int, fps: Fraction) -> int:
    """Frames whose whole display time lies within the first ``samples``."""
    return floor(samples * fps / SPEECH_RATE)


def sample_at(frame: int, fps: Fraction) -> int:
    """First sample heard at or after the moment ``frame`` is shown."""
    return ceil(frame * SPEECH_RATE / fps)


def samples_of(frames: Span, fps: Fraction) -> Span:
    """Samples heard while ``frames`` are shown."""
    return Span(sample_at(frames.first, fps), sample_at(frames.end, fps))


def frame_at(sample: int, fps: Fraction) -> int:
    """Frame that is shown while ``sample`` is heard."""
    return floor(sample * fps / SPEECH_RATE)


def nearest_standard_rate(fps: Fraction) -> Fraction:
    """The rate of ``STANDARD_RATES`` within 0.5 % of ``fps``, else ``fps`` itself on a grid of 1/1001."""
    best = min(STANDARD_RATES, key=lambda rate: abs(rate - fps))
    if abs(best - fps) <= best / 200:
        return best
    return fps.limit_denominator(1001)


def clip_index(frame: int, clip_frames: int) -> int:
    """Frame of an avatar clip that is under job frame ``frame``: forwards, then backwards, and so on.

    The clip's first and last frame are shown once per turn, so that motion never stops or jumps.
    """
    if clip_frames < 1:
        raise ValueError("an avatar clip has at least one frame")
    if clip_frames == 1:
        return 0
    phase = frame % (2 * clip_frames - 2)
    return phase if phase < clip_frames else 2 * clip_frames - 2 - phase
