"""The face in the frame: its box in every frame of a clip, what the network sees of it, and the way back."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from services.lipsync.avatar.color import Picture
from services.lipsync.engines.viseme.surface import Box, even_box
from services.lipsync.engines.wav2lip.architecture import FACE_SIDE

PADS = (0, 10, 0, 0)
"""Pixels added to a face at its top, bottom, left and right: the chin moves."""
_SMOOTHED = 5
_LEAST = 16
"""Least side of a box in pixels, where hardly anything of a face is in the picture."""

Boxes = npt.NDArray[np.int64]
"""Boxes of faces, int64 (frames, 4): left, top, right, bottom; the last two are not part of the box."""
Faces = npt.NDArray[np.float32]


def face_boxes(landmarks: npt.NDArray[np.float32], width: int, height: int) -> list[Box]:
    """The box of each frame around its landmarks (468, 3): padded, smoothed, on even pixels."""
    low = np.floor(landmarks[:, :, :2].min(axis=1)).astype(np.int64)
    high = np.ceil(landmarks[:, :, :2].max(axis=1)).astype(np.int64)
    boxes = smoothed(padded(np.hstack((low, high)), (width, height)))
    boxes[:, :2] = np.minimum(boxes[:, :2], np.array([width, height]) - _LEAST)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + _LEAST)
    return [even_box(left, top, right, bottom, width, height) for left, top, right, bottom in boxes.tolist()]


def padded(boxes: Boxes, size: tuple[int, int], pads: Sequence[int] = PADS) -> Boxes:
    """Boxes with room around them, within a picture of `size` (width, height), of one pixel at least."""
    top, bottom, left, right = pads
    grown = np.asarray(boxes + np.array([-left, -top, right, bottom]), np.int64)
    grown[:, :2] = np.clip(grown[:, :2], 0, np.array(size) - 1)
    grown[:, 2:] = np.clip(grown[:, 2:], grown[:, :2] + 1, size)
    return grown


def smoothed(boxes: Boxes) -> Boxes:
    """Means of five boxes from each on, cut to whole pixels, as in the published code.

    It works in place, so the last four see boxes that are means already. Of a clip of less than five frames
    it takes the last n or 5 - n, whichever is less.
    """
    made, count = boxes.copy(), len(boxes)
    for row in range(count):
        first = row if row + _SMOOTHED <= count else count - _SMOOTHED
        part = made[first : first + _SMOOTHED] if first >= 0 else made[first:]
        made[row] = np.trunc(part.mean(axis=0))
    return made


def network_input(crop: Picture) -> Faces:
    """A face of any size as the network takes it: float32 (6, 96, 96), BGR, lower half hidden, then whole."""
    face = np.asarray(cv2.resize(crop, (FACE_SIDE, FACE_SIDE), interpolation=cv2.INTER_LINEAR), np.float32)
    hidden = face.copy()
    hidden[FACE_SIDE // 2 :] = 0.0
    both = np.concatenate((hidden, face), axis=2) / np.float32(255.0)
    return np.ascontiguousarray(both.transpose(2, 0, 1))


def picture_of(made: Faces, size: tuple[int, int]) -> Picture:
    """What the network made, (3, 96, 96) in 0..1, as a BGR picture of `size` (width, height)."""
    face = (made.transpose(1, 2, 0) * np.float32(255.0)).astype(np.uint8)
    return np.asarray(cv2.resize(face, size, interpolation=cv2.INTER_LINEAR), np.uint8)
