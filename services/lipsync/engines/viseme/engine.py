"""The embedded engine: any face, on the CPU, without weights of its own."""

from __future__ import annotations

import importlib
from collections.abc import Generator
from typing import TYPE_CHECKING

from mouthpiece.core.engines import EngineClass, EngineInfo
from services.lipsync.engines.viseme.articulation import LEAD, TAIL, articulate

if TYPE_CHECKING:
    from services.lipsync.avatar import Avatar
    from services.lipsync.engine import Frame, RenderTask
    from services.lipsync.engines.viseme.prepared import Prepared

REVISION = 1
"""Raised with every change of the pictures that this engine makes, so that cached chunks are not mixed."""


class VisemeEngine:
    """Moves the lips, jaw and eyelids of a portrait or a clip by warping its own pixels."""

    @property
    def info(self) -> EngineInfo:
        """What the engine declares."""
        return EngineInfo(
            name="viseme",
            description="Animates any portrait or video on the CPU, from phonemes or from the sound alone.",
            engine_class=EngineClass.WINDOWED,
            version=f"viseme-{REVISION}",
            lead_samples=LEAD,
            tail_samples=TAIL,
        )

    def load(self) -> None:
        """Import what draws; there are no weights."""
        import cv2

        importlib.import_module("services.lipsync.engines.viseme.frames")
        cv2.setNumThreads(1)

    def prepare(self, avatar: Avatar) -> Prepared:
        """Rig the face of an avatar. Deterministic."""
        from services.lipsync.engines.viseme.prepared import prepare

        return prepare(avatar)

    def render(self, prepared: Prepared, task: RenderTask) -> Generator[Frame]:
        """Yield the frames of a task in order."""
        from services.lipsync.engines.viseme.frames import draw_frame

        track = articulate(task.speech, task.frames, task.fps)
        for frame, pose in zip(task.frames, track, strict=True):
            yield draw_frame(prepared, frame, task.fps, task.seed, pose)
