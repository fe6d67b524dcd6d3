"""Where in the course of an avatar's motion each frame of a job stands.

Motion is what a picture does besides speaking: a clip plays on, a portrait sways and blinks. It is counted in
frames, and a job shows it from its beginning: frame n is motion n. An edited job goes over to other places of
it, so that stretches that were not edited move as they did before. What is rendered is described by its place
in the motion, speech included, and so is the same wherever in a video it is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, gcd

from mouthpiece.core.timeline import SPEECH_RATE, Span

TRANSITION_SECONDS = Fraction(3, 5)
"""In which one picture turns into another: a head at rest takes as long to be held otherwise."""


@dataclass(frozen=True, slots=True, order=True)
class Crossing:
    """Frames within which motion goes over to ``by`` frames farther on, or back when that is negative."""

    frames: Span
    by: int

    def shift(self, by: int) -> Crossing:
        """This crossing, ``by`` frames later."""
        return Crossing(self.frames.shift(by), self.by)


@dataclass(frozen=True, slots=True)
class Course:
    """Frames by their places in the motion as if no crossing came, and the crossings that they touch.

    ``offset`` is how far the motion is ahead of the frames of the job.
    """

    frames: Span
    crossings: tuple[Crossing, ...]
    offset: int


def course(frames: Span, crossings: Sequence[Crossing]) -> Course:
    """Some frames of a job with ``crossings``, which ascend and do not overlap."""
    offset = offset_at(frames.first, crossings)
    touched = (crossing for crossing in crossings if crossing.frames.overlaps(frames))
    return Course(frames.shift(offset), tuple(crossing.shift(offset) for crossing in touched), offset)


def offset_at(frame: int, crossings: Sequence[Crossing]) -> int:
    """How far the motion is ahead at a frame; within a crossing, how far it was before."""
    return sum(crossing.by for crossing in crossings if crossing.frames.end <= frame)


def stretches(frames: Span, crossings: Sequence[Crossing]) -> Iterator[tuple[Span, int]]:
    """Frames of a job by how far the motion is ahead, see `offset_at`."""
    first = frames.first
    for end in (*(crossing.frames.end for crossing in crossings), frames.end):
        stretch = Span(first, max(first, end)).clip(frames)
        if stretch:
            yield stretch, offset_at(first, crossings)
        first = max(first, end)


@dataclass(frozen=True, slots=True)
class Run:
    """Frames during which motion goes on, ``by`` frames ahead of where it is at the first run."""

    frames: Span
    by: int


def runs(frames: Span, transitions: Sequence[tuple[Span, int]]) -> list[Run]:
    """What to render of ``frames``: runs that overlap where one turns into the next.

    ``transitions`` are where that happens, ascending, and by how many frames motion is farther on afterwards.
    """
    found: list[Run] = []
    first, by = frames.first, 0
    for span, farther in (*transitions, (Span(frames.end, frames.end), 0)):
        if span.end > frames.first and first < frames.end:
            found.append(Run(Span(max(first, frames.first), min(span.end, frames.end)), by))
        first, by = span.first, by + farther
    return found


def transition_frames(fps: Fraction) -> int:
    """Frames in which one picture turns into another."""
    return ceil(TRANSITION_SECONDS * fps)


def grid_step(fps: Fraction) -> int:
    """The least number of frames that last a whole number of samples."""
    return fps.numerator // gcd(fps.numerator, SPEECH_RATE * fps.denominator)


def samples_in(frames: int, fps: Fraction) -> int:
    """Samples of so many frames, negative ones too. Raises `ValueError` unless they are a whole number."""
    samples = frames * SPEECH_RATE / fps
    if samples.denominator != 1:
        raise ValueError(f"{frames} frames are not a whole number of samples")
    return samples.numerator
