"""The person's own teeth, where a smile shows them: nothing drawn looks as much like them.

The upper teeth are fixed to the skull, so a picture of them stays where it is while lips and jaw move. They
end in the darkest line across the opening: the gap to the lower teeth, or the shadow on the lower lip.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from services.lipsync.engines.viseme.arrays import Bytes, Floats, Singles, ease
from services.lipsync.engines.viseme.face import LOWER_INNER, UPPER_INNER, HeadPose
from services.lipsync.engines.viseme.lipline import cheapest_path
from services.lipsync.engines.viseme.mouth import DEPTH, OFFSET, Texture

SMILE = 0.07
"""Units of gap between the lips from which on teeth are looked for."""

_HALF_WIDTH, _ABOVE, _BELOW = 0.50, 0.25, 0.25
"""Units around the middle of the closed lips that are looked at."""

_INSET = 0.012
"""Units that a picture of teeth keeps away from the lips."""

_LEAST = 0.30
"""Share of the opening above its darkest line that must be bright for these to be teeth."""


_UNEVEN = 0.012
"""Units that a tooth may be longer than its row."""

_LOOK_ABOVE = 0.035
"""Units above the edge of the teeth where they are bright."""

Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Teeth:
    """Upper teeth as seen: a texture, its rows relative to the teeth's ``edge``, and their colour.

    ``edge`` is in units below the middle of the closed lips, ``colour`` (3,) in Y'CbCr relative to black.
    """

    texture: Texture
    edge: float
    colour: Floats
    amount: float
    """Square units of teeth in sight."""


def find_teeth(yuv: Bytes, pose: HeadPose, face: Floats, anchor: Floats, per_unit: float) -> Teeth | None:
    """Teeth between the open lips of a face (468, 3) in head coordinates, in a picture (h, w, 4).

    ``anchor`` (3,) is the middle of the closed lips of the same head.
    """
    behind = anchor + np.array((0.0, 0.0, DEPTH))
    pixels = _unfolded(yuv, pose, behind, per_unit)
    mask = _opening(pose, face, behind, per_unit)
    columns = np.flatnonzero(mask.any(axis=0))
    if len(columns) < 8 or mask.sum() < 60:
        return None
    bottom = _edge_of_teeth(pixels[..., 0], mask, columns, per_unit)
    rows = np.arange(len(mask))[:, None]
    soft = max(0.008 * per_unit, 0.7)
    above = mask * ease((bottom - rows) / soft + 0.5)
    bright, colour = _bright(pixels, above)
    if bright < _LEAST:
        return None
    alpha = np.asarray(cv2.GaussianBlur(above.astype(np.float32), (0, 0), soft), np.float32) * (above > 0)
    middle = columns[len(columns) * 2 // 5 : len(columns) * 3 // 5 + 1]
    edge = float(np.median(bottom[middle])) / per_unit - _ABOVE
    texture = np.dstack((pixels * alpha[..., None], alpha)).astype(np.float32)
    made = Texture(texture, -_HALF_WIDTH, -_ABOVE - edge, per_unit)
    return Teeth(made, edge, colour, bright * float(above.sum()) / per_unit**2)


def _unfolded(yuv: Bytes, pose: HeadPose, behind: Floats, per_unit: float) -> Singles:
    """The picture in the plane of the teeth, relative to black, float32 (rows, columns, 3)."""
    size = (round(2 * _HALF_WIDTH * per_unit), round((_ABOVE + _BELOW) * per_unit))
    plane = pose.axes[:2, :2]
    start = pose.project(behind) + plane @ (-_HALF_WIDTH, -_ABOVE)
    matrix = np.column_stack((plane / per_unit, start))
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    seen = cv2.warpAffine(yuv[..., :3].copy(), matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen.astype(np.float32) - OFFSET[:3], np.float32)


def _opening(pose: HeadPose, face: Floats, behind: Floats, per_unit: float) -> Floats:
    """1 between the inner edges of the lips and 0 elsewhere, in the plane of the teeth."""
    ring = face[[*UPPER_INNER, *LOWER_INNER[-2:0:-1]]].copy()
    upper = len(UPPER_INNER)
    ring[1 : upper - 1, 1] += _INSET
    ring[upper:, 1] -= _INSET
    plane = np.linalg.inv(pose.axes[:2, :2])
    place = (pose.project(ring) - pose.project(behind)) @ plane.T + (_HALF_WIDTH, _ABOVE)
    size = (round((_ABOVE + _BELOW) * per_unit), round(2 * _HALF_WIDTH * per_unit))
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, [(place * per_unit * 16).round().astype(np.int32)], 1, cv2.LINE_8, 4)
    return mask.astype(np.float64)


def _edge_of_teeth(luma: Singles, mask: Floats, columns: Places, per_unit: float) -> Floats:
    """Row in which the teeth end, for each column: the line where bright turns to dark going down."""
    rows = np.arange(len(mask))
    first = mask[:, columns].argmax(axis=0)
    last = len(mask) - 1 - mask[::-1, columns].argmax(axis=0)
    height = np.maximum(last - first, 1)
    part = (rows[:, None] - first) / height
    level = luma.astype(np.float64) / max(float(np.percentile(luma[mask > 0], 90)), 1.0)
    above = np.roll(level, max(1, round(_LOOK_ABOVE * per_unit)), axis=0)
    cost = (level - 0.8 * above)[:, columns] + 0.6 * (part - 0.7) ** 2
    cost += np.where(part < 0.35, 2.0, 0.0) + np.where(part > 1.05, 2.0, 0.0)
    path = np.array(cheapest_path(cost.T), np.float64)
    path = np.minimum(path, _arc(columns, path, _UNEVEN * per_unit) + _UNEVEN * per_unit)
    path = np.convolve(np.pad(path, 2, "edge"), (0.1, 0.2, 0.4, 0.2, 0.1), "valid")
    return np.asarray(np.interp(np.arange(mask.shape[1]), columns, path))


def _arc(columns: Places, path: Floats, uneven: float) -> Floats:
    """The parabola that most of a path lies on: where it strays down, it has taken lower teeth for upper."""
    weight = np.ones(len(path))
    fit = path
    for _ in range(6):
        fit = np.asarray(np.polyval(np.polyfit(columns, path, 2, w=weight), columns), np.float64)
        weight = 1.0 / (1.0 + (np.maximum(path - fit, 0.0) / uneven) ** 2)
    return fit


def _bright(pixels: Singles, above: Floats) -> tuple[float, Floats]:
    """Share of the part that is bright, weighted by ``above``, and the mean colour of that."""
    luma = pixels[..., 0]
    inside = above > 0.5
    if not inside.any():
        return 0.0, np.zeros(3)
    high = float(np.percentile(luma[inside], 92))
    teeth = inside & (luma > 0.62 * high) & (np.abs(pixels[..., 2]) < 0.25 * np.maximum(luma, 1.0))
    if high < 60 or not teeth.any():
        return 0.0, np.zeros(3)
    return float(teeth.sum() / inside.sum()), pixels[teeth].mean(axis=0).astype(np.float64)
