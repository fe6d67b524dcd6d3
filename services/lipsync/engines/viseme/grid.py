"""Coarse grids on which motion is computed, and how pixels get theirs from them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from services.lipsync.engines.viseme.arrays import Floats, Singles
from services.lipsync.engines.viseme.surface import Box, Origins


@dataclass(frozen=True, slots=True)
class Nodes:
    """A grid over ``box``: cells of ``step`` pixels, and ``places`` (rows, columns, 2), their middles."""

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

    def cells(self, left: float, top: float, right: float, bottom: float) -> Box:
        """Columns and rows of the nodes in a rectangle of pixels and of those next to it; never empty."""
        rows, columns = self.shape
        x0, y0 = self.at(np.array((left, top)))
        x1, y1 = self.at(np.array((right, bottom)))
        first_x, first_y = min(max(int(x0) - 1, 0), columns - 1), min(max(int(y0) - 1, 0), rows - 1)
        end_x, end_y = min(max(int(x1) + 3, first_x + 1), columns), min(max(int(y1) + 3, first_y + 1), rows)
        return Box(first_x, first_y, end_x, end_y)

    def part(self, cells: Box) -> Nodes:
        """The nodes of some columns and rows, over the pixels of these."""
        box = self.box
        x0, y0 = box.x0 + cells.x0 * self.step, box.y0 + cells.y0 * self.step
        x1, y1 = min(box.x0 + cells.x1 * self.step, box.x1), min(box.y0 + cells.y1 * self.step, box.y1)
        return Nodes(Box(x0, y0, x1, y1), self.step, self.places[cells.rows, cells.columns])

    def between(self, field: Singles, places: Singles) -> Singles:
        """A field (rows, columns, 2) of this grid at other ``places`` (m, n, 2) in pixels."""
        scale = np.float32(1 / self.step)
        x = (places[..., 0] - np.float32(self.box.x0 - 0.5)) * scale - np.float32(0.5)
        y = (places[..., 1] - np.float32(self.box.y0 - 0.5)) * scale - np.float32(0.5)
        found = cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found, np.float32)

    def origins(self, field: Singles, texture: Box, fine: int) -> Origins:
        """Where each pixel of the box comes from when ``field`` (rows, columns, 2) displaces it.

        In samples of a copy of ``texture`` with ``fine`` of them per pixel.
        """
        rows, columns = self.shape
        size = (columns * self.step, rows * self.step)
        height, width = self.box.height, self.box.width
        across, down = (
            cv2.resize(np.ascontiguousarray(field[..., axis]) * np.float32(fine), size)[:height, :width]
            for axis in (0, 1)
        )
        x = np.arange(self.box.x0 - texture.x0, self.box.x1 - texture.x0, dtype=np.float32) * fine
        y = np.arange(self.box.y0 - texture.y0, self.box.y1 - texture.y0, dtype=np.float32) * fine
        return Origins(np.asarray(across + x, np.float32), np.asarray(down + y[:, None], np.float32))


def make_nodes(box: Box, step: int) -> Nodes:
    """The grid over a box with cells of ``step`` pixels."""
    columns, rows = -(-box.width // step), -(-box.height // step)
    x = box.x0 + (np.arange(columns, dtype=np.float32) + 0.5) * step - 0.5
    y = box.y0 + (np.arange(rows, dtype=np.float32) + 0.5) * step - 0.5
    return Nodes(box, step, np.stack(np.meshgrid(x, y), axis=2).astype(np.float32))
