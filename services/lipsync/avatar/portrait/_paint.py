"""A paint box: curves, soft masks and layers on a canvas. Colours are linear RGB."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from services.lipsync.avatar.color import Picture

SIDE = 720
"""Pixels of the finished picture, each way."""
FULL = 2 * SIDE
"""Pixels that are drawn, each way; reduced at the end, so that edges come out smooth."""
VIEW = 620.0
"""Units that the picture shows, each way."""
SCALE = FULL / VIEW
"""Drawn pixels per unit."""
ORIGIN = (50.0, 66.0)
"""The upper left corner of the picture, in units."""
MIDDLE = 360.0
"""The x around which the face is symmetric."""

Field = npt.NDArray[np.float32]
"""One number per pixel of a canvas, float32."""
Paint = npt.NDArray[np.float32]
"""Linear RGB per pixel of a canvas: float32 (height, width, 3)."""
Color = npt.NDArray[np.float32]
"""Linear RGB: float32 (3,)."""
Curve = npt.NDArray[np.float64]
"""Points along a curve, in units: float64 (n, 2)."""
Points = Sequence[tuple[float, float]]


def rgb(code: str) -> Color:
    """Linear colour of a hexadecimal sRGB code."""
    value = np.array([int(code[at : at + 2], 16) for at in (0, 2, 4)], np.float32) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def curve(points: Points | Curve, steps: int = 16, *, closed: bool = True) -> Curve:
    """A smooth curve through `points` (Catmull-Rom)."""
    p = np.asarray(points, np.float64)
    p = np.vstack([p[-1], p, p[:2]] if closed else [2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, np.newaxis]
    parts = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False)
    ]
    return np.vstack(parts if closed else [*parts, p[-2:-1]])


def mirrored(right: Points) -> Curve:
    """A closed outline from its right half, given from top to bottom as offsets from the middle."""
    left = [(-x, y) for x, y in reversed(right) if x != 0]
    return np.array([(MIDDLE + x, y) for x, y in [*right, *left]])


def placed(points: Points | Curve, *, right: bool = True) -> Curve:
    """Points given as offsets from the middle, towards the right or towards the left."""
    p = np.array(points, np.float64)
    p[:, 0] = MIDDLE + (p[:, 0] if right else -p[:, 0])
    return p


def brushed(line: Curve, width: float | Sequence[float]) -> Curve:
    """Outline of a line drawn with a brush whose width may change evenly along it."""
    widths = np.interp(np.linspace(0, 1, len(line)), np.linspace(0, 1, np.size(width)), np.ravel(width))
    along = np.gradient(line, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    edge = normal * widths[:, np.newaxis] / 2
    return np.vstack([line + edge, (line - edge)[::-1]])


def ramp(field: npt.NDArray[np.floating], low: float, high: float) -> Field:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((field - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


class Canvas:
    """A picture in the making, or a window on one."""

    def __init__(self, paint: Paint, origin: tuple[float, float] = ORIGIN) -> None:
        self.paint = paint
        self._origin = origin
        height, width = paint.shape[:2]
        xs, ys = ((np.arange(length) + 0.5) / SCALE for length in (width, height))
        self.x = (xs + origin[0]).astype(np.float32)[np.newaxis, :]
        """x of each column, in units; broadcasts against `y`."""
        self.y = (ys + origin[1]).astype(np.float32)[:, np.newaxis]
        """y of each row."""

    @classmethod
    def blank(cls, color: Color) -> Canvas:
        """A whole picture in one colour."""
        return cls(np.full((FULL, FULL, 3), color, np.float32))

    def window(self, left: float, top: float, right: float, bottom: float) -> Canvas:
        """A part of this canvas, in units: painting there paints here, and costs less."""
        x0, y0 = (max(0, int((low - at) * SCALE)) for low, at in zip((left, top), self._origin, strict=True))
        x1, y1 = (int((high - at) * SCALE) for high, at in zip((right, bottom), self._origin, strict=True))
        origin = self._origin[0] + x0 / SCALE, self._origin[1] + y0 / SCALE
        return Canvas(self.paint[y0:y1, x0:x1], origin)

    def layer(self, color: Color) -> Canvas:
        """A new canvas of the same size and place, in one colour."""
        return Canvas(np.full(self.paint.shape, color, np.float32), self._origin)

    def fixed(self, points: Curve) -> npt.NDArray[np.int32]:
        """Units as pixels with four binary digits after the point, for OpenCV."""
        return np.rint((points - self._origin) * SCALE * 16 - 8).astype(np.int32)

    def mask(self, *outlines: Curve, soften: float = 0.0) -> Field:
        """1 inside of the outlines, 0 outside, blurred by `soften` units."""
        field = np.zeros(self.paint.shape[:2], np.uint8)
        for outline in outlines:
            cv2.fillPoly(field, [self.fixed(outline)], 255, lineType=cv2.LINE_AA, shift=4)
        return self.blurred(field.astype(np.float32) / np.float32(255), soften)

    def stroke(self, line: Curve, width: float | Sequence[float], soften: float = 0.0) -> Field:
        """A line drawn with a brush whose width may change evenly along it."""
        return self.mask(brushed(line, width), soften=soften)

    def bump(self, x: float, y: float, wide: float, high: float, below: float | None = None) -> Field:
        """A Gaussian hill of height 1; `below` is its extent downwards where that differs."""
        down = self.y - np.float32(y)
        extent = np.where(down > 0, np.float32(below or high), np.float32(high))
        across = (self.x - np.float32(x)) / np.float32(wide)
        return np.asarray(np.exp(-0.5 * (down / extent) ** 2) * np.exp(-0.5 * across**2), np.float32)

    def pair(self, x: float, y: float, wide: float, high: float, below: float | None = None) -> Field:
        """The same hill on both sides, `x` from the middle."""
        return self.bump(MIDDLE - x, y, wide, high, below) + self.bump(MIDDLE + x, y, wide, high, below)

    def blurred(self, field: Field, by: float) -> Field:
        """The field blurred by a Gaussian of `by` units."""
        if by <= 0:
            return field
        step = max(1, int(by * SCALE / 4))  # wide blurs are done small: the result is smooth anyway
        if step == 1:
            return np.asarray(cv2.GaussianBlur(field, (0, 0), by * SCALE), np.float32)
        height, width = field.shape
        small = cv2.resize(field, (width // step, height // step), interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), by * SCALE / step)
        return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)

    def over(self, color: Color | Paint, where: Field, opacity: float = 1.0) -> None:
        """Paint a colour, or another painting."""
        self.paint += (color - self.paint) * (where * np.float32(opacity))[..., np.newaxis]

    def glaze(self, color: Color, where: Field, opacity: float = 1.0) -> None:
        """Multiply by a colour."""
        self.paint *= 1 + (color - 1) * (where * np.float32(opacity))[..., np.newaxis]

    def glow(self, color: Color, where: Field, opacity: float = 1.0) -> None:
        """Add light."""
        self.paint += color * (where * np.float32(opacity))[..., np.newaxis]

    def developed(self) -> Picture:
        """The finished picture: BGR, 720 × 720."""
        small = np.clip(cv2.resize(self.paint, (SIDE, SIDE), interpolation=cv2.INTER_AREA), 0, 1)
        coded = np.where(small <= 0.0031308, small * 12.92, 1.055 * small ** (1 / 2.4) - 0.055)
        grain = np.random.default_rng(7).normal(0, 0.7, (SIDE, SIDE, 1))  # smooth gradients band without it
        return np.clip(np.rint(coded * 255 + grain), 0, 255).astype(np.uint8)[:, :, ::-1].copy()
