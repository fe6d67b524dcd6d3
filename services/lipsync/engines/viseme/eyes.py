"""Eyelids of a still portrait: the lash line comes down as it is, the skin above it stretches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.lipsync.engines.viseme.arrays import Bytes, Floats, ease
from services.lipsync.engines.viseme.lipline import dark_line
from services.lipsync.engines.viseme.source import Source
from services.lipsync.engines.viseme.surface import Box, Origins, even_box_within, sample

_LEFT = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133),
    (33, 7, 163, 144, 145, 153, 154, 155, 133),
    (46, 53, 52, 65, 55),
)
_RIGHT = (
    (362, 398, 384, 385, 386, 387, 388, 466, 263),
    (362, 382, 381, 380, 374, 373, 390, 249, 263),
    (285, 295, 282, 283, 276),
)
"""Landmarks of the upper lid, the lower lid and the brow's lower edge, from the left of the picture."""

_LASHES = 0.035
"""Units above the edge of the lid that move without being stretched."""

_EDGE = 0.014
"""Units by which the lid reaches below the middle of its lash line."""

_OVERLAP = 0.045
"""Units below the landmarks of the lower lid, which see too little of an eye, that the upper lid falls."""

_HIGHEST, _LOWEST, _LIKELY = -0.10, 0.03, -0.025
"""Units below the landmarks of the upper lid where its lashes may be, and where they mostly are."""

_MARGIN = 0.14
"""Units around an eye within which it is to be found wherever the head sways."""

_OUTSIDE = 0.18
"""How far beyond its corners, in lengths of the eye, an eye that landmarks see too small may reach."""


@dataclass(frozen=True, slots=True)
class Eye:
    """One eye of a face at rest: ``box`` around it, and curves over the line between its corners.

    ``start`` is the left corner in pixels, ``axes`` (2, 2) has the unit vectors along and down as columns.
    Over ``at`` pixels along lie the upper lid, the lower lid and the fold above which nothing moves, all
    (columns,) in pixels down.
    """

    box: Box
    start: Floats
    axes: Floats
    at: Floats
    lid: Floats
    floor: Floats
    fold: Floats
    unit: float


def eyes_of(luma: Bytes, points: Floats, unit: float, within: Box) -> tuple[Eye, Eye]:
    """Both eyes of a picture with landmarks (468, 2), their boxes inside the box of what is drawn."""
    left, right = (_eye(luma, points, rings, unit, within) for rings in (_LEFT, _RIGHT))
    return left, right


def _eye(luma: Bytes, points: Floats, rings: tuple[tuple[int, ...], ...], unit: float, within: Box) -> Eye:
    start, end = points[rings[0][0]], points[rings[0][-1]]
    length = max(float(np.hypot(*(end - start))), 1e-6)
    along = (end - start) / length
    axes = np.column_stack((along, (-along[1], along[0])))
    at = np.linspace(-_OUTSIDE * length, (1 + _OUTSIDE) * length, 49)
    lid, floor, brow = (_over(points, ring, start, axes, at) for ring in rings)
    outside = np.maximum(np.abs(at - length / 2) - length / 2, 0.0) / (_OUTSIDE * length)
    lashes = lid + _lash_line(luma, start + np.outer(at, axes[:, 0]), lid, axes[:, 1], unit)
    lid = np.where(outside > 0, np.maximum(lashes, floor - 0.12 * unit), lashes) + _EDGE * unit
    floor = np.maximum(floor + _OVERLAP * unit * (1 - outside), lid)
    floor = lid + (floor - lid) * ease(1.0 - outside)
    fold = np.minimum(lid - 2.5 * _LASHES * unit, lid + 0.75 * (brow - lid))
    around = points[[index for ring in rings for index in ring]]
    low, high = around.min(axis=0) - _MARGIN * unit, around.max(axis=0) + _MARGIN * unit
    return Eye(even_box_within(low, high, within), start, axes, at, lid, floor, fold, unit)


def _lash_line(luma: Bytes, base: Floats, lid: Floats, down: Floats, unit: float) -> Floats:
    """How far below the landmarks the dark line of the lashes runs, in pixels, for each place along."""
    offsets = np.linspace(_HIGHEST, _LOWEST, 40) * unit
    places = base[:, None, :] + (lid[:, None] + offsets)[..., None] * down
    stray = 6.0 * (offsets / unit - _LIKELY) ** 2 / (_HIGHEST - _LIKELY) ** 2 * 0.05
    return dark_line(luma, places, offsets, stray, unit)


def _over(points: Floats, ring: tuple[int, ...], start: Floats, axes: Floats, at: Floats) -> Floats:
    place = (points[list(ring)] - start) @ axes
    order = np.argsort(place[:, 0])
    return np.asarray(np.interp(at, place[order, 0], place[order, 1]))


def close_lid(canvas: Bytes, source: Source, origins: Origins, eye: Eye, shut: float) -> None:
    """Draw the upper lid, ``shut`` 0..1, into ``canvas`` (h, w, 4), the picture around the eye.

    ``origins`` tell where its pixels come from in the skin of ``source``.
    """
    fine, whole = source.fine, source.box
    x = origins.x.astype(np.float64) / fine + (whole.x0 - eye.start[0])
    y = origins.y.astype(np.float64) / fine + (whole.y0 - eye.start[1])
    along, height = x * eye.axes[0, 0] + y * eye.axes[1, 0], x * eye.axes[0, 1] + y * eye.axes[1, 1]
    lid, floor, fold = (np.interp(along, eye.at, curve) for curve in (eye.lid, eye.floor, eye.fold))
    lashes = _LASHES * eye.unit
    fall = (floor - lid) * shut
    edge = lid + fall
    stretch = (lid - lashes - fold) / (edge - lashes - fold)
    back = np.where(height > edge - lashes, -fall, (height - fold) * (stretch - 1.0))
    back = np.where(height < fold, 0.0, back) * fine
    from_x, from_y = (
        (plane + back * part).astype(np.float32)
        for plane, part in zip((origins.x, origins.y), eye.axes[:, 1], strict=True)
    )
    skin = sample(source.skin, Origins(from_x, from_y))
    soft = max(0.012 * eye.unit, 1.0)
    cover = (np.clip((edge + soft - height) / soft, 0.0, 1.0) * np.clip(fall, 0.0, 1.0))[..., None]
    blended = canvas[..., :3] + (skin[..., :3].astype(np.float32) - canvas[..., :3]) * cover
    canvas[..., :3] = (blended + 0.5).astype(np.uint8)
