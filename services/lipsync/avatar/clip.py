"""The prepared avatar: what engines draw on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from pathlib import Path

import numpy as np

from services.lipsync.avatar._networks import Floats
from services.lipsync.avatar.color import I420, Picture, i420_to_bgr


class AvatarKind(Enum):
    """What an avatar was made from."""

    PORTRAIT = "portrait"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class Avatar:
    """Frames of a face on the grid of a job, with its landmarks. Immutable; may be shared by threads.

    `key` names content, format and the code that prepared it: equal keys mean equal frames and landmarks.
    `landmarks` is float32 (frames, 468, 3) in pixels of the prepared frames, smoothed over the clip; x and y
    of whole numbers are the middles of pixels, smaller z is nearer. `planes` is uint8
    (frames, height * 3 // 2, width), read-only, possibly a memory map. Both sides are even. `folder` is where
    it is kept, if anywhere; engines may put files of their own beside it, which go when it goes. `empty` are
    frames of stretches in which nobody is seen: landmarks mean nothing there, and they are shown as they are.
    """

    key: str
    kind: AvatarKind
    fps: Fraction
    landmarks: Floats
    planes: I420
    warnings: tuple[str, ...] = ()
    folder: Path | None = None
    empty: frozenset[int] = frozenset()

    @property
    def frames(self) -> int:
        """Frames of the clip; 1 for a portrait. `clip_index` says which one is under a frame of the job."""
        return int(self.planes.shape[0])

    @property
    def width(self) -> int:
        """Pixels, even."""
        return int(self.planes.shape[2])

    @property
    def height(self) -> int:
        """Pixels, even."""
        return int(self.planes.shape[1]) * 2 // 3

    def frame_i420(self, index: int) -> I420:
        """Frame `index` of the clip, as the encoder takes it: a read-only view."""
        return np.asarray(self.planes[index])

    def frame_bgr(self, index: int) -> Picture:
        """Frame `index` of the clip in BGR: what a viewer sees when `frame_i420` is encoded without loss."""
        return i420_to_bgr(self.planes[index])
