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
    """Displacements (rows, columns, 2), in pixels, from places of the new frame to those of the source."""

    upper: Singles
    lower: Singles
    both: Singles


def mouth_motion(source: Source, target: Floats, places: Singles) -> Motion:
    """How pixels move when the control points of ``source`` go to ``target`` (n, 2) in pixels."""
    middle, unit = target[list(rig.CORNERS)].mean(axis=0), source.pose.scale
    controls = (target - middle) / unit
    moves = (source.controls - target) / unit
    flat = ((places.reshape(-1, 2) - middle) / unit).astype(np.float32)
    window, below = _zones(source.pose, controls, flat)
    weights = np.zeros((len(controls) + 3, 4), np.float32)
    for column, side in ((0, rig.UPPER_SIDE), (2, rig.LOWER_SIDE)):
        rows = [*side, *range(len(controls), len(controls) + 3)]
        weights[rows, column : column + 2] = solve(controls[side], moves[side])
    fields = np.asarray((basis(flat, controls) @ weights) * (window * float(unit))[:, None], np.float32)
    upper, lower = fields[:, :2], fields[:, 2:]
    both = upper + (lower - upper) * below[:, None]
    upper, lower, both = (field.reshape(places.shape) for field in (upper, lower, both))
    return Motion(upper, lower, both)


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


def draw_mouth(
    canvas: Bytes, nodes: Nodes, source: Source, motion: Motion, target: Floats, interior: Interior, jaw: Jaw
) -> None:
    """Lips and what is between them, into ``canvas``, the new picture (h, w, 4) of the box of ``nodes``."""
    cells = _lip_cells(nodes, target, source.pose.scale)
    part = Nodes(
        Box(
            nodes.box.x0 + cells.x0 * nodes.step,
            nodes.box.y0 + cells.y0 * nodes.step,
            min(nodes.box.x0 + cells.x1 * nodes.step, nodes.box.x1),
            min(nodes.box.y0 + cells.y1 * nodes.step, nodes.box.y1),
        ),
        nodes.step,
        nodes.places[cells.rows, cells.columns],
    )
    size = (part.box.width, part.box.height)
    upper = _pixels(source.upper, source.box, part, motion.upper[cells.rows, cells.columns])
    lower = _pixels(source.lower, source.mouth, part, motion.lower[cells.rows, cells.columns])
    over, under = upper[..., 3:] * np.float32(1 / 255), lower[..., 3:] * np.float32(1 / 255)
    total = over + under
    inside = np.maximum(1.0 - total, 0.0)
    share = 1.0 / np.maximum(total, 1.0)
    picture = (upper[..., :3] * over + lower[..., :3] * under) * share
    if inside.max() > 0.02:
        picture += interior.paint(source.pose, (part.box.x0, part.box.y0), size, inside, jaw)
    view = canvas[
        part.box.y0 - nodes.box.y0 : part.box.y1 - nodes.box.y0,
        part.box.x0 - nodes.box.x0 : part.box.x1 - nodes.box.x0,
        :3,
    ]
    edge = _fade(size, nodes.step)
    view[:] = np.clip(view + (picture - view) * edge + 0.5, 0, 255).astype(np.uint8)


def _pixels(fine: Bytes, box: Box, part: Nodes, field: Singles) -> Singles:
    x, y = part.origins(field)
    return sample(fine, x - box.x0, y - box.y0).astype(np.float32)


def _lip_cells(nodes: Nodes, target: Floats, unit: float) -> Box:
    """Cells of the grid around the lips."""
    lips = target[: len(rig.LIPS)]
    low, high = lips.min(axis=0), lips.max(axis=0)
    margin = np.array([0.16, 0.10]) * unit
    first = np.floor((low - margin - (nodes.box.x0, nodes.box.y0)) / nodes.step).astype(int)
    last = np.ceil((high + margin - (nodes.box.x0, nodes.box.y0)) / nodes.step).astype(int)
    rows, columns = nodes.shape
    return Box(
        max(int(first[0]), 0), max(int(first[1]), 0), min(int(last[0]), columns), min(int(last[1]), rows)
    )


def _fade(size: tuple[int, int], step: int) -> Singles:
    """Weights (h, w, 1) that rise from the left and right edges."""
    x = np.arange(size[0], dtype=np.float32)
    ramp = ease(np.minimum(x, size[0] - 1.0 - x) / (2.0 * step))
    return np.asarray(ramp[None, :, None], np.float32)
