"""An edited speech beside the earlier one: what goes on as it was, and where.

A stretch of sentences that follow each other in both speeches keeps its pauses, and begins where the grid of
frames divides its sound as before: at most half a step of that grid from where it would begin by itself. Its
frames are then those of the earlier job, at another place of the video. Where it begins, motion goes over to
what it was there. Each place follows from what is before it, so that rendering need not wait for the whole
speech.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count
from math import ceil

from mouthpiece.core.motion import Crossing, grid_step, samples_in, transition_frames
from mouthpiece.core.timeline import SPEECH_RATE, Span, full_frames, sample_at

_LONGEST = 6
"""Seconds within which the moment for a transition is sought: most clips have turned by then."""

_WORTH = SPEECH_RATE
"""Samples that a stretch must spare, beside what is lost at its ends, to be worth a transition: a second."""

_SHRINK = Fraction(13, 20)
"""Share of a pause that may be given up."""

_COARSEST = SPEECH_RATE // 4
"""Longest step of the grid, 0.25 s, that pauses can take up; some odd frame rates have longer ones."""

_LOOKED_AT = 8
"""Equal sentences of the earlier speech, on each side, of which the one with the longest sequel is taken."""


@dataclass(frozen=True, slots=True)
class Past:
    """A sentence of an earlier speech: what names its sound, its samples, the crossing that comes with it."""

    sound: str
    samples: Span
    crossing: Crossing | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """The frame grid, and the samples that an engine hears before and after a frame."""

    fps: Fraction
    lead: int
    tail: int

    def first_to_hear(self, sample: int) -> int:
        """The first frame that depends on what sounds from a sample on."""
        return full_frames(max(0, sample - self.tail), self.fps)

    def first_not_to_hear(self, sample: int) -> int:
        """The first frame that depends on nothing that sounds before a sample."""
        return _frames_up(sample + self.lead, self.fps)


@dataclass(frozen=True, slots=True)
class Edit:
    """Which sentences of a text go on as in an earlier speech: ``kept`` maps their numbers to those there."""

    past: Sequence[Past]
    reach: Reach
    kept: Mapping[int, int]
    _motion: Sequence[int] = field(repr=False)

    @classmethod
    def of(cls, past: Sequence[Past], sounds: Sequence[str | None], reach: Reach) -> Edit:
        """The edit that made a text of these ``sounds``, ``None`` where one is not known yet."""
        motion = _motion_of(past, reach.fps)
        kept: dict[int, int] = {}
        if keeps_frames(reach.fps):
            for stretch in _shared([sentence.sound for sentence in past], sounds):
                kept |= _worthwhile(stretch, past, motion, reach)
        return cls(past, reach, kept, motion)

    def start(self, index: int, sound_end: int, natural: int, offset: int) -> int:
        """Sample at which a sentence begins.

        The sound before it ends at ``sound_end``, by itself it would begin at ``natural``, and the motion is
        ``offset`` frames ahead.
        """
        old = self.kept.get(index)
        if old is None:
            return natural
        followed = self._start_as_before(index, offset)
        if followed is not None and followed >= sound_end:
            return followed
        step = samples_in(grid_step(self.reach.fps), self.reach.fps)
        lowest = natural - min(step // 2, int((natural - sound_end) * _SHRINK))
        return lowest + (self._motion[old] - lowest) % step

    def crossing(self, index: int, start: int, before: int, crossings: Sequence[Crossing]) -> Crossing | None:
        """The crossing that comes with a sentence beginning at ``start``, after those that came already.

        ``before`` is the sample at which the sentence before it begins.
        """
        old = self.kept.get(index)
        if old is None:
            return None
        fps, offset = self.reach.fps, sum(crossing.by for crossing in crossings)
        if self._start_as_before(index, offset) == start:
            carried = self.past[old].crossing
            later = start - self.past[old].samples.first
            return carried.shift(_frames(later, fps)) if carried else None
        ahead = _frames(self._motion[old] - start, fps)
        if ahead == offset:
            return None
        changed = start if index - 1 in self.kept else before
        after = crossings[-1].frames.end if crossings else 0
        return Crossing(self._room(changed, start, ahead, after), ahead - offset)

    def _start_as_before(self, index: int, offset: int) -> int | None:
        """Where a sentence begins that follows the same one as in the earlier speech."""
        old = self.kept[index]
        if self.kept.get(index - 1, -2) != old - 1:
            return None
        crossing = self.past[old].crossing
        return self._motion[old] - samples_in(offset + (crossing.by if crossing else 0), self.reach.fps)

    def _room(self, changed: int, start: int, ahead: int, after: int) -> Span:
        """Frames that hear of a change, which begins at a sample ``changed`` and ends at ``start``.

        Not earlier than ``after``, nor than the engine hears a speech's start where motion goes to.
        """
        reach, fps = self.reach, self.reach.fps
        first, end = reach.first_to_hear(changed), reach.first_not_to_hear(start)
        first = max(first, after, end - _LONGEST * ceil(fps), reach.first_not_to_hear(0) - ahead)
        return Span(first, max(end, first + transition_frames(fps)))


def keeps_frames(fps: Fraction) -> bool:
    """Whether pauses can put a sentence to where a frame rate divides it as before."""
    return samples_in(grid_step(fps), fps) <= _COARSEST


def _motion_of(past: Sequence[Past], fps: Fraction) -> list[int]:
    """Samples at which sentences begin, counted along the motion."""
    found: list[int] = []
    offset = 0
    for sentence in past:
        offset += sentence.crossing.by if sentence.crossing else 0
        found.append(sentence.samples.first + samples_in(offset, fps))
    return found


def _shared(old: Sequence[str], new: Sequence[str | None]) -> Iterator[tuple[Span, int]]:
    """Stretches of ``new`` that ``old`` has too, and where they begin there."""
    places: dict[str, list[int]] = {}
    for at, known in enumerate(old):
        places.setdefault(known, []).append(at)
    index = due = 0
    while index < len(new):
        sound = new[index]
        lengths = {at: _length(old, at, new, index) for at in _nearest(places.get(sound or "", []), due)}
        best = max(lengths, key=lengths.__getitem__, default=None)
        if best is None:
            index += 1
            continue
        yield Span(index, index + lengths[best]), best
        index, due = index + lengths[best], best + lengths[best]


def _nearest(places: Sequence[int], due: int) -> Sequence[int]:
    """Some of ascending places, first those from ``due`` on."""
    at = bisect_left(places, due)
    return [*places[at : at + _LOOKED_AT], *reversed(places[max(0, at - _LOOKED_AT) : at])]


def _length(old: Sequence[str], at: int, new: Sequence[str | None], index: int) -> int:
    """How many sentences are equal from two places on."""
    room = min(len(old) - at, len(new) - index)
    return next((n for n in range(room) if old[at + n] != new[index + n]), room)


def _worthwhile(
    stretch: tuple[Span, int], past: Sequence[Past], motion: Sequence[int], reach: Reach
) -> dict[int, int]:
    """What of a shared stretch is kept: number by number, and the number in the earlier speech."""
    span, first = stretch
    if not span.first:
        if not motion[first]:
            return dict(zip(span, count(first), strict=False))
        # A video begins where motion begins: its first sentence cannot go on as one from the middle.
        span, first = Span(1, max(1, span.end)), first + 1
    lost = reach.lead + sample_at(transition_frames(reach.fps), reach.fps)
    for old in range(first + 1, first + len(span)):
        crossing = past[old].crossing
        if crossing and sample_at(crossing.frames.first, reach.fps) < past[first].samples.first + lost:
            # The beginning lies in the crossing of an earlier edit, and was not what it was before.
            span, first = Span(span.first + old - first, span.end), old
    if not span:
        return {}
    length = past[first + len(span) - 1].samples.end - past[first].samples.first
    if length < lost + reach.tail + _WORTH:
        return {}
    return dict(zip(span, count(first), strict=False))


def _frames(samples: int, fps: Fraction) -> int:
    """Frames of samples that are a whole number of them."""
    return int(samples * fps / SPEECH_RATE)


def _frames_up(samples: int, fps: Fraction) -> int:
    return ceil(samples * fps / SPEECH_RATE)
