"""How the skin of the lower face moves: a spline on each side of the lips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.lipsync.engines.viseme import rig
from services.lipsync.engines.viseme.arrays import Floats, Singles, ease
from services.lipsync.engines.viseme.face import HeadPose
from services.lipsync.engines.viseme.warp import basis, solve

SKIN_CELLS, LIP_CELLS = 11, 22
"""Nodes per unit of the face on its skin and around the lips."""

BAND = 0.09
"""Units above and below the line of the lips within which its two sides pass into each other."""

_REACH_X, _REACH_UP, _REACH_DOWN = 1.30, 0.72, 1.25
"""Units from the middle of the mouth within which the picture may change."""


def reach(pose: HeadPose, middle: Floats) -> tuple[float, float, float, float]:
    """Left, top, right, bottom in pixels of what may change around the ``middle`` of the mouth."""
    sides = np.array([(x, y) for x in (-_REACH_X, _REACH_X) for y in (-_REACH_UP, _REACH_DOWN)])
    corners = sides @ pose.axes[:2, :2].T + middle
    low, high = corners.min(axis=0), corners.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


@dataclass(frozen=True, slots=True)
class Motion:
    """Displacements (rows, columns, 2), in pixels, from places of the new frame to those of a source.

    ``upper`` holds above the lip line, ``lower`` below it; ``both`` passes from one to the other.
    """

    upper: Singles
    lower: Singles
    both: Singles


def mouth_motions(
    pose: HeadPose, target: Floats, sources: list[Floats], skin: Singles, lips: Singles
) -> tuple[list[Singles], list[Motion]]:
    """How pixels move when the control points of ``sources`` go to ``target``, each (n, 2) in pixels.

    For each source the displacements at places on the ``skin`` (rows, columns, 2), and the motion around the
    ``lips``. Those of the first source, the frame itself, vanish towards the edge of what may change.
    """
    middle, unit = target[list(rig.CORNERS)].mean(axis=0), pose.scale
    controls = (target - middle) / unit
    count = skin.shape[0] * skin.shape[1]
    places = np.concatenate((skin.reshape(-1, 2), lips.reshape(-1, 2)))
    flat = (places - middle.astype(np.float32)) * np.float32(1 / unit)
    window, below = _zones(pose, controls, flat)
    moves = np.concatenate([(source - target) / unit for source in sources], axis=1)
    weights = np.concatenate(solve(controls, moves, (rig.UPPER_SIDE, rig.LOWER_SIDE)), axis=1)
    fields = np.asarray(basis(flat, controls) @ (weights * np.float32(unit)), np.float32)
    upper, lower = fields[:, : moves.shape[1]], fields[:, moves.shape[1] :]
    upper[:, :2] *= window[:, None]
    lower[:, :2] *= window[:, None]
    both = np.asarray(upper + (lower - upper) * below[:, None], np.float32)
    sides = (upper, lower, both)
    near = [
        Motion(*(_plane(field[count:, at : at + 2], lips) for field in sides))
        for at in range(0, moves.shape[1], 2)
    ]
    return [_plane(both[:count, at : at + 2], skin) for at in range(0, moves.shape[1], 2)], near


def _plane(field: Singles, places: Singles) -> Singles:
    return np.ascontiguousarray(field).reshape(places.shape)


def _zones(pose: HeadPose, controls: Floats, flat: Singles) -> tuple[Singles, Singles]:
    """How freely places (n, 2) in units move, 0 where nothing may, and how far below the lips they are."""
    plane = np.linalg.inv(pose.axes[:2, :2] / pose.scale)
    upright = (flat @ plane.T.astype(np.float32)).astype(np.float32)
    x, y = upright[:, 0], upright[:, 1]
    window = (
        ease((_REACH_X - np.abs(x)) / 0.35) * ease((y + _REACH_UP) / 0.2) * ease((_REACH_DOWN - y) / 0.35)
    )
    line = (controls[list(rig.UPPER_LINE)] + controls[list(rig.LOWER_LINE)]) / 2 @ plane.T
    height = np.interp(x, line[:, 0], line[:, 1]).astype(np.float32)
    middle, half = float(line[:, 0].mean()), float(line[-1, 0] - line[0, 0]) / 2
    softness = BAND / 2 + 0.6 * (np.abs(x - middle) - half).clip(0.0, 0.25)
    below = ease((y - height) / (2.0 * softness) + 0.5)
    return np.asarray(window, np.float32), np.asarray(below, np.float32)
