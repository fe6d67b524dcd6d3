"""The face as geometry: which landmarks matter, the head's own axes, the neutral closed mouth.

Head coordinates have their origin between the eyes, x to the right of the picture, y down the face and z
away from the viewer; the unit is the distance between the pupils. Landmark numbers are those of the
468-point face mesh.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.lipsync.engines.viseme.arrays import Floats

UPPER_OUTER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LOWER_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
UPPER_INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)

EYE_CORNERS = ((33, 133), (362, 263))
"""Outer and inner, then inner and outer corner of the eyes, from the left of the picture."""

SYMMETRIC = ((33, 263), (133, 362), (127, 356), (234, 454), (172, 397), (50, 280), (98, 327), (54, 284))
BROW_MIDDLE, NOSE_BASE, CHIN = 9, 2, 152

STABLE = (
    *(10, 151, 9, 8, 168, 6, 197, 195, 5, 33, 133, 362, 263, 127, 356, 234, 454, 54, 284, 67, 297),
    *(109, 338, 21, 251, 103, 332, 162, 389, 193, 417, 122, 351, 98, 327, 2),
)
"""Landmarks that neither speech nor a smile moves much."""

PUPILS_PER_OUTER_CORNERS = 0.70


@dataclass(frozen=True, slots=True)
class HeadPose:
    """Where the head is in a picture: ``point = origin + axes @ local``, all in pixels.

    ``origin`` is (3,), ``axes`` (3, 3) is a rotation times ``scale``, the pixels per unit.
    """

    origin: Floats
    axes: Floats
    scale: float

    def shifted(self, by: Floats) -> HeadPose:
        """This pose, moved in the picture ``by`` (2,) pixels."""
        return HeadPose(
            np.array((self.origin[0] + by[0], self.origin[1] + by[1], self.origin[2])), self.axes, self.scale
        )

    def project(self, local: Floats) -> Floats:
        """Head coordinates (..., 3) → pixels (..., 2)."""
        return self.origin[:2] + local @ self.axes[:2].T

    def locate(self, points: Floats) -> Floats:
        """Points in pixels with depth (..., 3) → head coordinates (..., 3)."""
        return (points - self.origin) @ np.linalg.inv(self.axes).T


def head_pose(points: Floats) -> HeadPose:
    """The pose that the landmarks (468, 3) of one face show by their symmetry."""
    across = np.mean([points[right] - points[left] for left, right in SYMMETRIC], axis=0)
    x = across / np.linalg.norm(across)
    down = points[CHIN] * 0.5 + points[NOSE_BASE] * 0.5 - points[BROW_MIDDLE]
    down = down - (down @ x) * x
    y = down / np.linalg.norm(down)
    scale = PUPILS_PER_OUTER_CORNERS * float(np.linalg.norm(points[263] - points[33]))
    origin = np.mean([points[index] for pair in EYE_CORNERS for index in pair], axis=0)
    return HeadPose(origin, np.column_stack((x, y, np.cross(x, y))) * scale, scale)


def follow(reference: Floats, points: Floats) -> HeadPose:
    """The pose that carries ``reference`` (468, 3, head coordinates) to ``points`` (468, 3, pixels).

    Least squares over `STABLE` (Umeyama, "Least-squares estimation of transformation parameters between two
    point patterns", 1991).
    """
    stable = list(STABLE)
    source, target = reference[stable], points[stable]
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    source, target = source - source_mean, target - target_mean
    u, spread, vt = np.linalg.svd(target.T @ source)
    turn = np.ones(3)
    turn[2] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    scale = float((spread * turn).sum() / (source**2).sum())
    axes = (u * turn) @ vt * scale
    return HeadPose(target_mean - axes @ source_mean, axes, scale)


def gap(local: Floats) -> float:
    """How far the lips of a face in head coordinates are apart, at the widest of the middle three places."""
    upper, lower = local[list(UPPER_INNER[4:7])], local[list(LOWER_INNER[4:7])]
    return max(0.0, float((lower[:, 1] - upper[:, 1]).max()))


def calmest(faces: Floats) -> int:
    """Index of the face in (n, 468, 3), head coordinates, whose mouth is closed and widened least."""
    width = np.linalg.norm(faces[:, 291] - faces[:, 61], axis=1)
    gaps = np.array([gap(face) for face in faces])
    return int(np.argmin(gaps + 0.4 * width))


def inset_lips(local: Floats) -> Floats:
    """The face (468, 3) with the edges of open lips taken a little inside them.

    What shines through at the border of a lip, teeth or dark, must not come along when the mouth closes.
    """
    upper, lower = list(UPPER_INNER), list(LOWER_INNER)
    opening = np.maximum(local[lower, 1] - local[upper, 1], 0.0)
    inset = np.minimum(0.008 + 0.03 * opening, 0.35 * opening + 0.002)
    inset[[0, -1]] = 0.0
    made = local.copy()
    made[upper, 1] -= inset
    made[lower, 1] += inset
    return made


def neutral(local: Floats) -> Floats:
    """The face (468, 3) in head coordinates with its mouth closed and, if it grinned, relaxed."""
    rest = local.copy()
    upper, lower = list(UPPER_INNER), list(LOWER_INNER)
    opening = np.maximum(local[lower, 1] - local[upper, 1], 0.0)
    opening[[0, -1]] = 0.0
    meeting = (local[upper] + local[lower]) / 2
    meeting[:, 1] = local[upper, 1] + 0.45 * opening
    rest[upper] = rest[lower] = meeting
    rest[list(UPPER_OUTER), 1] += 0.36 * opening
    rest[list(LOWER_OUTER), 1] -= 0.47 * opening
    grin = min(1.0, float(opening.max()) / 0.10)
    return _relaxed(rest, grin)


def _relaxed(local: Floats, grin: float) -> Floats:
    """Corners lowered and drawn in, the middle of the mouth left where it is."""
    lips = sorted({*UPPER_OUTER, *LOWER_OUTER, *UPPER_INNER, *LOWER_INNER})
    middle = (local[61] + local[291]) / 2
    half = float(np.linalg.norm(local[291] - local[61])) / 2
    at = (local[lips, 0] - middle[0]) / half
    lifted = float(local[13, 1] - middle[1])
    local[lips, 1] += grin * np.clip(lifted, 0.0, 0.10) * 0.8 * at**2
    local[lips, 0] -= grin * 0.10 * half * at
    return local
