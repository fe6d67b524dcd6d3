"""Finding faces in a picture of any size.

Two single-shot detectors (BlazeFace, Bazarevsky et al. 2019) look at squares of the picture: one trained
on near faces, one on far ones. A picture is covered by the whole of it, by the whole of it with a margin
(faces that fill the frame) and by tiles (faces that are small in it).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from services.lipsync.avatar._networks import Floats, Network, sigmoid
from services.lipsync.avatar.color import Picture
from services.lipsync.avatar.models import FACE_DETECTION_FULL, FACE_DETECTION_SHORT, model_path

MIN_SCORE = 0.5
SAME_FACE_IOU = 0.3
MIN_TILE = 320
"""Pixels; a face that a smaller tile would be needed for is too small to animate."""
MAX_SIDE = 1920
"""Pixels; in larger pictures, a face that this would lose is not what the picture is about."""


@dataclass(frozen=True, slots=True)
class FaceBox:
    """A face in pixels of the picture: brow to chin, ear to ear.

    `keypoints` is float32 (6, 2): the eye on the left of the picture, the other eye, nose tip, mouth, and
    the ears in the same order as the eyes. `score` is between 0 and 1.
    """

    x: float
    y: float
    width: float
    height: float
    score: float
    keypoints: Floats

    @property
    def area(self) -> float:
        """Square pixels."""
        return self.width * self.height

    def is_same(self, other: FaceBox) -> bool:
        """Whether two boxes are of one face: they overlap much, or one's middle lies within the other."""
        return self.iou(other) > SAME_FACE_IOU or _holds(self, other) or _holds(other, self)

    def scaled(self, by: float) -> FaceBox:
        """The same face in a picture `by` times as large."""
        corner, size = (self.x * by, self.y * by), (self.width * by, self.height * by)
        return FaceBox(*corner, *size, score=self.score, keypoints=self.keypoints * np.float32(by))

    def iou(self, other: FaceBox) -> float:
        """Intersection over union of the two rectangles."""
        across = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        down = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        shared = max(0.0, across) * max(0.0, down)
        return shared / (self.area + other.area - shared) if shared else 0.0


@dataclass(frozen=True, slots=True)
class _Square:
    """A square window on a picture, which may reach beyond its edges."""

    x: int
    y: int
    side: int


class FaceDetector:
    """Finds faces. Deterministic; not safe to call from two threads at a time."""

    def __init__(self, models_dir: Path) -> None:
        """Raises `Unmet` (WEIGHTS_MISSING) when a model is not in `models_dir`."""
        self._near = Network(model_path(FACE_DETECTION_SHORT, models_dir))
        self._far = Network(model_path(FACE_DETECTION_FULL, models_dir))
        self._near_anchors = _grid_anchors((16, 2), (8, 6))
        self._far_anchors = _grid_anchors((48, 1))

    def detect(self, picture: Picture, *, thorough: bool = True) -> list[FaceBox]:
        """Faces of `picture`, largest first, each once.

        Not `thorough`: only faces that stand out when the whole picture is looked at; a few milliseconds.
        """
        small, scale = _reduced(picture)
        found: list[FaceBox] = []
        for window in _windows(small.shape[1], small.shape[0], thorough=thorough):
            found += self._look(small, window)
        faces = [face.scaled(1 / scale) for face in _distinct(found)]
        return sorted(faces, key=lambda face: (-face.area, face.x, face.y))

    def _look(self, picture: Picture, window: _Square) -> list[FaceBox]:
        found: list[FaceBox] = []
        detectors = [(self._far, self._far_anchors)]
        if window.side >= max(picture.shape):  # tiles are there for faces that were small so far
            detectors.append((self._near, self._near_anchors))
        for network, anchors in detectors:
            crop = _crop(picture, window, network.side).astype(np.float32) / 127.5 - 1.0
            boxes, scores = network(crop)
            found += _decode(boxes / np.float32(network.side), scores[:, 0], anchors, window)
        return found


