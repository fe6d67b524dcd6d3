"""Inspecting and preparing avatars in children with limits: a worker never decodes a stranger's file itself.

The face models are loaded in the child too, which takes about 30 ms; moving the decoded frames to the parent
would take longer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2

from mouthpiece.media.sandbox import Bounds, confined, get_ready
from services.lipsync.avatar._sniff import FIELD
from services.lipsync.avatar.inspection import Inspection, inspect
from services.lipsync.avatar.landmarks import FaceTracker
from services.lipsync.avatar.limits import Limits
from services.lipsync.avatar.preparation import Format, Stopped, prepare

MEMORY = 3 << 30
"""Bytes: a picture of 40 million pixels with 16 bits a channel, in the forms it takes, fits twice."""
LOOK = Bounds(cpu_seconds=60, wall_seconds=180, memory_bytes=MEMORY)
PREPARATION_CPU_SECONDS, PREPARATION_WALL_SECONDS = 1200, 3600
"""A minute of 4K at 60 frames per second takes several minutes."""


def open_confinement() -> None:
    """Start what children come from, so that the first avatar need not wait for it."""
    get_ready((__name__,))


def inspect_confined(path: Path, models: Path, limits: Limits, bounds: Bounds = LOOK) -> Inspection:
    """`inspect` in a child. Raises what that raises, and `BadInput` when it takes more than ``bounds``."""
    return confined(FIELD, bounds, partial(_inspect, path, models, limits))


def prepare_confined(
    path: Path, folder: Path, wanted: Format, models: Path, limits: Limits, go_on: Callable[[], bool]
) -> None:
    """`prepare` in a child. Raises what that raises, and `BadInput` when it takes too much."""
    most = max(limits.max_clip_bytes, wanted.frame_bytes)
    bounds = Bounds(PREPARATION_CPU_SECONDS, PREPARATION_WALL_SECONDS, MEMORY, most)

    def check() -> None:
        if not go_on():
            raise Stopped("the preparation of the avatar was called off")

    confined(FIELD, bounds, partial(_prepare, path, folder, wanted, models, limits), check)


def _inspect(path: Path, models: Path, limits: Limits) -> Inspection:
    cv2.setNumThreads(1)
    return inspect(path, FaceTracker.load(models), limits)


def _prepare(path: Path, folder: Path, wanted: Format, models: Path, limits: Limits) -> None:
    cv2.setNumThreads(1)
    prepare(path, folder, wanted, FaceTracker.load(models), limits)
