"""Dynamic time warping: which moment of one sound another sound's moments correspond to. Pure.

After Sakoe and Chiba (1978), with the asymmetric steps that make every path as long as the followed sound, so
that the ends of paths can be compared without normalising them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mouthpiece.core.timeline import Span
from services.tts.cepstra import Features

_STEP_COSTS = (0.15, 0.0, 0.15, 0.4)
"""From frame to frame of the followed sound, the other advances by 0 to 3 frames, at these prices."""

_START_COST = 0.1
"""Price of each frame away from the expected start. All prices are in mean distances of two frames."""

_START_FREEDOM = 50
_SLOWEST, _FASTEST = 0.6, 1.5
_SLACK = 100
"""The path stays between these average speeds, with so many frames to spare."""

_ROWS_AT_A_TIME = 256


@dataclass(frozen=True, slots=True)
class Path:
    """For each frame of the followed sound the corresponding frame of the other, never going back.

    ``cost`` is the mean price per frame, in mean distances of two frames.
    """

    frames: npt.NDArray[np.int64]
    cost: float


def furthest(rows: int) -> int:
    """Frames of the other sound that a path of so many rows may reach."""
    return int(rows * _FASTEST) + _START_FREEDOM + _SLACK


def follow(followed: Features, other: Features, start: int) -> Path:
    """Find the cheapest path that begins near frame ``start`` of ``other`` and may end anywhere in it.

    Both have at least one row, and equally many columns.
    """
    unit = _mean_distance(followed, other)
    steps = np.array(_STEP_COSTS, np.float32) * unit
    away = np.abs(np.arange(len(other)) - start)
    # Room in front, so that every frame has frames before it that a step may come from.
    room = len(steps) - 1
    price = np.full(room + len(other), np.inf, np.float32)
    price[room:] = np.where(away <= _START_FREEDOM, away * (_START_COST * unit), np.inf)
    bands = [_band(row, start, len(other)) for row in range(len(followed))]
    taken: list[npt.NDArray[np.uint8]] = []
    for first in range(0, len(followed), _ROWS_AT_A_TIME):
        rows = _distances(followed[first : first + _ROWS_AT_A_TIME], other)
        for band, row in zip(bands[first:], rows, strict=False):
            best, choice = _cheapest(price, band, steps if taken else steps[:1])
            price[:] = np.inf
            price[room + band.first : room + band.end] = best + row[band.first : band.end]
            taken.append(choice)
    frames = _backwards(taken, bands, int(price.argmin()) - room)
    return Path(frames, float(price.min()) / (unit * len(followed)))


def _band(row: int, start: int, width: int) -> Span:
    """The frames that a path may be at in a row."""
    first = start - _START_FREEDOM + int(row * _SLOWEST) - _SLACK
    end = start + furthest(row)
    return Span(min(max(0, first), width - 1), max(1, min(end, width)))


def _cheapest(
    price: npt.NDArray[np.float32], band: Span, steps: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """The best price of coming to each frame of the band, and by which step. Ties go to the shorter step."""
    room = len(_STEP_COSTS) - 1
    best = price[room + band.first : room + band.end] + steps[0]
    choice = np.zeros(len(band), np.uint8)
    for step in range(1, len(steps)):
        option = price[room + band.first - step : room + band.end - step] + steps[step]
        better = option < best
        choice[better] = step
        np.minimum(best, option, out=best)
    return best, choice


def _mean_distance(followed: Features, other: Features) -> float:
    return max(1e-6, float(_distances(followed[::10], other[::10]).mean()))


def _distances(some: Features, others: Features) -> npt.NDArray[np.float32]:
    squares = (some**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * some @ others.T
    return np.asarray(np.sqrt(np.maximum(squares, 0)), np.float32)


def _backwards(taken: list[npt.NDArray[np.uint8]], bands: list[Span], last: int) -> npt.NDArray[np.int64]:
    frames = np.empty(len(taken), np.int64)
    for row in range(len(taken) - 1, -1, -1):
        frames[row] = last
        last -= int(taken[row][last - bands[row].first])
    return frames