def _reduced(picture: Picture) -> tuple[Picture, float]:
    """The picture with at most `MAX_SIDE` pixels along its longer side, and how much smaller it is."""
    height, width = picture.shape[:2]
    scale = MAX_SIDE / max(width, height)
    if scale >= 1:
        return picture, 1.0
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def _grid_anchors(*layers: tuple[int, int]) -> Floats:
    """Centres of the cells of square grids, each as often as the layer has anchors; float32 (n, 2)."""
    centres: list[tuple[float, float]] = []
    for cells, repeats in layers:
        for row in range(cells):
            for column in range(cells):
                centres += [((column + 0.5) / cells, (row + 0.5) / cells)] * repeats
    return np.asarray(centres, np.float32)


def _decode(raw: Floats, logits: Floats, anchors: Floats, window: _Square) -> list[FaceBox]:
    """Boxes above `MIN_SCORE`: centre, size and key points are offsets from the anchor, in window sides."""
    scores = sigmoid(logits)
    faces: list[FaceBox] = []
    for index in np.flatnonzero(scores >= MIN_SCORE):
        points = (raw[index].reshape(8, 2) * window.side).astype(np.float32)
        origin = anchors[index] * window.side + np.array((window.x, window.y), np.float32)
        (centre_x, centre_y), (width, height) = points[0] + origin, points[1]
        if width <= 0 or height <= 0:
            continue
        corner = float(centre_x - width / 2), float(centre_y - height / 2)
        size = float(width), float(height)
        faces.append(FaceBox(*corner, *size, score=float(scores[index]), keypoints=points[2:] + origin))
    return faces


def _distinct(faces: Sequence[FaceBox]) -> list[FaceBox]:
    """One face for each group of overlapping ones: their mean, weighted by score."""
    left = sorted(faces, key=lambda face: -face.score)
    kept: list[FaceBox] = []
    while left:
        group = [face for face in left if face.iou(left[0]) > SAME_FACE_IOU or face is left[0]]
        left = [face for face in left if not any(face is member for member in group)]
        merged = _mean(group)
        if not any(merged.is_same(other) for other in kept):
            kept.append(merged)
    return kept


def _holds(outer: FaceBox, inner: FaceBox) -> bool:
    centre_x, centre_y = inner.x + inner.width / 2, inner.y + inner.height / 2
    return outer.x < centre_x < outer.x + outer.width and outer.y < centre_y < outer.y + outer.height


def _mean(group: Sequence[FaceBox]) -> FaceBox:
    weights = np.asarray([face.score for face in group], np.float32)
    boxes = np.asarray([(face.x, face.y, face.width, face.height) for face in group], np.float32)
    x, y, width, height = (float(v) for v in np.average(boxes, axis=0, weights=weights))
    points = np.average(np.stack([face.keypoints for face in group]), axis=0, weights=weights)
    return FaceBox(x, y, width, height, float(weights[0]), points.astype(np.float32))


def _windows(width: int, height: int, *, thorough: bool) -> Iterator[_Square]:
    """Squares to look at: the whole, then with a margin around it, then finer and finer tiles."""
    long = max(width, height)
    yield _Square((width - long) // 2, (height - long) // 2, long)
    if not thorough:
        return
    wide = long * 2
    yield _Square((width - wide) // 2, (height - wide) // 2, wide)
    side = long
    while (side := side * 5 // 8) >= MIN_TILE:
        for y in tile_starts(height, side):
            yield from (_Square(x, y, side) for x in tile_starts(width, side))


def tile_starts(length: int, side: int) -> list[int]:
    """Where tiles of `side` begin so that they cover `length` and overlap by at least a third."""
    if side >= length:
        return [(length - side) // 2]
    steps = -(-(length - side) * 3 // (side * 2))
    return [(length - side) * step // steps for step in range(steps + 1)]


def _crop(picture: Picture, window: _Square, side: int) -> Picture:
    """The window as an RGB picture of `side` × `side`; black beyond the edges of the picture."""
    scale = side / window.side
    top, left = max(0, window.y), max(0, window.x)
    part = picture[top : window.y + window.side, left : window.x + window.side]
    width, height = (max(1, round(length * scale)) for length in (part.shape[1], part.shape[0]))
    small = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    x, y = round((left - window.x) * scale), round((top - window.y) * scale)
    canvas = np.zeros((side, side, 3), np.uint8)
    canvas[y : y + height, x : x + width] = small[: side - y, : side - x, ::-1]
    return canvas
