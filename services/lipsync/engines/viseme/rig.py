"""The rig: how each channel of articulation moves the lips, the chin and the skin around them.

A face's rig is a set of shapes in head coordinates (displacements of control points); a frame's pose is their
sum, weighted by a few products of its channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from services.lipsync.engines.viseme.arrays import Floats, ease
from services.lipsync.engines.viseme.face import CHIN, LOWER_INNER, LOWER_OUTER, UPPER_INNER, UPPER_OUTER

_JAW_SWING = 0.175
"""Radians that the jaw turns about its joint for an "ah"."""


def _mirrored(pairs: dict[tuple[int, int], float]) -> dict[int, float]:
    return {landmark: weight for pair, weight in pairs.items() for landmark in pair}


_ON_JAW = {152: 1.0, 18: 1.0, 199: 1.0, 200: 1.0} | _mirrored(
    {
        (176, 400): 0.93,
        (150, 379): 0.68,
        (136, 365): 0.48,
        (172, 397): 0.26,
        (58, 288): 0.10,
        (32, 262): 0.92,
        (210, 430): 0.58,
        (214, 434): 0.30,
        (212, 432): 0.38,
        (57, 287): 0.22,
        (202, 422): 0.62,
    }
)
"""Skin that follows the jaw, by how much of its turn: chin, jaw line, below the corners of the mouth."""

_ON_CORNER = _mirrored(
    {
        (57, 287): 0.70,
        (212, 432): 0.42,
        (216, 436): 0.42,
        (186, 410): 0.72,
        (206, 426): 0.20,
        (207, 427): 0.20,
        (214, 434): 0.16,
        (202, 422): 0.50,
        (210, 430): 0.22,
        (92, 322): 0.35,
    }
)
"""Skin that follows the corner of the mouth on its side."""

_ON_UPPER_LIP = {164: 0.45} | _mirrored({(165, 391): 0.24, (92, 322): 0.22, (186, 410): 0.10})
"""Skin that follows the middle of the upper lip."""

_FIXED = (2, 98, 327, 129, 358, 50, 280, 205, 425, 147, 376, 132, 361, 192, 416)
"""Skin that stays."""

_BELOW_CHIN = ((152, 0.34), (152, 0.62), (176, 0.36), (400, 0.36), (136, 0.42), (365, 0.42))
"""Points of the neck: so many units below a landmark of the chin, which stay."""

_MOVING = {*_ON_JAW, *_ON_CORNER, *_ON_UPPER_LIP}

LIPS = (*UPPER_OUTER, *LOWER_OUTER[1:-1], *UPPER_INNER, *LOWER_INNER[1:-1])
SKIN = tuple(sorted({*_ON_JAW, *_ON_CORNER, *_ON_UPPER_LIP, *_FIXED}))
LANDMARKS = (*LIPS, *SKIN)
"""Landmarks under the control points, in their order; the points of the neck come after them."""

_OUTER_UPPER = slice(0, 11)
_OUTER_LOWER = slice(11, 20)
INNER_UPPER = slice(20, 31)
_INNER_LOWER = slice(31, 40)
CORNERS = (0, 10)
INNER_CORNERS = (20, 30)


def _sides() -> tuple[list[int], list[int]]:
    """Control points of the spline above the lip line and of the one below it.

    Each has, of the other lip, only the points by the corners: there both sides must move as one.
    """
    everywhere = [*range(40, len(LANDMARKS) + len(_BELOW_CHIN))]
    upper = [*range(11), 11, 19, *range(20, 31), *everywhere]
    lower = [0, 1, 9, 10, *range(11, 20), 20, 30, *range(31, 40), *everywhere]
    return upper, lower


UPPER_SIDE, LOWER_SIDE = _sides()
LOWER_LINE = (20, *range(31, 40), 30)
"""Control points of the lower lip's inner edge from corner to corner."""
UPPER_LINE = tuple(range(20, 31))
"""Control points of the upper lip's inner edge from corner to corner."""


FIXED_CONTROLS = tuple(
    len(LIPS) + index for index, landmark in enumerate((*SKIN, *_BELOW_CHIN)) if landmark not in _MOVING
)
"""Control points that no articulation moves."""


