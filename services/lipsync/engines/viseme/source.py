"""The pixels under a frame: where the head is in them, where its lips are, and textures to sample from."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from services.lipsync.engines.viseme.arrays import Bytes, Floats
from services.lipsync.engines.viseme.face import HeadPose
from services.lipsync.engines.viseme.rig import LOWER_LINE, UPPER_LINE
from services.lipsync.engines.viseme.surface import FINE, Box, finer, yuv_of


@dataclass(frozen=True, slots=True)
class Lips:
    """The lips of a picture as two textures, fine copies of ``box``.

    The last channel of ``upper`` is 255 above the mouth's opening, that of ``lower`` below it.
    """

    box: Box
    upper: Bytes
    lower: Bytes


@dataclass(frozen=True, slots=True)
class Source:
    """A frame of the avatar, ready to be warped: ``skin`` is a fine copy of ``box``.

    ``controls`` are its control points (n, 2) in pixels; ``lips`` is `None` when they will not be used.
    """

    planes: Bytes
    pose: HeadPose
    controls: Floats
    box: Box
    skin: Bytes
    lips: Lips | None


def open_source(planes: Bytes, pose: HeadPose, controls: Floats, box: Box, mouth: Box | None) -> Source:
    """Cut out what a frame needs; ``mouth``, within ``box``, is where its lips are."""
    skin = finer(yuv_of(planes, box))
    lips = _lips(skin, box, mouth, pose, controls) if mouth else None
    return Source(planes, pose, controls, box, skin, lips)


def _lips(skin: Bytes, box: Box, mouth: Box, pose: HeadPose, controls: Floats) -> Lips:
    rows = slice(FINE * (mouth.y0 - box.y0), FINE * (mouth.y1 - box.y0))
    columns = slice(FINE * (mouth.x0 - box.x0), FINE * (mouth.x1 - box.x0))
    upper, lower = skin[rows, columns].copy(), skin[rows, columns].copy()
    down = pose.axes[:2, 1] / np.hypot(*pose.axes[:2, 1])
    upper[..., 3] = _above(controls[list(UPPER_LINE)], down, mouth, pose.scale)
    lower[..., 3] = 255 - _above(controls[list(LOWER_LINE)], down, mouth, pose.scale)
    return Lips(mouth, upper, lower)


def _above(line: Floats, down: Floats, box: Box, unit: float) -> Bytes:
    """255 above a line across the mouth and 0 below it, softly, on the fine grid of ``box``."""
    curve = _rounded(line)
    outward = curve[-1] - curve[0]
    outward = outward / np.hypot(*outward) * 4 * unit
    border = np.vstack((curve[0] - outward, curve, curve[-1] + outward))
    ring = np.vstack((border, border[-1] - 4 * unit * down, border[0] - 4 * unit * down))
    at = ((ring - (box.x0, box.y0)) * FINE * 256).round().astype(np.int32)
    mask = np.zeros((box.height * FINE, box.width * FINE), np.uint8)
    cv2.fillPoly(mask, [at], 255, cv2.LINE_AA, 8)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.55 * FINE), np.uint8)


def _rounded(line: Floats) -> Floats:
    """A smooth curve through the points of a line (Catmull-Rom)."""
    before = np.vstack((2 * line[0] - line[1], line[:-2]))
    after = np.vstack((line[2:], 2 * line[-1] - line[-2]))
    start, end = line[:-1], line[1:]
    t = (np.arange(4) / 4)[:, None, None]
    cubic = 3 * (start - end) + after - before
    square = 2 * before - 5 * start + 4 * end - after
    curve = start + 0.5 * t * (end - before + t * (square + t * cubic))
    return np.vstack((curve.transpose(1, 0, 2).reshape(-1, 2), line[-1:]))
