"""An engine that renders by waiting: it takes known time, moves no lips and numbers its frames.

For trying schedulers, queues and networks on machines that have better things to do than to draw.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from mouthpiece.core.engines import EngineClass, EngineInfo
from mouthpiece.core.timeline import clip_index
from services.lipsync.avatar import Avatar
from services.lipsync.engine import Frame, RenderTask

BITS = 24
"""Binary digits of the frame number that are drawn, the highest on the left."""
BAND = 8
"""The digits take one part in this many of the picture's height, at its bottom."""

_BLACK, _WHITE, _GREY = 16, 235, 128


class TimedEngine:
    """Shows the avatar as it is, with the frame number as bars, at a fixed number of frames per second."""

    def __init__(self, frames_per_second: float) -> None:
        self._seconds_per_frame = 1 / frames_per_second

    @property
    def info(self) -> EngineInfo:
        """What the engine declares."""
        return EngineInfo(
            name="timed",
            description="Waits instead of rendering and numbers its frames; for trying the suite itself.",
            engine_class=EngineClass.WINDOWED,
            version="timed-1",
            lead_samples=0,
            tail_samples=0,
        )

    def load(self) -> None:
        """There is nothing to load."""

    def prepare(self, avatar: Avatar) -> Avatar:
        """The avatar itself."""
        return avatar

    def render(self, prepared: Avatar, task: RenderTask) -> Iterator[Frame]:
        """Yield the frames of a task, each when its time has come."""
        due = time.monotonic()
        for number in task.frames:
            due += self._seconds_per_frame
            time.sleep(max(0.0, due - time.monotonic()))
            frame = prepared.frame_i420(clip_index(number, prepared.frames)).copy()
            draw_number(frame, number)
            yield frame


def draw_number(frame: Frame, number: int) -> None:
    """Draw a frame number, modulo 2²⁴, as black and white bars over the bottom of an I420 frame."""
    height, width = frame.shape[0] * 2 // 3, frame.shape[1]
    top = height - height // BAND // 2 * 2
    for at, (left, right) in enumerate(_bars(width)):
        bit = number >> (BITS - 1 - at) & 1
        frame[top:height, left:right] = _WHITE if bit else _BLACK
    chroma = frame[height:].reshape(2, height // 2, width // 2)
    chroma[:, top // 2 :] = _GREY


def read_number(frame: Frame) -> int:
    """The number that `draw_number` drew, also after lossy coding."""
    height, width = frame.shape[0] * 2 // 3, frame.shape[1]
    band = frame[height - height // BAND // 2 * 2 : height]
    number = 0
    for left, right in _bars(width):
        quarter = max(1, (right - left) // 4)
        middle = band[:, left + quarter : max(left + quarter + 1, right - quarter)]
        number = number << 1 | int(np.mean(middle) > (_BLACK + _WHITE) / 2)
    return number


def _bars(width: int) -> list[tuple[int, int]]:
    edges = [width * at // BITS for at in range(BITS + 1)]
    return list(pairwise(edges))