class Shape(IntEnum):
    """Rows of a rig: displacements for a weight of one."""

    JAW = 0
    DROP_WIDE = 1
    DROP_ROUND = 2
    LIFT_WIDE = 3
    LIFT_ROUND = 4
    SPREAD = 5
    PURSE = 6
    PRESS = 7
    TUCK = 8
    SINK = 9
    SMOOTH = 10


@dataclass(frozen=True, slots=True)
class Rig:
    """Control points of a face at rest, (n, 3), and its shapes, (11, n, 3), in head coordinates."""

    rest: Floats
    shapes: Floats
    jaw_drop: float
    """Units that the front of the jaw sinks at full swing."""

    def weights(self, pose: Floats) -> Floats:
        """Weights of the shapes for one row of an articulation track."""
        jaw, width, round_, raise_, press, tuck, _, teeth = (float(value) for value in pose)
        open_, off_teeth = 1.0 - press * press, 1.0 - tuck * tuck
        drop = (
            open_
            * off_teeth
            * (jaw * self.jaw_drop * (0.96 - 0.12 * round_) + 0.034 * teeth + 0.012 * raise_)
        )
        lift = open_ * (0.035 * jaw + 0.055 * raise_ * (1 - 0.5 * round_) + 0.016 * teeth + 0.014 * tuck)
        drop += open_ * 0.024 * round_ * off_teeth * (1.0 - 0.7 * teeth)
        lift += open_ * 0.012 * round_
        made = np.zeros(len(Shape))
        made[Shape.JAW] = jaw * (1.0 - 0.25 * tuck) * _JAW_SWING
        made[Shape.DROP_WIDE], made[Shape.DROP_ROUND] = drop * (1.0 - round_), drop * round_
        made[Shape.LIFT_WIDE], made[Shape.LIFT_ROUND] = lift * (1.0 - round_), lift * round_
        made[Shape.SPREAD] = width * (1.0 - 0.5 * round_) - 0.25 * jaw * open_
        made[Shape.PURSE] = round_
        made[Shape.PRESS] = press * press
        made[Shape.TUCK] = tuck * tuck * open_
        made[Shape.SMOOTH] = min(drop / 0.08, 1.0)
        made[Shape.SINK] = press * press * jaw * self.jaw_drop * 0.4
        return made

    def controls(self, pose: Floats) -> Floats:
        """Control points (n, 3) in head coordinates for one row of an articulation track."""
        return self.rest + np.tensordot(self.weights(pose), self.shapes, axes=1)


def control_points(local: Floats) -> Floats:
    """Control points (n, 3) of a face (468, 3), both in the same coordinates with y down."""
    neck = [local[index] + (0.0, below, 0.0) for index, below in _BELOW_CHIN]
    return np.concatenate((local[list(LANDMARKS)], neck))


def build_rig(rest_face: Floats, turn: float) -> Rig:
    """The rig of a face (468, 3) at rest, in head coordinates.

    ``turn`` is the sine of the angle by which the right of the face is turned away from the viewer. On the
    far side, skin by the mouth is seen as the outline of the face, which must not dent.
    """
    rest = control_points(rest_face)
    joint = (rest_face[[127, 356, 234, 454]].mean(axis=0))[1:]
    turned = np.zeros_like(rest)
    turned[:, 1] = -(rest[:, 2] - joint[1])
    # A jaw that swings back as far as it should would pull the far cheek along and dent its outline.
    turned[:, 2] = (rest[:, 1] - joint[0]) * (1.0 - 0.85 * min(abs(turn) / 0.5, 1.0))
    chin = LANDMARKS.index(CHIN)
    jaw_drop = float(turned[chin, 1]) * _JAW_SWING
    shapes = np.zeros((len(Shape), *rest.shape))
    middle = rest[list(CORNERS)].mean(axis=0)
    far = np.clip((rest[:, 0] - middle[0]) * np.sign(turn) / 0.3, 0.0, 1.0) * min(abs(turn) / 0.5, 1.0)
    far[: len(LIPS)] = 0.0
    on_jaw = _follow(_ON_JAW)
    outline = ease((rest[:, 1] - middle[1] + 0.35) / (rest[chin, 1] - middle[1] + 0.35))
    on_jaw += far * (on_jaw > 0) * (outline - on_jaw)
    shapes[Shape.JAW] = turned * on_jaw[:, None]
    _mouth_shapes(shapes, rest, 0.66 + 0.6 * min(abs(turn), 0.6))
    for shape in (Shape.SPREAD, Shape.PURSE):
        shapes[shape] *= 1.0 - 0.9 * far[:, None]
    return Rig(rest, shapes, jaw_drop)


