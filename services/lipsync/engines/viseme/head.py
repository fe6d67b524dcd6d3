"""The idle motion of a portrait's head, as a field of displacements that fades out around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.lipsync.engines.viseme.arrays import Floats, Singles, ease
from services.lipsync.engines.viseme.face import HeadPose
from services.lipsync.engines.viseme.idle import Idle

_CENTRE, _RADIUS_X, _RADIUS_Y = 0.15, 1.30, 1.75
"""Ellipse in units, centred below the eyes, that moves as a whole: face, hair and neck."""

_FADE = 1.65
"""Where motion ends, in radii of the ellipse."""

_BORDER = 0.40
"""Units over which motion fades out towards the border of the picture, which never moves."""

_NOD, _LIFT = 0.045, 0.07
"""Radians that the head nods and units that the brows rise with the strongest accent."""

_BROW_AT, _BROW_HEIGHT, _BROW_WIDTH = -0.32, 0.17, 0.85
"""Where the brows are, in units above the eyes, and how far around them skin follows."""

_SKULL_X, _SKULL_Y, _SKULL_DEPTH = 1.05, 1.50, 0.75
_NOSE_DEPTH, _NOSE_SIZE = 0.22, 0.20


@dataclass(frozen=True, slots=True)
class HeadField:
    """How freely every place moves, ``weight``, and how near it is to the viewer; (rows, columns) each.

    ``x`` and ``y`` are the places in units of the face from between the eyes; ``plane`` turns units into
    pixels. ``brows`` is how much a place belongs to them.
    """

    weight: Singles
    nearness: Singles
    brows: Singles
    x: Singles
    y: Singles
    plane: Singles

    def displacement(self, idle: Idle, accent: float) -> Singles:
        """Displacements (rows, columns, 2) in pixels from places of the new frame to the portrait.

        ``accent``, -1..1, is how much the voice stands out.
        """
        turn = self.nearness
        pitch = idle.pitch + _NOD * accent
        right = idle.right + idle.yaw * turn + idle.growth * self.x - idle.roll * (self.y - 1.2)
        down = idle.down + pitch * turn + idle.growth * (self.y - 1.6) + idle.roll * self.x
        down = down - _LIFT * max(accent, 0.0) * self.brows
        back = np.stack((right, down), axis=-1) * -self.weight[..., None]
        return (back @ self.plane.T).astype(np.float32)


def head_field(places: Singles, pose: HeadPose, nose: Floats, width: int, height: int) -> HeadField:
    """The field over ``places`` (rows, columns, 2) in pixels; ``nose`` is its tip in head coordinates."""
    plane = pose.axes[:2, :2]
    upright = (places - pose.origin[:2]) @ np.linalg.inv(plane).T
    x, y = upright[..., 0], upright[..., 1]
    away = np.hypot(x / _RADIUS_X, (y - _CENTRE) / _RADIUS_Y)
    border = np.minimum.reduce(
        [places[..., 0], places[..., 1], width - 1 - places[..., 0], height - 1 - places[..., 1]]
    )
    weight = ease((_FADE - away) / (_FADE - 1)) * ease(border / (_BORDER * pose.scale))
    skull = np.sqrt(np.maximum(1 - (x / _SKULL_X) ** 2 - ((y - 0.35) / _SKULL_Y) ** 2, 0.0))
    nose_x, nose_y = nose[:2] + pose.axes[:2, 2] @ np.linalg.inv(plane).T * nose[2]
    bump = np.exp(-((x - nose_x) ** 2 + (y - nose_y) ** 2) / (2 * _NOSE_SIZE**2))
    nearness = _SKULL_DEPTH * skull + _NOSE_DEPTH * bump
    brows = np.exp(-((x / _BROW_WIDTH) ** 4) - ((y - _BROW_AT) / _BROW_HEIGHT) ** 2)
    parts = (weight, nearness, brows, x, y, plane)
    return HeadField(*(part.astype(np.float32) for part in parts))


def reach(pose: HeadPose) -> tuple[float, float, float, float]:
    """Left, top, right, bottom in pixels of what may move with the head."""
    x, y = _FADE * _RADIUS_X, _FADE * _RADIUS_Y
    corners = np.array([(-x, _CENTRE - y), (x, _CENTRE - y), (x, _CENTRE + y), (-x, _CENTRE + y)])
    seen = corners @ pose.axes[:2, :2].T + pose.origin[:2]
    low, high = seen.min(axis=0), seen.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])
