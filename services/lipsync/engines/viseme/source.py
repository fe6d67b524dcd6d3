"""The pixels under a frame: where the head is in them, where its lips are, and textures to sample from."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from services.lipsync.engines.viseme.arrays import Bytes, Floats, ease
from services.lipsync.engines.viseme.face import HeadPose
from services.lipsync.engines.viseme.rig import LOWER_LINE, UPPER_LINE
from services.lipsync.engines.viseme.surface import Box, fineness, finer, yuv_of

_BESIDE, _DARK = 0.06, 0.65
"""Units around an open mouth where pixels darker than this share of dark lips belong to its inside."""

_CREASE, _CREASE_SHADE = 0.012, 0.38
"""Half width in units, and depth, of the shadow where lips meet that were never seen closed."""


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


def open_source(
    planes: Bytes, pose: HeadPose, controls: Floats, box: Box, mouth: Box | None, *, heal: bool = False
) -> Source:
    """Cut out what a frame needs; ``mouth``, within ``box``, is where its lips are.

    ``heal`` fills an open mouth with the colours of its lips, so that they can close over it. Slow.
    """
    fine = fineness(pose.scale)
    yuv = yuv_of(planes, box)
    skin = finer(_healed(yuv, controls, box, pose.scale) if heal else yuv, fine)
    lips = _lips(skin, fine, box, mouth, pose, controls, heal) if mouth else None
    return Source(planes, pose, controls, box, fine, skin, lips)


def _healed(yuv: Bytes, controls: Floats, box: Box, unit: float) -> Bytes:
    """The picture without what is seen between the lips.

    Landmarks cut the corners of an open mouth: what is dark beside the opening belongs to it.
    """
    ring = controls[[*UPPER_LINE, *LOWER_LINE[-2:0:-1]]] - (box.x0, box.y0)
    inside = np.zeros(yuv.shape[:2], np.uint8)
    cv2.fillPoly(inside, [(ring * 16).round().astype(np.int32)], 255, cv2.LINE_8, 4)
    near = cv2.dilate(inside, _disc(_BESIDE * unit))
    lips = cv2.dilate(inside, _disc(2 * _BESIDE * unit)) > near
    luma = yuv[..., 0].astype(np.int32) - 16
    dark = luma < _DARK * float(np.percentile(luma[lips], 20)) if lips.any() else lips
    beside = cv2.dilate((dark & (near > 0)).astype(np.uint8), _disc(0.012 * unit))
    mask = np.maximum(inside, beside * 255).astype(np.uint8)
    filled = cv2.inpaint(np.ascontiguousarray(yuv[..., :3]), mask, 0.05 * unit, cv2.INPAINT_TELEA)
    return np.dstack((filled, yuv[..., 3])).astype(np.uint8)


def _disc(radius: float) -> Bytes:
    side = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def _lips(
    skin: Bytes, fine: int, box: Box, mouth: Box, pose: HeadPose, controls: Floats, shade: bool
) -> Lips:
    rows = slice(fine * (mouth.y0 - box.y0), fine * (mouth.y1 - box.y0))
    columns = slice(fine * (mouth.x0 - box.x0), fine * (mouth.x1 - box.x0))
    upper, lower = skin[rows, columns].copy(), skin[rows, columns].copy()
    down = pose.axes[:2, 1] / np.hypot(*pose.axes[:2, 1])
    upper[..., 3] = _above(controls[list(UPPER_LINE)], down, mouth, fine, pose.scale)
    lower[..., 3] = 255 - _above(controls[list(LOWER_LINE)], down, mouth, fine, pose.scale)
    if shade:
        corners = (controls[[UPPER_LINE[0], UPPER_LINE[-1]]] - (mouth.x0, mouth.y0)) * fine
        for side in (upper, lower):
            _shade_edge(side, corners, _CREASE * fine * pose.scale)
    return Lips(mouth, fine, upper, lower)


def _shade_edge(side: Bytes, corners: Floats, sigma: float) -> None:
    """Darken a texture of one side of the lips towards its edge between the ``corners`` (2, 2)."""
    chord = corners[1] - corners[0]
    chord = chord / (chord @ chord)
    x = (np.arange(side.shape[1]) - corners[0, 0]) * chord[0]
    y = (np.arange(side.shape[0]) - corners[0, 1]) * chord[1]
    along = (x + y[:, None]).astype(np.float32)
    soft = np.asarray(cv2.GaussianBlur(side[..., 3], (0, 0), sigma), np.float32) / 255
    crease = 4.0 * soft * (1.0 - soft) * ease((np.minimum(along, 1.0 - along) + 0.02) / 0.12)
    luma = 16.0 + (side[..., 0].astype(np.float32) - 16.0) * (1.0 - _CREASE_SHADE * crease)
    side[..., 0] = (luma + 0.5).clip(0, 255).astype(np.uint8)


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
