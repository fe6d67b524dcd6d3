"""The pixels under a frame: where the head is in them, where its lips are, and textures to sample from."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from services.lipsync.engines.viseme.arrays import Bytes, Floats
from services.lipsync.engines.viseme.face import HeadPose
from services.lipsync.engines.viseme.rig import LOWER_LINE, UPPER_LINE
from services.lipsync.engines.viseme.surface import Box, fineness, finer, yuv_of


@dataclass(frozen=True, slots=True)
class Lips:
    """The lips of a picture as two textures, copies of ``box`` with ``fine`` samples per pixel each way.

    The last channel of ``upper`` is 255 above the mouth's opening, that of ``lower`` below it.
    """

    box: Box
    fine: int
    upper: Bytes
    lower: Bytes


@dataclass(frozen=True, slots=True)
class Source:
    """A frame of the avatar, ready to be warped: ``skin`` is a copy of ``box``, ``fine`` samples per pixel.

    ``controls`` are its control points (n, 2) in pixels; ``lips`` is `None` when they will not be used.
    """

    planes: Bytes
    pose: HeadPose
    controls: Floats
    box: Box
    fine: int
    skin: Bytes
    lips: Lips | None


def open_source(planes: Bytes, pose: HeadPose, controls: Floats, box: Box, mouth: Box | None) -> Source:
    """Cut out what a frame needs; ``mouth``, within ``box``, is where its lips are."""
    fine = fineness(pose.scale)
    skin = finer(yuv_of(planes, box), fine)
    lips = _lips(skin, fine, box, mouth, pose, controls) if mouth else None
    return Source(planes, pose, controls, box, fine, skin, lips)


def _lips(skin: Bytes, fine: int, box: Box, mouth: Box, pose: HeadPose, controls: Floats) -> Lips:
    rows = slice(fine * (mouth.y0 - box.y0), fine * (mouth.y1 - box.y0))
    columns = slice(fine * (mouth.x0 - box.x0), fine * (mouth.x1 - box.x0))
    upper, lower = skin[rows, columns].copy(), skin[rows, columns].copy()
    down = pose.axes[:2, 1] / np.hypot(*pose.axes[:2, 1])
    upper[..., 3] = _above(controls[list(UPPER_LINE)], down, mouth, fine, pose.scale)
    lower[..., 3] = 255 - _above(controls[list(LOWER_LINE)], down, mouth, fine, pose.scale)
    return Lips(mouth, fine, upper, lower)


def _above(line: Floats, down: Floats, box: Box, fine: int, unit: float) -> Bytes:
    """255 above a line across the mouth and 0 below it, softly, on a grid of ``fine`` samples per pixel."""
    curve = _rounded(line)
    outward = curve[-1] - curve[0]
    outward = outward / np.hypot(*outward) * 4 * unit
    border = np.vstack((curve[0] - outward, curve, curve[-1] + outward))
    ring = np.vstack((border, border[-1] - 4 * unit * down, border[0] - 4 * unit * down))
    at = ((ring - (box.x0, box.y0)) * fine * 256).round().astype(np.int32)
    mask = np.zeros((box.height * fine, box.width * fine), np.uint8)
    cv2.fillPoly(mask, [at], 255, cv2.LINE_AA, 8)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.55 * fine), np.uint8)


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
