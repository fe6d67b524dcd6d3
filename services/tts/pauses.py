"""Where nobody speaks in a recording, and how it is cut into pieces there. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mouthpiece.core.timeline import SPEECH_RATE, Span

HOP = SPEECH_RATE // 100
"""Samples per level."""

Levels = npt.NDArray[np.float32]
"""Sound level of each 10 ms, in decibels below full scale; -120 where there is nothing."""

SILENCE_DB = -60.0
"""A recording that never gets louder is silent throughout."""

_NOTHING_DB = -120.0


class LevelMeter:
    """Takes a recording in blocks and measures its levels."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float32)
        self._levels: list[Levels] = []

    def add(self, sound: npt.NDArray[np.float32]) -> None:
        """Take the next block, full scale being ±1."""
        sound = np.concatenate((self._rest, sound))
        whole = len(sound) // HOP * HOP
        self._levels.append(_levels(sound[:whole]))
        self._rest = sound[whole:]

    def levels(self) -> Levels:
        """Levels of all that was taken; a last incomplete hop counts as one."""
        last = np.pad(self._rest, (0, HOP - len(self._rest)), "edge") if len(self._rest) else self._rest
        return np.concatenate([*self._levels, _levels(last)])


def _levels(sound: npt.NDArray[np.float32]) -> Levels:
    # The standard deviation, not the mean square: a constant offset is no sound.
    deviation = sound.reshape(-1, HOP).std(axis=1)
    return np.asarray(20 * np.log10(np.maximum(deviation, 10 ** (_NOTHING_DB / 20))), np.float32)


# Pauses ----------------------------------------------------------------------------------------------------

_ABOVE_NOISE_DB = 8.0
_BELOW_SPEECH_DB = (35.0, 15.0)
"""The threshold lies between these distances from the level of speech, however much noise there is."""

_SHORTEST_SOUND = 3
_SHORTEST_PAUSE = 10
_MARGIN = 2
"""In hops: clicks do not end a pause, closures of stops are none, and weak ends of words are kept."""


def find_pauses(levels: Levels, samples: int) -> tuple[Span, ...]:
    """Stretches without speech in a recording of so many samples, in order, 60 ms long at least.

    The threshold adapts to the recording's own noise and speech. Continuous sound has no pauses.
    """
    quiet = levels < _threshold(levels)
    found: list[Span] = []
    for run in _runs(_without_clicks(quiet)):
        first = run.first if run.first == 0 else run.first + _MARGIN
        end = run.end if run.end == len(levels) else run.end - _MARGIN
        if len(run) >= _SHORTEST_PAUSE:
            found.append(Span(first * HOP, min(end * HOP, samples)))
    return tuple(pause for pause in found if pause)


def long_pauses(pauses: Sequence[Span], longest: int) -> Iterator[Span]:
    """What to leave out in the middle of pauses so that none lasts more than ``longest`` samples."""
    for pause in pauses:
        surplus = len(pause) - longest
        if surplus > 0:
            first = pause.first + longest // 2
            yield Span(first, first + surplus)


def noise_level(levels: Levels) -> float:
    """The level of what is heard when nobody speaks."""
    sounding = levels[levels > _NOTHING_DB]
    return float(np.percentile(sounding, 5)) if len(sounding) else _NOTHING_DB


def _threshold(levels: Levels) -> float:
    sounding = levels[levels > _NOTHING_DB]
    if not len(sounding):
        return 0.0
    noise, speech = noise_level(levels), float(np.percentile(sounding, 90))
    most, least = _BELOW_SPEECH_DB
    return float(min(max(noise + _ABOVE_NOISE_DB, speech - most), speech - least))


def _without_clicks(quiet: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    filled = quiet.copy()
    for run in _runs(~quiet):
        if len(run) < _SHORTEST_SOUND:
            filled[run.first : run.end] = True
    return filled


def _runs(mask: npt.NDArray[np.bool_]) -> Iterator[Span]:
    """The stretches in which a mask is true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    for first, end in edges.reshape(-1, 2).tolist():
        yield Span(first, end)


# Pieces ----------------------------------------------------------------------------------------------------

_LONGEST_PIECE = 30 * SPEECH_RATE
_SHORTEST_PIECE = 2 * SPEECH_RATE
_USUAL_PIECE = 12 * SPEECH_RATE
_SENTENCE_PAUSE = SPEECH_RATE * 300 // 1000
_BEFORE_NEXT = SPEECH_RATE * 80 // 1000


def cut_pieces(pauses: Sequence[Span], levels: Levels, samples: int) -> list[Span]:
    """Contiguous pieces of a recording, 30 s long at most, that end in pauses as far as there are any.

    A piece ends in the first pause that may be one between sentences, or else in the longest within reach,
    or else where the recording is least loud.
    """
    pieces: list[Span] = []
    first = 0
    while samples - first > _USUAL_PIECE:
        end = _end_of_piece(pauses, levels, first, samples)
        if samples - end < _SHORTEST_PIECE and samples - first <= _LONGEST_PIECE:
            break
        pieces.append(Span(first, end))
        first = end
    pieces.append(Span(first, samples))
    return pieces


@dataclass(frozen=True, slots=True)
class _Cut:
    at: int
    pause: int


def _end_of_piece(pauses: Sequence[Span], levels: Levels, first: int, samples: int) -> int:
    latest = min(first + _LONGEST_PIECE, samples)
    cuts = [
        _Cut(pause.end - min(_BEFORE_NEXT, len(pause) // 2), len(pause))
        for pause in pauses
        if pause.end > first + _SHORTEST_PIECE and pause.first < latest
    ]
    cuts = [cut for cut in cuts if first + _SHORTEST_PIECE <= cut.at < latest]
    usual = [cut for cut in cuts if cut.at <= first + _USUAL_PIECE]
    for cut in usual:
        if cut.pause >= _SENTENCE_PAUSE:
            return cut.at
    if cuts:
        return max(usual or cuts, key=lambda cut: cut.pause).at
    return _least_loud(levels, Span(first + _LONGEST_PIECE // 2, latest))


def _least_loud(levels: Levels, within: Span) -> int:
    hops = Span(within.first // HOP, within.end // HOP)
    return (hops.first + int(np.argmin(levels[hops.first : hops.end]))) * HOP + HOP // 2
