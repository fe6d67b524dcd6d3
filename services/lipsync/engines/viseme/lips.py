"""The lips of a frame and what is between them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from services.lipsync.engines.viseme import rig
from services.lipsync.engines.viseme.arrays import Bytes, Floats, Singles, ease
from services.lipsync.engines.viseme.face import HeadPose
from services.lipsync.engines.viseme.grid import Nodes, make_nodes
from services.lipsync.engines.viseme.motion import LIP_CELLS, Motion
from services.lipsync.engines.viseme.mouth import Interior, Jaw
from services.lipsync.engines.viseme.source import Lips, Source
from services.lipsync.engines.viseme.surface import Box, even_box, sample

_TABLE = 128
"""Entries of a table along the lips."""

_NEAR, _AROUND = (0.12, 0.10), (0.40, 0.30)
"""Units, across and down, around the lips of a frame that are drawn with them: its own, and borrowed ones."""

_COVER = 0.42
"""How much farther than the lips the skin reaches that is borrowed with them, as a share of their size."""


@dataclass(frozen=True, slots=True)
class Held:
    """How a mouth is held in a frame: pose of the head, control points (n, 2) in pixels, lower jaw."""

    pose: HeadPose
    target: Floats
    jaw: Jaw


def lip_nodes(held: Held, within: Box, *, borrowed: bool) -> Nodes:
    """The grid around the lips, inside the box of what may change."""
    lips = held.target[: len(rig.LIPS)]
    margin = np.array(_AROUND if borrowed else _NEAR) * held.pose.scale
    (left, top), (right, bottom) = lips.min(axis=0) - margin, lips.max(axis=0) + margin
    box = even_box(
        left - within.x0, top - within.y0, right - within.x0, bottom - within.y0, within.width, within.height
    ).shifted(within.x0, within.y0)
    return make_nodes(box, max(1, round(held.pose.scale / LIP_CELLS)))


def draw_lips(
    skin: Singles, nodes: Nodes, lips: Lips, motion: Motion, held: Held, interior: Interior
) -> Singles:
    """Lips of a source and what is between them, over ``skin`` (h, w, 3), the picture under ``nodes``."""
    upper = sample(lips.upper, nodes.origins(motion.upper, lips.box)).astype(np.float32)
    lower = sample(lips.lower, nodes.origins(motion.lower, lips.box)).astype(np.float32)
    over, under = upper[..., 3:] * np.float32(1 / 255), lower[..., 3:] * np.float32(1 / 255)
    total = over + under
    between, ajar, light = _along_lips(held, nodes.box)
    missing = np.maximum(1.0 - total, 0.0)
    inside = missing * ajar
    picture = (upper[..., :3] * over + lower[..., :3] * under) / np.maximum(total, 1.0)
    picture += skin * (missing - inside)
    if inside.max() > 0.02:
        picture += interior.paint(held.pose, (nodes.box.x0, nodes.box.y0), inside, light, held.jaw)
    return np.asarray(skin + (picture - skin) * between, np.float32)


def _along_lips(held: Held, box: Box) -> tuple[Singles, Singles, Singles]:
    """Three weights (h, w, 1) by how far along the lips a pixel lies.

    1 between the corners of the mouth, 0 a little beyond: there the lips end, and what their two sides differ
    by must not open a gap. 1 where the lips are apart. How much light comes in, less by the corners.
    """
    left, right = held.target[list(rig.CORNERS)]
    length, unit = float(np.hypot(*(right - left))), held.pose.scale
    along = (right - left) / length
    steps = np.arange(-_TABLE // 4, _TABLE + _TABLE // 4 + 1) / _TABLE * length
    inner = (held.target[list(rig.UPPER_LINE)] - left) @ along
    apart = np.hypot(*(held.target[list(rig.LOWER_LINE)] - held.target[list(rig.UPPER_LINE)]).T)
    corner = np.minimum(steps, length - steps) / unit
    tables = np.stack(
        (
            ease((corner + 0.05) / 0.10),
            ease(np.interp(steps, inner, apart) / (0.016 * unit) - 0.1),
            0.25 + 0.75 * ease((corner - 0.02) / 0.16),
        ),
    ).astype(np.float32)
    x = (np.arange(box.x0, box.x1) - left[0]) * along[0] * (_TABLE / length)
    y = (np.arange(box.y0, box.y1) - left[1]) * along[1] * (_TABLE / length)
    at = np.clip(x + y[:, None] + (_TABLE // 4 + 0.5), 0, len(steps) - 1).astype(np.int32)
    between, ajar, light = (table[at][..., None] for table in tables)
    return between, ajar, light


def borrowed_lips(
    skin: Singles, nodes: Nodes, lender: Source, motion: Motion, held: Held, interior: Interior
) -> Singles:
    """Lips from another frame, in the light of this one, over ``skin`` (h, w, 3)."""
    around = sample(lender.skin, nodes.origins(motion.both, lender.box))[..., :3].astype(np.float32)
    cover = _near_lips(held, nodes.box)
    light = _difference(skin - around, 1.0 - cover, 0.16 * held.pose.scale)
    if lender.lips:
        around = draw_lips(around, nodes, lender.lips, motion, held, interior)
    return np.asarray(skin + (around + light - skin) * cover[..., None], np.float32)


def _difference(change: Singles, weight: Singles, sigma: float) -> Singles:
    """``change`` (h, w, 3) where ``weight`` (h, w) is high, spread smoothly over where it is not."""
    height, width = weight.shape
    less = max(1, int(sigma / 3))
    size = (max(1, width // less), max(1, height // less))
    packed = np.dstack((change * weight[..., None], weight))
    small = cv2.resize(packed, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / less)
    spread = np.asarray(small[..., :3] / (small[..., 3:] + np.float32(1e-3)), np.float32)
    return np.asarray(cv2.resize(spread, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _near_lips(held: Held, box: Box) -> Singles:
    """Weights (h, w): 1 on the lips and by them, 0 a little farther away."""
    lips = held.target[: len(rig.LIPS)]
    middle = lips.mean(axis=0)
    hull = cv2.convexHull((lips + (lips - middle) * _COVER).astype(np.float32))[:, 0]
    mask = np.zeros((box.height, box.width), np.uint8)
    at = ((hull - (box.x0, box.y0)) * 16).round().astype(np.int32)
    cv2.fillConvexPoly(mask, at, 255, cv2.LINE_8, 4)
    soft = np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.055 * held.pose.scale), np.float32)
    return ease((soft - 15.0) / 153.0)


def put(canvas: Bytes, picture: Singles) -> None:
    """Round a picture (h, w, 3) into a part of a canvas (h, w, 4)."""
    canvas[..., :3] = np.clip(picture + 0.5, 0, 255).astype(np.uint8)
