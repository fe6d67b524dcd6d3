"""The mouth of a frame: the warp on both sides of the lips, the inside of the mouth between them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from services.lipsync.engines.viseme import rig
from services.lipsync.engines.viseme.arrays import Bytes, Floats, Singles, ease
from services.lipsync.engines.viseme.face import HeadPose
from services.lipsync.engines.viseme.mouth import Interior, Jaw
from services.lipsync.engines.viseme.source import Source
from services.lipsync.engines.viseme.surface import Box, sample
from services.lipsync.engines.viseme.warp import basis, solve

_CELLS_PER_UNIT = 22
"""Fineness of the grid on which the warp is evaluated; between its nodes it is interpolated."""

_TABLE = 128
"""Entries of a table along the lips."""

_REACH_X, _REACH_UP, _REACH_DOWN = 1.30, 0.72, 1.25
"""Units from the middle of the mouth within which the picture may change."""


@dataclass(frozen=True, slots=True)
class Nodes:
    """A coarse grid over ``box``: cells of ``step`` pixels, ``places`` (rows, columns, 2) in pixels."""

    box: Box
    step: int
    places: Singles

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, columns."""
        return self.places.shape[0], self.places.shape[1]

    def at(self, point: Floats) -> tuple[float, float]:
        """Column and row, not whole, of a point in pixels."""
        x, y = (point - (self.box.x0, self.box.y0) + 0.5) / self.step - 0.5
        return float(x), float(y)

    def origins(self, field: Singles) -> tuple[Singles, Singles]:
        """Where each pixel of the box comes from, x and y, when ``field`` (rows, columns, 2) displaces it."""
        rows, columns = self.shape
        size = (columns * self.step, rows * self.step)
        full = cv2.resize(field, size, interpolation=cv2.INTER_LINEAR)[: self.box.height, : self.box.width]
        x = np.arange(self.box.x0, self.box.x1, dtype=np.float32)
        y = np.arange(self.box.y0, self.box.y1, dtype=np.float32)
        return full[..., 0] + x, full[..., 1] + y[:, None]


