"""Pixels: parts of planar frames as interleaved YUV to work on, finer copies to sample from, and back.

Chroma is put where the avatar's own conversion puts it (see `services.lipsync.avatar.color`), but never
leaves Y'CbCr: warping and blending are linear, so no colour is converted at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from services.lipsync.engines.viseme.arrays import Bytes, Floats, Singles

_LARGE = 160
"""Pixels per unit of a face from which on a fine copy is not needed: its details are larger than pixels."""

_HALFWAY = np.array([[-1, 9, 9, -1]], np.float32) / 16


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of pixels [x0, x1) × [y0, y1)."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        """Pixels."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """Pixels."""
        return self.y1 - self.y0

    def shifted(self, x: int, y: int) -> Box:
        """This rectangle, moved."""
        return Box(self.x0 + x, self.y0 + y, self.x1 + x, self.y1 + y)

    def part_of(self, other: Box) -> tuple[slice, slice]:
        """Rows and columns of this rectangle in the picture of another that contains it."""
        moved = self.shifted(-other.x0, -other.y0)
        return moved.rows, moved.columns

    @property
    def rows(self) -> slice:
        """Rows of a picture."""
        return slice(self.y0, self.y1)

    @property
    def columns(self) -> slice:
        """Columns of a picture."""
        return slice(self.x0, self.x1)


def even_box(left: float, top: float, right: float, bottom: float, width: int, height: int) -> Box:
    """The smallest box on even pixels around a rectangle, within a picture of even sides; at least 2 × 2."""
    x0 = min(max(int(left) // 2 * 2, 0), width - 2)
    y0 = min(max(int(top) // 2 * 2, 0), height - 2)
    x1 = max(min(-(-int(right) // 2) * 2, width), x0 + 2)
    y1 = max(min(-(-int(bottom) // 2) * 2, height), y0 + 2)
    return Box(x0, y0, x1, y1)


def even_box_within(low: Floats, high: Floats, outer: Box) -> Box:
    """The smallest box on even pixels around two corners (2,), inside another box on even pixels."""
    x0, y0 = outer.x0, outer.y0
    box = even_box(low[0] - x0, low[1] - y0, high[0] - x0, high[1] - y0, outer.width, outer.height)
    return box.shifted(x0, y0)


def fineness(unit: float) -> int:
    """Samples per pixel, each way, of the copies that a face of ``unit`` pixels is drawn from.

    A finer copy, sampled linearly, is about as sharp as the original sampled bicubically, and much faster.
    """
    return 1 if unit >= _LARGE else 2


def yuv_of(planes: Bytes, box: Box) -> Bytes:
    """Part of a planar frame as uint8 (h, w, 4): Y, U, V and a fourth channel of zeros."""
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    made = np.zeros((box.height, box.width, 4), np.uint8)
    made[..., 0] = planes[box.rows, box.columns]
    chroma = planes[height:].reshape(2, height // 2, width // 2)
    # One sample more on each side than the box covers, so that its edge looks like its middle.
    x0, y0 = max(box.x0 // 2 - 1, 0), max(box.y0 // 2 - 1, 0)
    x1, y1 = min(box.x1 // 2 + 1, width // 2), min(box.y1 // 2 + 1, height // 2)
    left, top = box.x0 - 2 * x0, box.y0 - 2 * y0
    for channel in (1, 2):
        small = chroma[channel - 1, y0:y1, x0:x1]
        tall = cv2.resize(small, (x1 - x0, 2 * (y1 - y0)), interpolation=cv2.INTER_LINEAR)
        full = np.empty((tall.shape[0], 2 * tall.shape[1]), np.uint8)
        full[:, ::2] = tall
        full[:, 1:-1:2] = cv2.addWeighted(tall[:, :-1], 0.5, tall[:, 1:], 0.5, 0)
        full[:, -1] = tall[:, -1]
        made[..., channel] = full[top : top + box.height, left : left + box.width]
    return made


def chroma_of(yuv: Bytes) -> Bytes:
    """Chroma of interleaved YUV on the grid of the planes: uint8 (h / 2, w / 2, 4), channels as given."""
    flat = cv2.addWeighted(yuv[::2], 0.5, yuv[1::2], 0.5, 0)
    smooth = cv2.GaussianBlur(flat, (3, 1), 0, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(smooth[:, ::2], np.uint8)


def write_yuv(planes: Bytes, box: Box, yuv: Bytes, edge: Singles | None = None) -> None:
    """Put interleaved YUV into a part of a planar frame.

    Where the weights ``edge``, float32 (h / 2, w / 2) of 0..1, are below one, chroma stays what it is.
    """
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    planes[box.rows, box.columns] = yuv[..., 0]
    fresh = chroma_of(yuv)
    chroma = planes[height:].reshape(2, height // 2, width // 2)
    for channel in (1, 2):
        part = chroma[channel - 1, box.y0 // 2 : box.y1 // 2, box.x0 // 2 : box.x1 // 2]
        if edge is None:
            part[:] = fresh[..., channel]
        else:
            part[:] = cv2.blendLinear(
                np.ascontiguousarray(fresh[..., channel]), part.copy(), edge, 1.0 - edge
            )


def finer(yuv: Bytes, fine: int) -> Bytes:
    """``fine`` (1 or 2) times the samples each way of uint8 (h, w, 4); the pixels are among them."""
    if fine == 1:
        return yuv
    height, width = yuv.shape[:2]
    between = cv2.filter2D(yuv, -1, _HALFWAY, anchor=(1, 0), borderType=cv2.BORDER_REPLICATE)
    row = np.empty((height, 2 * width), np.uint32)
    row[:, ::2], row[:, 1::2] = yuv.view(np.uint32)[..., 0], between.view(np.uint32)[..., 0]
    wide = row.view(np.uint8).reshape(height, 2 * width, 4)
    below = cv2.filter2D(wide, -1, _HALFWAY.T, anchor=(0, 1), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(np.stack((wide, below), axis=1).reshape(2 * height, 2 * width, 4), np.uint8)


@dataclass(frozen=True, slots=True)
class Origins:
    """Where pixels come from: ``x`` and ``y``, float32 (h, w) each, in samples of a fine copy."""

    x: Singles
    y: Singles

    def part(self, rows: slice, columns: slice) -> Origins:
        """Those of a part of the pixels."""
        return Origins(self.x[rows, columns], self.y[rows, columns])


def sample(fine: Bytes, at: Origins) -> Bytes:
    """Pixels (h, w, 4) of a fine copy, beyond its edges the nearest.

    Coordinates in two planes of floats take the fastest way through OpenCV, four times that of pairs.
    """
    pixels = cv2.remap(fine, at.x, at.y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(pixels, np.uint8)
