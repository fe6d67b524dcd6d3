"""The lips of a frame and what is between them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from services.lipsync.engines.viseme import rig
from services.lipsync.engines.viseme.arrays import Bytes, Floats, Singles, ease
from services.lipsync.engines.viseme.face import HeadPose
from services.lipsync.engines.viseme.grid import Nodes, make_nodes
from services.lipsync.engines.viseme.motion import BAND, LIP_CELLS, Motion
from services.lipsync.engines.viseme.mouth import Interior, Jaw
from services.lipsync.engines.viseme.source import Lips, Source
from services.lipsync.engines.viseme.surface import Box, even_box_within, sample

_TABLE = 128
"""Entries of a table along the lips."""

_BEYOND = 0.05
"""Units beyond the corners of the mouth over which its drawing fades out."""

_COVER = 0.42
"""How much farther than the lips the skin reaches that is borrowed with them, as a share of their size."""

_COVER_FADE = 0.055
"""Standard deviation, in units, of the edge of borrowed skin."""


@dataclass(frozen=True, slots=True)
class Held:
    """How a mouth is held in a frame: pose of the head, control points (n, 2) in pixels, lower jaw."""

    pose: HeadPose
    target: Floats
    jaw: Jaw


def lip_nodes(held: Held, within: Box) -> Nodes:
    """The grid over the mouth's opening and the edges of the lips, inside the box of what may change."""
    line = held.target[[*rig.UPPER_LINE, *rig.LOWER_LINE, *rig.CORNERS]]
    margin = np.array((_BEYOND, BAND)) * held.pose.scale + 2
    box = even_box_within(line.min(axis=0) - margin, line.max(axis=0) + margin, within)
    return make_nodes(box, max(1, round(held.pose.scale / LIP_CELLS)))


def draw_lips(
    under: Bytes,
    nodes: Nodes,
    lips: Lips,
    motion: Motion,
    held: Held,
    interior: Interior,
    light: Singles | None = None,
) -> Bytes:
    """The mouth over ``under`` (h, w, 4), the picture under ``nodes``; lips are lit by adding ``light``."""
    upper = sample(lips.upper, nodes.origins(motion.upper, lips.box, lips.fine))
    lower = sample(lips.lower, nodes.origins(motion.lower, lips.box, lips.fine))
    over, below = (cv2.extractChannel(side, 3).astype(np.float32) / 255 for side in (upper, lower))
    between, ajar, bright = _along_lips(held, nodes.box)
    total = over + below
    inside = np.maximum(1.0 - total, 0.0) * ajar * between
    shown = np.minimum(total, 1.0) * between
    mouth = cv2.blendLinear(upper, lower, over, below)
    if light is not None:
        mouth = cv2.add(mouth, light, dtype=cv2.CV_8U)
    if inside.max() > 0.02:
        part = opening(held, nodes.box)
        rows, columns = part.part_of(nodes.box)
        depth, lit = np.ascontiguousarray(inside[rows, columns]), bright[rows, columns]
        inner = interior.paint(held.pose, (part.x0, part.y0), depth, lit, held.jaw)
        mouth[rows, columns] = cv2.blendLinear(
            np.ascontiguousarray(mouth[rows, columns]),
            inner,
            np.ascontiguousarray(shown[rows, columns]),
            depth,
        )
    share = shown + inside
    return np.asarray(cv2.blendLinear(mouth, under, share, 1.0 - share), np.uint8)


def opening(held: Held, within: Box) -> Box:
    """The pixels between the lips' inner edges, inside another box."""
    line = held.target[[*rig.UPPER_LINE, *rig.LOWER_LINE]]
    return even_box_within(line.min(axis=0) - 3, line.max(axis=0) + 3, within)


