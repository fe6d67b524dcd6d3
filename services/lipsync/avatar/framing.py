"""Fitting pictures of any size into the frame of a job."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from services.lipsync.avatar.color import Picture

HEADROOM = 0.6
"""Free space above the box of a face, for hair, in units of its height."""
FOOTROOM = 0.25
"""Free space below and beside it, in the same unit."""


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def union(self, other: Area) -> Area:
        """The smallest rectangle around both."""
        return Area(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


@dataclass(frozen=True, slots=True)
class Framing:
    """Resize to `scaled` (width, height), then cut out `size` (width, height) from (`x`, `y`) on."""

    scaled: tuple[int, int]
    size: tuple[int, int]
    x: int
    y: int

    def changes(self, picture: Picture) -> bool:
        """Whether the picture comes out other than it went in."""
        return not (picture.shape[1], picture.shape[0]) == self.scaled == self.size

    def apply(self, picture: Picture) -> Picture:
        """The framed picture, contiguous."""
        shape = picture.shape[1], picture.shape[0]
        if shape != self.scaled:
            smaller = self.scaled[0] < shape[0]
            way = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
            picture = np.asarray(cv2.resize(picture, self.scaled, interpolation=way), np.uint8)
        width, height = self.size
        return np.ascontiguousarray(picture[self.y : self.y + height, self.x : self.x + width])


def framing(shown: tuple[int, int], size: tuple[int, int], face: Area | None = None) -> Framing:
    """How a picture of `shown` (width, height) fills `size` without changing its proportions.

    It is scaled to cover and cut as centrally as `face`, an area of the picture, allows. One odd row or
    column is cut off without scaling.
    """
    scaled = _covering(shown, size)
    if face is None:
        return Framing(scaled, size, (scaled[0] - size[0]) // 2, (scaled[1] - size[1]) // 2)
    wide, high = scaled[0] / shown[0], scaled[1] / shown[1]
    room = face.bottom - face.top
    head = (face.top - HEADROOM * room) * high, (face.bottom + FOOTROOM * room) * high
    sides = (face.left - FOOTROOM * room) * wide, (face.right + FOOTROOM * room) * wide
    x = _offset(scaled[0], size[0], sides, (face.left * wide, face.right * wide))
    y = _offset(scaled[1], size[1], head, (face.top * high, face.bottom * high))
    return Framing(scaled, size, x, y)


def _covering(shown: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    if all(0 <= have - want <= 1 for have, want in zip(shown, size, strict=True)):
        return shown
    scale = max(want / have for have, want in zip(shown, size, strict=True))
    width, height = (max(want, round(have * scale)) for have, want in zip(shown, size, strict=True))
    return width, height


def _offset(whole: int, part: int, wanted: tuple[float, float], needed: tuple[float, float]) -> int:
    """Where a part begins that lies as centrally in the whole as what is wanted allows.

    Where that does not fit, the part lies around the middle of what is needed.
    """
    low, high = wanted[1] - part, wanted[0]
    best = sum(needed) / 2 - part / 2 if low > high else min(max((whole - part) / 2, low), high)
    return min(max(round(best), 0), whole - part)