def _follow(weights: dict[int, float]) -> Floats:
    made = np.zeros(len(LANDMARKS) + len(_BELOW_CHIN))
    for landmark, weight in weights.items():
        made[len(LIPS) + SKIN.index(landmark)] = weight
    return made


def _mouth_shapes(shapes: Floats, rest: Floats, taper: float) -> None:
    middle = (rest[CORNERS[0]] + rest[CORNERS[1]]) / 2
    half = float(rest[CORNERS[1], 0] - rest[CORNERS[0], 0]) / 2
    across = np.clip((rest[:, 0] - middle[0]) / half, -1.0, 1.0)
    inner_half = float(rest[INNER_CORNERS[1], 0] - rest[INNER_CORNERS[0], 0]) / 2
    across_inner = np.clip((rest[:, 0] - middle[0]) / inner_half, -1.0, 1.0)
    wide, round_ = (1.0 - across_inner**2) ** taper, np.maximum(1.0 - (across_inner / 0.74) ** 2, 0.0) ** 0.5
    wide_outer, round_outer = (1.0 - across**2) ** 0.6, (1.0 - across**2) ** 0.6
    lips = np.arange(len(LIPS))
    upper_outer, lower_outer = lips[_OUTER_UPPER], lips[_OUTER_LOWER]
    upper_inner, lower_inner = lips[INNER_UPPER], lips[_INNER_LOWER]
    on_lip = _follow(_ON_UPPER_LIP)
    on_corner = _follow(_ON_CORNER)

    corner = 0.16
    for shape, inner, outer in ((Shape.DROP_WIDE, wide, wide_outer), (Shape.DROP_ROUND, round_, round_outer)):
        drop = shapes[shape, :, 1]
        drop[lips] = corner
        drop[upper_inner] = corner * (1.0 - inner[upper_inner])
        drop[upper_outer] = corner * (1.0 - outer[upper_outer])
        drop[lower_inner] = corner + (1.0 - corner) * inner[lower_inner]
        drop[lower_outer] = corner + (0.95 - corner) * outer[lower_outer]
        drop += corner * on_corner
        shapes[shape, lips, 2] = 0.5 * drop[lips]
    for shape, inner, outer in ((Shape.LIFT_WIDE, wide, wide_outer), (Shape.LIFT_ROUND, round_, round_outer)):
        lift = shapes[shape, :, 1]
        lift[upper_inner] = -inner[upper_inner]
        lift[upper_outer] = -0.78 * outer[upper_outer]
        lift -= on_lip
    outward = np.sign(across) * on_corner
    spread = shapes[Shape.SPREAD]
    spread[lips, 0] = 0.055 * across[lips]
    spread[lips, 1] = -0.018 * across[lips] ** 2
    spread[lips, 2] = 0.03 * across[lips] ** 2
    spread[:, 0] += 0.055 * outward
    spread[:, 1] -= 0.018 * on_corner
    purse = shapes[Shape.PURSE]
    purse[lips, 0] = -0.085 * across[lips]
    purse[:, 0] -= 0.085 * outward
    purse[upper_outer, 1] = -0.022 * wide_outer[upper_outer]
    purse[lower_outer, 1] = 0.026 * wide_outer[lower_outer]
    purse[lips, 2] = -0.07 * wide_outer[lips]
    press = shapes[Shape.PRESS]
    press[upper_outer, 1] = 0.012 * wide_outer[upper_outer]
    press[lower_outer, 1] = -0.012 * wide_outer[lower_outer]
    tuck = shapes[Shape.TUCK]
    tuck[lower_inner, 1] = 0.004
    tuck[lower_outer, 1] = -0.030 * wide_outer[lower_outer]
    tuck[lower_outer, 2] = tuck[lower_inner, 2] = 0.03
    # Lips that meet in a line with a dip do not keep it when they part.
    line, at = rest[lower_inner, 1], across_inner[lower_inner]
    shapes[Shape.SMOOTH, lower_inner, 1] = (np.polyval(np.polyfit(at, line, 2), at) - line) * (1.0 - at**8)
    sink = shapes[Shape.SINK]
    sink[lips, 1] = wide_outer[lips]
