"""The prepared avatar as this engine sees it: the box of the face in every frame, and its pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.lipsync.avatar import Avatar
from services.lipsync.avatar.color import I420, chroma_planes, i420_to_bgr
from services.lipsync.engines.viseme.surface import Box
from services.lipsync.engines.wav2lip.architecture import FACE_SIDE
from services.lipsync.engines.wav2lip.face import Faces, face_boxes, network_input

_PADDED = np.zeros((6, FACE_SIDE, FACE_SIDE), np.float32)


@dataclass(frozen=True, slots=True)
class Clip:
    """An avatar with the box of its face in every frame."""

    avatar: Avatar
    boxes: list[Box]

    @classmethod
    def of(cls, avatar: Avatar) -> Clip:
        """Put boxes around the avatar's landmarks."""
        return cls(avatar, face_boxes(avatar.landmarks, avatar.width, avatar.height))

    def faces(self, first: int, count: int) -> Faces:
        """Frames from `first` on as the network takes them: (count, 6, 96, 96), zeros after the last."""
        there = range(first, min(first + count, self.avatar.frames))
        made = [network_input(i420_to_bgr(self.cut(index))) for index in there]
        return np.stack(made + [_PADDED] * (count - len(made)))

    def cut(self, index: int) -> I420:
        """The box of a frame as a small picture."""
        return cut(self.avatar.frame_i420(index), self.boxes[index])


def cut(planes: I420, box: Box) -> I420:
    """A copy of an even box of a picture."""
    part = np.empty((box.height * 3 // 2, box.width), np.uint8)
    for small, large in zip(_views(part, _whole(box)), _views(planes, box), strict=True):
        small[:] = large
    return part


def paste(planes: I420, box: Box, part: I420) -> None:
    """Overwrite an even box of a picture."""
    for large, small in zip(_views(planes, box), _views(part, _whole(box)), strict=True):
        large[:] = small


def _whole(box: Box) -> Box:
    return Box(0, 0, box.width, box.height)


def _views(planes: I420, box: Box) -> list[I420]:
    """The box in the planes Y, U and V."""
    height = planes.shape[0] * 2 // 3
    halves = slice(box.y0 // 2, box.y1 // 2), slice(box.x0 // 2, box.x1 // 2)
    return [planes[:height][box.rows, box.columns], *(plane[halves] for plane in chroma_planes(planes))]
