"""What stands behind a person who was filmed before a green or blue screen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mouthpiece.errors import BadInput
from mouthpiece.media.enhance import Backdrop
from mouthpiece.media.sandbox import confined
from services.lipsync.avatar._decode import open_source
from services.lipsync.avatar.color import I420, Picture, bgr_to_i420, chroma_planes
from services.lipsync.avatar.confinement import LOOK
from services.lipsync.avatar.framing import framing
from services.lipsync.avatar.limits import Limits

FIELD = "background"

_NEAR, _LEAST_PART = 12.0, 0.6
"""Levels within which chroma counts as the screen's, and the part of the border that must be of it."""
_LEAST_STRENGTH = 20.0
"""Levels between the screen's chroma and grey; less is no colour to be told from a person's."""
_MOST_RED = 118
"""Level of red chroma above which a colour is too near to skin."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A colour as (blue, green, red), or else the artifact of a picture that is cut to fill the frame."""

    color: tuple[int, int, int] | None = None
    picture_sha256: str = ""


def backdrop(wanted: Wanted, path: Path | None, avatar_frame: I420, limits: Limits) -> Backdrop:
    """A backdrop of the size of the avatar's first frame; `path` is where the picture is.

    Raises `BadInput` when the avatar is not before a screen, or the file is no picture.
    """
    height, width = avatar_frame.shape[0] * 2 // 3, avatar_frame.shape[1]
    key = screen_chroma(avatar_frame)
    if path is None:
        picture = np.full((height, width, 3), wanted.color, np.uint8)
    else:
        picture = confined(FIELD, LOOK, partial(_filling, path, limits, (width, height)))
    return Backdrop(bgr_to_i420(picture), key)


def check_screen(path: Path, limits: Limits) -> None:
    """Raise `BadInput` when the avatar in a file is not before a screen."""
    confined(FIELD, LOOK, partial(_check_screen, path, limits))


def check_picture(path: Path, limits: Limits) -> None:
    """Raise `BadInput` when a file is no picture."""
    confined(FIELD, LOOK, partial(_filling, path, limits, (2, 2)))


def _check_screen(path: Path, limits: Limits) -> None:
    shown = _first_picture(path, limits)
    height, width = (side // 2 * 2 for side in shown.shape[:2])
    screen_chroma(bgr_to_i420(shown[:height, :width]))


def _filling(path: Path, limits: Limits, size: tuple[int, int]) -> Picture:
    shown = _first_picture(path, limits)
    return framing((shown.shape[1], shown.shape[0]), size).apply(shown)


def _first_picture(path: Path, limits: Limits) -> Picture:
    try:
        with open_source(path, limits) as source:
            return next(iter(source.looks([0.0]))).bgr
    except BadInput as error:
        raise BadInput(FIELD, error.violations[0].description) from None


def screen_chroma(frame: I420) -> tuple[int, int]:
    """Chroma (U, V) of the screen behind a person: what the picture's upper border is of.

    Raises `BadInput` when that is not of one strong colour that is far from skin.
    """
    border = [np.concatenate([*_border(plane)]).astype(np.float64) for plane in chroma_planes(frame)]
    key = [float(np.median(levels)) for levels in border]
    near = np.hypot(*(levels - level for levels, level in zip(border, key, strict=True))) < _NEAR
    strong = np.hypot(key[0] - 128, key[1] - 128) >= _LEAST_STRENGTH
    if near.mean() < _LEAST_PART or not strong or key[1] > _MOST_RED:
        raise BadInput(FIELD, "the avatar does not stand before an even green or blue screen")
    return round(key[0]), round(key[1])


def _border(plane: Picture) -> tuple[Picture, Picture, Picture]:
    """The top and the upper halves of both sides; below there are shoulders."""
    height, width = plane.shape
    deep, wide = max(1, height // 16), max(1, width // 16)
    upper = plane[: height // 2]
    return upper[:deep].ravel(), upper[:, :wide].ravel(), upper[:, -wide:].ravel()
