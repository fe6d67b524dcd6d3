"""The `wan-s2v` engine: a chain of clips, put on the grid of the job."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mouthpiece.core.engines import EngineClass, EngineInfo, Weights
from mouthpiece.core.timeline import Span
from mouthpiece.errors import Reason, Unmet
from services.lipsync.avatar.color import bgr_to_i420
from services.lipsync.engine import Frame, RenderTask
from services.lipsync.engines.speech16 import RATE, speech_16k
from services.lipsync.engines.wan.chain import Chain, ClipMaker, ClipOrder, Pictures
from services.lipsync.engines.wan.clips import (
    LEAD,
    TAIL,
    clip_size,
    clip_times,
    picture_at,
)

if TYPE_CHECKING:
    from services.lipsync.avatar import Avatar

REVISION = 1
"""Raised with every change of what is made of clips, so that chunks of different kinds are not mixed."""


@dataclass(frozen=True, slots=True)
class WanConfig:
    """Where the model runs, and what it is told. `comfyui` "" means: in this process, with `weights`."""

    comfyui: str = ""
    workflow: Path | None = None
    workflow_next: Path | None = None
    weights: Path | None = None
    model: str = ""
    pixels: int = 832 * 480
    steps: int = 40
    prompt: str = "A person looks into the camera and talks."
    clip_seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class Portrait:
    """The face at the size of clips, (height, width, 3) RGB, and the size of the job, (width, height)."""

    picture: Pictures
    size: tuple[int, int]


class WanEngine:
    """Renders chunks of one chain, each from what the one before handed over.

    A frame shows the picture nearest in time; nothing is blended.
    """

    def __init__(self, config: WanConfig, maker: ClipMaker | None = None) -> None:
        self._config = config
        self._maker = maker or _maker(config)

    @property
    def info(self) -> EngineInfo:
        """What the engine declares."""
        config = self._config
        shape = f"{self._maker.name}\n{config.model}\n{config.pixels}\n{config.steps}\n{config.prompt}"
        return EngineInfo(
            name="wan-s2v",
            description="Makes a portrait speak and move as a prompt says, with Wan2.2-S2V on big GPUs.",
            engine_class=EngineClass.CHAINED,
            version=f"wan-s2v-{REVISION}-{hashlib.sha256(shape.encode()).hexdigest()[:8]}",
            lead_samples=LEAD,
            tail_samples=TAIL,
            takes_video=False,
            takes_prompt=True,
            weights=(Weights(config.model),) if config.model else (),
        )

    @property
    def ailment(self) -> str:
        """What keeps it from rendering, "" when nothing does."""
        return self._maker.ailment

    def load(self) -> None:
        """Load the model, or look for the ComfyUI. Raises `Unmet`."""
        self._maker.load()

    def close(self) -> None:
        """Stop waiting for clips."""
        self._maker.close()

    def prepare(self, avatar: Avatar) -> Portrait:
        """The portrait at the size of clips."""
        size = clip_size(avatar.width, avatar.height, self._config.pixels)
        resized = cv2.resize(avatar.frame_bgr(0), size, interpolation=cv2.INTER_AREA)
        rgb = np.ascontiguousarray(np.asarray(resized, np.uint8)[:, :, ::-1])
        return Portrait(rgb, (avatar.width, avatar.height))

    def render(self, prepared: Portrait, task: RenderTask) -> Generator[Frame]:
        """Yield the frames of a task in order; then write what the next chunk begins from.

        Without a handover a chain begins with the first frame. Raises `DataLoss` for a handover that is none.
        """
        first = picture_at(task.frames.first, task.fps)
        chain = Chain.load(task.handover) if task.handover else Chain(first)
        shown, frame = -1, np.empty(0, np.uint8)
        for number in task.frames:
            picture = picture_at(number, task.fps) - chain.origin
            while picture >= chain.end:
                order = self._order(prepared, task, chain)
                chain.add(self._maker.make(order, lambda: task.watch.called_off))
            if picture != shown:
                chain.drop_before(picture)
                shown, frame = picture, _shown(chain.at(picture), prepared.size)
            yield frame
        if task.leave is not None:
            chain.save(task.leave)

    def _order(self, portrait: Portrait, task: RenderTask, chain: Chain) -> ClipOrder:
        times = clip_times(chain.origin, chain.clips, task.speech.samples.end)
        return ClipOrder(
            number=chain.clips,
            portrait=portrait.picture,
            speech=speech_16k(task.speech, times.heard.first, _at_16k(times.heard)),
            place=times.place,
            prompt=task.prompt or self._config.prompt,
            seed=task.seed + chain.clips,
            motion=chain.motion,
        )


def _at_16k(samples: Span) -> int:
    return len(samples) * RATE // 48_000


def _shown(picture: Pictures, size: tuple[int, int]) -> Frame:
    bgr = np.ascontiguousarray(picture[:, :, ::-1])
    if (bgr.shape[1], bgr.shape[0]) != size:
        bgr = np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    return bgr_to_i420(bgr)


def _maker(config: WanConfig) -> ClipMaker:
    if not config.comfyui:
        from services.lipsync.engines.wan.local import LocalClips

        return LocalClips(config.weights, config.steps)
    from services.lipsync.engines.wan.comfyui import ComfyClips

    if config.workflow is None or config.workflow_next is None:
        message = (
            "name the two workflows: MOUTHPIECE_LIPSYNC_WAN_WORKFLOW and MOUTHPIECE_LIPSYNC_WAN_WORKFLOW_NEXT"
        )
        raise Unmet(Reason.ENGINE_UNAVAILABLE, message)
    return ComfyClips(
        config.comfyui, config.workflow, config.workflow_next, config.steps, config.clip_seconds
    )
