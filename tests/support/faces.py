"""Avatars that tests make themselves, from the suite's own portrait."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from services.lipsync.avatar.portrait import draw_portrait

Picture = npt.NDArray[np.uint8]


def portrait_file(path: Path, size: int = 320) -> Path:
    """The default avatar as a picture of its own."""
    cv2.imwrite(str(path), portrait(size))
    return path


def portrait(size: int = 320) -> Picture:
    picture = draw_portrait()
    return np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def clip_file(path: Path, frames: int, fps: Fraction, size: int = 320) -> Path:
    """A clip in which the head moves to the right and tilts, so that every frame differs."""
    picture = portrait(size)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "16", "preset": "veryfast"})
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        for index in range(frames):
            turn = cv2.getRotationMatrix2D((size / 2, size / 2), 0.15 * index, 1.0)
            turn[0, 2] += 0.3 * index
            moved = cv2.warpAffine(picture, turn, (size, size), borderMode=cv2.BORDER_REPLICATE)
            frame = av.VideoFrame.from_ndarray(np.asarray(moved, np.uint8), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
