"""Measuring what a person would see: how far the lips are apart, and sheets of frames to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mouthpiece.media.probe import decode_frames
from services.lipsync.avatar.color import Picture, i420_to_bgr
from services.lipsync.avatar.landmarks import EYE_LEFT, EYE_RIGHT, FaceTracker, Landmarks
from services.lipsync.avatar.models import default_models_dir
from tests.support.media_measure import Curve

UPPER_LIP, LOWER_LIP = 13, 14
"""Inner edges of the lips, in the middle."""

CORNERS = 61, 291
"""Outer corners of the mouth."""


def lip_opening(path: Path) -> Curve:
    """Distance between the lips in every frame, in units of the distance of the outer eye corners.

    Each frame is looked at on its own, from the face box of the first, so that nothing is smoothed over time.
    NaN where no face is seen; in a frame of a closed mouth below about 0.02.
    """
    return np.array([_opening(found) for found in faces(path)])


def mouth_width(path: Path) -> Curve:
    """Distance between the corners of the mouth in every frame, in the same unit; NaN where no face is."""
    return np.array([_distance(found, *CORNERS) for found in faces(path)])


def faces(path: Path) -> list[Landmarks | None]:
    """Landmarks of the largest face of the first frame, in every frame on its own."""
    tracker = FaceTracker.load(default_models_dir())
    box = None
    found: list[Landmarks | None] = []
    for frame in decode_frames(path):
        picture = i420_to_bgr(frame)
        if box is None:
            box = next(iter(tracker.detect(picture)), None)
        face = tracker.landmarks(picture, box) if box else None
        found.append(face if face and face.presence >= 0.5 else None)
    return found


def contact_sheet(
    path: Path, sheet: Path, frames: Sequence[int], *, columns: int = 8, side: int = 240, mouth: bool = False
) -> None:
    """Write frames of a video, numbered, side by side into a PNG; with ``mouth`` only what is around it."""
    wanted = set(frames)
    shown = {index: i420_to_bgr(frame) for index, frame in enumerate(decode_frames(path)) if index in wanted}
    region = _mouth_region(path) if mouth else None
    tiles = [_tile(shown[index], index, side, region) for index in frames]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[first : first + columns]) for first in range(0, len(tiles), columns)]
    cv2.imwrite(str(sheet), np.vstack(rows))


def _opening(found: Landmarks | None) -> float:
    return _distance(found, UPPER_LIP, LOWER_LIP)


def _distance(found: Landmarks | None, one: int, other: int) -> float:
    if found is None:
        return float("nan")
    points = found.points[:, :2].astype(np.float64)
    eyes = np.linalg.norm(points[EYE_LEFT] - points[EYE_RIGHT])
    return float(np.linalg.norm(points[one] - points[other]) / eyes)


def _mouth_region(path: Path) -> tuple[slice, slice]:
    """A square around the mouth of the first face, twice as wide as the mouth."""
    face = next(found for found in faces(path) if found)
    left, right = (face.points[corner, :2] for corner in CORNERS)
    reach = float(np.linalg.norm(right - left))
    x, y = (left + right) / 2
    return slice(max(0, int(y - reach)), int(y + reach)), slice(max(0, int(x - reach)), int(x + reach))


def _tile(picture: Picture, index: int, side: int, region: tuple[slice, slice] | None) -> Picture:
    part = picture[region] if region else picture
    scale = side / max(part.shape[:2])
    small = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    tile = np.zeros((side, side, 3), np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small
    cv2.putText(tile, str(index), (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return tile
