"""Where the lips of a closed mouth meet, found in the picture.

Landmarks are some pixels off and see a gap where there is none. Between closed lips runs the darkest line of
the mouth; it is found by dynamic programming along the line that the landmarks suggest.
"""

from __future__ import annotations

import cv2
import numpy as np

from services.lipsync.engines.viseme.arrays import Bytes, Floats
from services.lipsync.engines.viseme.face import LOWER_INNER, UPPER_INNER, HeadPose

CLOSED_GAP = 0.045
"""Units; lips that landmarks see closer together than this are taken for closed."""

_COLUMNS = 41
_REACH, _STEPS = 0.07, 57
_STRAY = 0.35
"""Cost of the far end of the search range, relative to that of a line as bright as skin."""
_BEND = 0.06
"""Cost of a step by one offset between two columns, in the same measure."""


def lip_line(luma: Bytes, pose: HeadPose, local: Floats) -> Floats:
    """Points (11, 3) in head coordinates between closed lips, one for each pair of landmarks."""
    upper, lower = local[list(UPPER_INNER)], local[list(LOWER_INNER)]
    guess = (upper + lower) / 2
    along = np.linspace(0.0, len(guess) - 1.0, _COLUMNS)
    fine = np.stack([np.interp(along, np.arange(len(guess)), guess[:, axis]) for axis in range(3)], axis=1)
    offsets = np.linspace(-_REACH, _REACH, _STEPS)
    places = fine[:, None, :] + offsets[None, :, None] * np.array([0.0, 1.0, 0.0])
    found = dark_line(luma, pose.project(places), offsets, _STRAY * (offsets / _REACH) ** 2, pose.scale)
    line = guess.copy()
    line[:, 1] += np.interp(np.arange(len(guess)), along, found)
    return line


def dark_line(luma: Bytes, places: Floats, offsets: Floats, stray: Floats, unit: float) -> Floats:
    """For each column of ``places`` (n, m, 2), in pixels, the one of ``offsets`` (m,) where a dark line runs.

    ``stray`` (m,) is what each offset costs, where 1 is the difference between skin and the darkest place.
    """
    at = places.astype(np.float32)
    blurred = cv2.GaussianBlur(luma, (0, 0), max(0.6, 0.006 * unit))
    shade = cv2.remap(blurred, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    darkest, brightest = float(shade.min()), float(np.percentile(shade, 95))
    cost = (shade.astype(np.float64) - darkest) / (brightest - darkest + 1.0) + stray
    found = offsets[cheapest_path(cost)]
    return np.convolve(np.pad(found, 2, "edge"), (0.1, 0.2, 0.4, 0.2, 0.1), "valid")


def cheapest_path(cost: Floats) -> list[int]:
    """Index per row of the path with the least cost that moves by at most two from row to row."""
    rows, states = cost.shape
    total = cost[0]
    came = np.zeros((rows, states), np.int64)
    for row in range(1, rows):
        options = np.full((5, states), np.inf)
        for option, move in enumerate(range(-2, 3)):
            low, high = max(0, move), min(states, states + move)
            options[option, low:high] = total[low - move : high - move] + _BEND * move * move
        best = options.argmin(axis=0)
        came[row] = np.arange(states) - (best - 2)
        total = cost[row] + options[best, np.arange(states)]
    path = [int(total.argmin())]
    for row in range(rows - 1, 0, -1):
        path.append(int(came[row, path[-1]]))
    return path[::-1]