def _along_lips(held: Held, box: Box) -> tuple[Singles, Singles, Singles]:
    """Three weights (h, w) by how far along the lips a pixel lies.

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
            ease((corner + _BEYOND) / _BEYOND),
            ease(np.interp(steps, inner, apart) / (0.016 * unit) - 0.1),
            0.25 + 0.75 * ease((corner - 0.02) / 0.16),
        ),
    ).astype(np.float32)
    x = (np.arange(box.x0, box.x1) - left[0]) * along[0] * (_TABLE / length) + (_TABLE // 4 + 0.5)
    y = (np.arange(box.y0, box.y1) - left[1]) * along[1] * (_TABLE / length)
    at = np.clip(x + y[:, None], 0, len(steps) - 1).astype(np.intp)
    between, ajar, bright = (table.take(at) for table in tables)
    return between, ajar, bright


@dataclass(frozen=True, slots=True)
class Loan:
    """Lips and the skin by them from another frame, in a part of the picture.

    ``skin`` (h, w, 4) is that of the lender, ``light`` (h, w, 4) what it takes to look like this frame, and
    ``cover`` (h, w) how much of it is used.
    """

    box: Box
    skin: Bytes
    light: Singles
    cover: Singles

    def light_in(self, box: Box) -> Singles:
        """The light in a box that this one contains."""
        return np.ascontiguousarray(self.light[box.part_of(self.box)])

    def lay(self, canvas: Bytes, share: float) -> None:
        """Blend the skin into ``canvas``, the picture of the same box, by ``share`` of its cover."""
        lit = cv2.add(self.skin, self.light, dtype=cv2.CV_8U)
        used = self.cover * np.float32(share)
        canvas[:] = cv2.blendLinear(lit, np.ascontiguousarray(canvas), used, 1.0 - used)


def borrow(canvas: Bytes, nodes: Nodes, field: Singles, lender: Source, held: Held) -> Loan:
    """What ``lender`` has to lend to ``canvas``, the picture of ``nodes``; ``field`` is the way to it."""
    lips = held.target[: len(rig.LIPS)]
    reach = (lips.max(axis=0) - lips.min(axis=0)) * (_COVER / 2) + 3 * _COVER_FADE * held.pose.scale
    (left, top), (right, bottom) = lips.min(axis=0) - reach, lips.max(axis=0) + reach
    part = nodes.part(nodes.cells(left, top, right, bottom))
    cells = nodes.cells(left, top, right, bottom)
    origins = part.origins(field[cells.rows, cells.columns], lender.box, lender.fine)
    skin = sample(lender.skin, origins)
    cover = _near_lips(held, part.box)
    own = canvas[part.box.part_of(nodes.box)].astype(np.float32)
    light = _difference(own - skin, 1.0 - cover, 0.16 * held.pose.scale)
    return Loan(part.box, skin, light, cover)


def _difference(change: Singles, weight: Singles, sigma: float) -> Singles:
    """``change`` (h, w, 4) where ``weight`` (h, w) is high, spread smoothly over where it is not."""
    height, width = weight.shape
    less = max(1, int(sigma / 3))
    size = (max(1, width // less), max(1, height // less))
    change[..., 3] = 1.0
    small = cv2.resize(change * weight[..., None], size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / less)
    spread = np.asarray(small / (small[..., 3:] + np.float32(1e-3)), np.float32)
    return np.asarray(cv2.resize(spread, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _near_lips(held: Held, box: Box) -> Singles:
    """Weights (h, w): 1 on the lips and by them, 0 a little farther away."""
    lips = held.target[: len(rig.LIPS)]
    middle = lips.mean(axis=0)
    hull = cv2.convexHull((lips + (lips - middle) * _COVER).astype(np.float32))[:, 0]
    mask = np.zeros((box.height, box.width), np.uint8)
    at = ((hull - (box.x0, box.y0)) * 16).round().astype(np.int32)
    cv2.fillConvexPoly(mask, at, 255, cv2.LINE_8, 4)
    soft = np.asarray(cv2.GaussianBlur(mask, (0, 0), _COVER_FADE * held.pose.scale), np.float32)
    return ease((soft - 15.0) / 153.0)