def make_nodes(box: Box, unit: float) -> Nodes:
    """The grid over a box for a face of ``unit`` pixels."""
    step = max(1, round(unit / _CELLS_PER_UNIT))
    columns, rows = -(-box.width // step), -(-box.height // step)
    x = box.x0 + (np.arange(columns, dtype=np.float32) + 0.5) * step - 0.5
    y = box.y0 + (np.arange(rows, dtype=np.float32) + 0.5) * step - 0.5
    return Nodes(box, step, np.stack(np.meshgrid(x, y), axis=2).astype(np.float32))


def reach(pose: HeadPose, middle: Floats) -> tuple[float, float, float, float]:
    """Left, top, right, bottom in pixels of what may change around the ``middle`` of the mouth."""
    plane = pose.axes[:2, :2]
    corners = (
        np.array([(x, y) for x in (-_REACH_X, _REACH_X) for y in (-_REACH_UP, _REACH_DOWN)]) @ plane.T
        + middle
    )
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


def mouth_motions(pose: HeadPose, target: Floats, sources: list[Floats], places: Singles) -> list[Motion]:
    """How pixels move when the control points of ``sources`` go to ``target``, each (n, 2) in pixels.

    The first source is the frame itself: towards the edge of what may change, its pixels stay.
    """
    middle, unit = target[list(rig.CORNERS)].mean(axis=0), pose.scale
    controls = (target - middle) / unit
    flat = ((places.reshape(-1, 2) - middle) / unit).astype(np.float32)
    window, below = _zones(pose, controls, flat)
    moves = np.concatenate([(source - target) / unit for source in sources], axis=1)
    weights = np.zeros((2, len(controls) + 3, moves.shape[1]), np.float32)
    for rows, side in zip(weights, (rig.UPPER_SIDE, rig.LOWER_SIDE), strict=True):
        rows[[*side, *range(len(controls), len(controls) + 3)]] = solve(controls[side], moves[side])
    fields = basis(flat, controls) @ weights * np.float32(unit)
    fields[:, :, :2] *= window[:, None]
    both = fields[0] + (fields[1] - fields[0]) * below[:, None]
    return [
        Motion(
            *(np.ascontiguousarray(field[:, at : at + 2]).reshape(places.shape) for field in (*fields, both))
        )
        for at in range(0, moves.shape[1], 2)
    ]


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
    softness = 0.05 + 0.6 * (np.abs(x - middle) - half).clip(0.0, 0.25)
    return np.asarray(window, np.float32), np.asarray(ease((y - height) / (2.0 * softness) + 0.5), np.float32)


@dataclass(frozen=True, slots=True)
class LipPart:
    """The part of a grid around the lips: its ``cells``, and the pixels that these cover as ``nodes``."""

    cells: Box
    nodes: Nodes

    def of(self, field: Singles) -> Singles:
        """The part of a field."""
        return field[self.cells.rows, self.cells.columns]


def lip_part(nodes: Nodes, target: Floats, unit: float) -> LipPart:
    """The cells of a grid around lips that are at ``target``, with room for their surroundings."""
    lips = target[: len(rig.LIPS)]
    origin, margin = np.array((nodes.box.x0, nodes.box.y0)), np.array((0.34, 0.26)) * unit
    first = np.floor((lips.min(axis=0) - margin - origin) / nodes.step).astype(int)
    last = np.ceil((lips.max(axis=0) + margin - origin) / nodes.step).astype(int)
    rows, columns = nodes.shape
    x0, y0 = min(max(int(first[0]), 0), columns - 1), min(max(int(first[1]), 0), rows - 1)
    x1, y1 = max(min(int(last[0]), columns), x0 + 1), max(min(int(last[1]), rows), y0 + 1)
    box = Box(
        nodes.box.x0 + x0 * nodes.step,
        nodes.box.y0 + y0 * nodes.step,
        min(nodes.box.x0 + x1 * nodes.step, nodes.box.x1),
        min(nodes.box.y0 + y1 * nodes.step, nodes.box.y1),
    )
    return LipPart(Box(x0, y0, x1, y1), Nodes(box, nodes.step, nodes.places[y0:y1, x0:x1]))


@dataclass(frozen=True, slots=True)
class Held:
    """How a mouth is held in a frame: pose of the head, control points (n, 2) in pixels, lower jaw."""

    pose: HeadPose
    target: Floats
    jaw: Jaw


def draw_lips(
    skin: Singles, part: LipPart, source: Source, motion: Motion, held: Held, interior: Interior
) -> Singles:
    """Lips from ``source`` and what is between them, over ``skin`` (h, w, 3), the picture of ``part``."""
    box = part.nodes.box
    upper = _pixels(source.upper, source.box, part, motion.upper)
    lower = _pixels(source.lower, source.mouth, part, motion.lower)
    over, under = upper[..., 3:] * np.float32(1 / 255), lower[..., 3:] * np.float32(1 / 255)
    total = over + under
    between, ajar, light = _along_lips(held, box)
    missing = np.maximum(1.0 - total, 0.0)
    inside = missing * ajar
    picture = (upper[..., :3] * over + lower[..., :3] * under) / np.maximum(total, 1.0)
    picture += skin * (missing - inside)
    if inside.max() > 0.02:
        picture += interior.paint(held.pose, (box.x0, box.y0), inside, light, held.jaw)
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
        axis=1,
    ).astype(np.float32)
    x = (np.arange(box.x0, box.x1) - left[0]) * along[0] * (_TABLE / length)
    y = (np.arange(box.y0, box.y1) - left[1]) * along[1] * (_TABLE / length)
    at = np.clip(x + y[:, None] + (_TABLE // 4 + 0.5), 0, len(steps) - 1).astype(np.int32)
    found = tables[at]
    return found[..., 0:1], found[..., 1:2], found[..., 2:3]


def borrowed_lips(
    skin: Singles, part: LipPart, lender: Source, motion: Motion, held: Held, interior: Interior
) -> Singles:
    """Lips from another frame, in the light of this one, over ``skin`` (h, w, 3), the picture of ``part``."""
    around = _pixels(lender.upper, lender.box, part, motion.both)[..., :3]
    lips = draw_lips(around, part, lender, motion, held, interior)
    cover = _near_lips(held, part.nodes.box)
    sigma = 0.16 * held.pose.scale
    beyond = 1.0 - cover
    weight = cv2.GaussianBlur(beyond, (0, 0), sigma) + 1e-3
    light = cv2.GaussianBlur((skin - around) * beyond[..., None], (0, 0), sigma) / weight[..., None]
    return np.asarray(skin + (lips + light - skin) * cover[..., None], np.float32)


def put(canvas: Bytes, nodes: Nodes, part: LipPart, picture: Singles) -> None:
    """Write the picture (h, w, 3) of ``part`` into ``canvas``, that of ``nodes``."""
    view = seen(canvas, nodes, part)
    view[:] = np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def seen(canvas: Bytes, nodes: Nodes, part: LipPart) -> Bytes:
    """A view (h, w, 3) of ``part`` in ``canvas``, the picture of ``nodes``."""
    box = part.nodes.box
    return canvas[
        box.y0 - nodes.box.y0 : box.y1 - nodes.box.y0, box.x0 - nodes.box.x0 : box.x1 - nodes.box.x0, :3
    ]


def _pixels(fine: Bytes, box: Box, part: LipPart, field: Singles) -> Singles:
    x, y = part.nodes.origins(part.of(field))
    return sample(fine, x - box.x0, y - box.y0).astype(np.float32)


def _near_lips(held: Held, box: Box) -> Singles:
    """Weights (h, w): 1 on the lips and by them, 0 a little farther away."""
    lips = held.target[: len(rig.LIPS)]
    middle = lips.mean(axis=0)
    hull = cv2.convexHull((lips + (lips - middle) * 0.42).astype(np.float32))[:, 0]
    mask = np.zeros((box.height, box.width), np.float32)
    at = ((hull - (box.x0, box.y0)) * 16).round().astype(np.int32)
    cv2.fillConvexPoly(mask, at, 1.0, cv2.LINE_8, 4)
    soft = np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.055 * held.pose.scale), np.float32)
    return ease((soft - 0.06) / 0.6)
