"""The embedded engine: any face, on the CPU."""

from __future__ import annotations

import importlib
from collections.abc import Generator
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from mouthpiece.core.engines import EngineClass, EngineInfo, Weights
from services.lipsync.avatar.models import FACE_WEIGHTS
from services.lipsync.engines.viseme.accents import REACH, articulate_with_accents
from services.lipsync.engines.viseme.articulation import LEAD, TAIL
from services.lipsync.engines.viseme.hearing import WEIGHTS, weights_sha256

if TYPE_CHECKING:
    from services.lipsync.avatar import Avatar
    from services.lipsync.engine import Frame, RenderTask
    from services.lipsync.engines.viseme.prepared import Prepared

REVISION = 3
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
            version=_version(),
            lead_samples=LEAD + REACH,
            tail_samples=TAIL + REACH,
            weights=_weights(),
        )

    def load(self) -> None:
        """Import what draws and what hears."""
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

        track, accents = articulate_with_accents(task.speech, task.frames, task.fps)
        for frame, pose, accent in zip(task.frames, track, accents, strict=True):
            yield draw_frame(prepared, frame, task.fps, task.seed, pose, float(accent))


@cache
def _weights() -> tuple[Weights, ...]:
    """What the pictures depend on."""
    return *FACE_WEIGHTS, Weights(WEIGHTS.name, weights_sha256())


@cache
def _version() -> str:
    """Revision of the code, and a digest of all weights."""
    digests = "".join(model.sha256 for model in _weights())
    return f"viseme-{REVISION}-{sha256(digests.encode()).hexdigest()[:8]}"
