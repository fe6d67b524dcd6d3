"""Landmarks of a whole clip: gaps filled, jitter taken out, cuts left alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from services.lipsync.avatar._networks import Floats
from services.lipsync.avatar.landmarks import EYE_LEFT, EYE_RIGHT, Landmarks

SIGMA = 1.2
"""Frames. Wide enough to take out the jitter of the landmark model, narrower than any motion of a head."""
CUT = 0.5
"""A face that moves by more than this between two frames, in distances of its eyes, is in another shot."""


def smooth(found: Sequence[Landmarks | None]) -> Floats:
    """Landmarks of every frame, float32 (frames, 468, 3), from those of the frames where a face was seen.

    Gaps are filled on straight lines, at the ends with the nearest. Raises `ValueError` when no frame has
    any.
    """
    seen = [index for index, landmarks in enumerate(found) if landmarks is not None]
    if not seen:
        raise ValueError("no frame has landmarks")
    points = np.stack([landmarks.points for landmarks in found if landmarks is not None]).astype(np.float64)
    filled = _interpolated(np.asarray(seen), points, len(found))
    shots = [0, *(_cuts(filled) + 1), len(found)]
    parts = [
        gaussian_filter1d(filled[first:end], SIGMA, axis=0, mode="nearest") for first, end in pairwise(shots)
    ]
    return np.concatenate(parts).astype(np.float32)


def empty(found: Sequence[Landmarks | None], longest: int) -> list[int]:
    """Frames of stretches without a face that are longer than so many: shorter ones are looks that failed."""
    stretches = (
        list(run) for seen, run in groupby(range(len(found)), lambda n: found[n] is not None) if not seen
    )
    return [index for stretch in stretches if len(stretch) > longest for index in stretch]


def jitter(points: Floats) -> float:
    """Median length of the second difference in pixels per frame²: what shakes although nothing moves."""
    if len(points) < 3:
        return 0.0
    second = points[2:, :, :2] - 2 * points[1:-1, :, :2] + points[:-2, :, :2]
    return float(np.median(np.linalg.norm(second, axis=-1)))


def _interpolated(seen: npt.NDArray[Any], points: npt.NDArray[Any], frames: int) -> npt.NDArray[Any]:
    """Values at 0, 1, … `frames` - 1 of what is known at `seen`."""
    at = np.arange(frames)
    upper = np.clip(np.searchsorted(seen, at), 0, len(seen) - 1)
    lower = np.where(seen[upper] <= at, upper, np.maximum(upper - 1, 0))
    span = np.maximum(seen[upper] - seen[lower], 1)
    weight = np.clip((at - seen[lower]) / span, 0, 1)[:, np.newaxis, np.newaxis]
    return np.asarray(points[lower] * (1 - weight) + points[upper] * weight)


def _cuts(points: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Frames after which another shot begins."""
    eyes = np.linalg.norm(points[:, EYE_RIGHT, :2] - points[:, EYE_LEFT, :2], axis=-1)
    moved = np.linalg.norm(np.diff(points[:, :, :2].mean(axis=1), axis=0), axis=-1)
    return np.flatnonzero(moved > CUT * np.minimum(eyes[1:], eyes[:-1]))
