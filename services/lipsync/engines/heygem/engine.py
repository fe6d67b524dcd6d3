"""The `heygem` engine: chunks are rendered by a container that this worker drives."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mouthpiece.core.engines import EngineClass, EngineInfo, Weights
from mouthpiece.core.timeline import clip_index
from mouthpiece.errors import MouthpieceError, Reason, Unavailable, Unmet
from services.lipsync.engine import Frame, RenderTask, Watch
from services.lipsync.engines.health import Health
from services.lipsync.engines.heygem.container import Container, Unreachable
from services.lipsync.engines.heygem.folder import SharedFolder, speech_name
from services.lipsync.engines.heygem.protocol import Garbled
from services.lipsync.engines.heygem.task import Died, Lost, Pace, Stuck, Task, TaskRunner

if TYPE_CHECKING:
    from services.lipsync.avatar import Avatar

log = logging.getLogger(__name__)

REVISION = 1
"""Raised with every change of what containers are told, so that cached chunks are not mixed."""

FIRST_GUESS = 0.1
"""Seconds for a frame, until a task was measured."""
_SMOOTHING = 0.3

_DARK, _SHADOW = 48, 0.4
"""A frame is black when it has less than this part of the avatar's light, which is more than `_DARK`."""
_THIN = 8
"""Every so many pixels are looked at for that, in both directions."""
_SLACK_SECONDS = 0.12
"""By how much a result may be too short: a codec's padding, but not a word."""


@dataclass(frozen=True, slots=True)
class HeygemConfig:
    """Where the container is and what it is told.

    `folder` is the shared folder here, `container_path` its path in the container ("" for bare names),
    `model` whatever tells container images apart whose frames differ, `task_seconds` the container's own
    limit for a task.
    """

    url: str
    folder: Path
    container_path: str
    model: str = ""
    super_resolution: bool = False
    max_chunk_frames: int = 750
    task_seconds: float = 600.0
    pace: Pace = field(default_factory=Pace)


class HeygemEngine:
    """Renders on a HeyGem container. One task at a time; what a caller calls off goes on there to its end."""

    def __init__(self, config: HeygemConfig) -> None:
        self._config = config
        self._folder = SharedFolder(config.folder, config.container_path)
        self._closing = threading.Event()
        self._runner = TaskRunner(
            config.url,
            self._folder,
            config.pace,
            self._closing,
            super_resolution=config.super_resolution,
        )
        self._turn = threading.Lock()
        self._health = Health(self._ping, self._closing, config.pace.poll)
        self._seconds_per_frame = FIRST_GUESS

    @property
    def info(self) -> EngineInfo:
        """What the engine declares."""
        from services.lipsync.engines.speech16 import CONTEXT

        config = self._config
        shape = f"{config.model}\n{config.super_resolution}".encode()
        return EngineInfo(
            name="heygem",
            description="Drives a HeyGem (Duix.Avatar) container with a GPU of its own.",
            engine_class=EngineClass.REMOTE,
            version=f"heygem-{REVISION}-{hashlib.sha256(shape).hexdigest()[:8]}",
            lead_samples=CONTEXT,
            tail_samples=CONTEXT,
            max_chunk_frames=config.max_chunk_frames,
            max_chunk_seconds=config.task_seconds,
            weights=(Weights(config.model),) if config.model else (),
        )

    @property
    def ailment(self) -> str:
        """What keeps the container from rendering, "" when nothing does."""
        return self._health.ailment

    def load(self) -> None:
        """Open the shared folder and look for the container, which may still be starting.

        Raises `Unmet` (ENGINE_UNAVAILABLE) when the folder cannot be used.
        """
        try:
            self._folder.open()
        except OSError as error:
            message = f"the folder shared with the HeyGem container cannot be written: {error.strerror}"
            raise Unmet(Reason.ENGINE_UNAVAILABLE, message) from None
        self._health.check()

    def close(self) -> None:
        """Stop waiting for the container."""
        self._closing.set()

    def prepare(self, avatar: Avatar) -> Avatar:
        """The avatar itself: its clip depends on where a chunk begins."""
        return avatar

    def render(self, prepared: Avatar, task: RenderTask) -> Generator[Frame]:
        """Yield the frames of a task, all of them after the container has ended.

        Raises `Busy` when the container works for somebody else, `Unavailable` when it is away or ill.
        """
        with self._turn:
            order = self._order(prepared, task)
            path = self._run(order, task)
        try:
            if not task.watch.called_off:
                yield from _trusted(path, prepared, task)
        finally:
            self._folder.clear(order.code)

    def _order(self, avatar: Avatar, task: RenderTask) -> Task:
        """Put what the container needs into the shared folder."""
        from services.lipsync.engines.heygem.inputs import (
            chunk_speech,
            clip_frames,
            write_clip,
            write_speech,
        )

        indices = list(clip_frames(avatar, task.frames))
        clip_name = f"clip-{_digest(avatar.key, indices[:2], len(indices))}.mp4"
        video = self._folder.put(clip_name, lambda path: write_clip(path, avatar, indices))
        self._folder.shed_clips()
        pcm = chunk_speech(task.speech, task.frames, task.fps)
        config = self._config
        code = _digest(config.url, self.info.version, clip_name, pcm)
        audio = self._folder.put(speech_name(code), lambda path: write_speech(path, pcm))
        return Task(code, audio, video, self._seconds_per_frame * len(task.frames))

    def _run(self, order: Task, task: RenderTask) -> Path:
        """Have it rendered. What is known of the task is kept only if it may be taken up again."""
        start = time.monotonic()
        frames = len(task.frames)
        told = _Teller(task.watch, frames, order.expected)
        try:
            path = self._runner.run(order, told.tell)
        except MouthpieceError as error:
            self._note(error)
            if isinstance(error, Stuck) or not isinstance(error, Unavailable):
                self._folder.clear(order.code)
            raise
        took = (time.monotonic() - start) / frames
        self._seconds_per_frame += _SMOOTHING * (took - self._seconds_per_frame)
        return path

    def _note(self, error: MouthpieceError) -> None:
        """Draw conclusions about the container from a failure."""
        match error:
            case Stuck():
                self._health.fell_ill(error.message, restart=True)
            case Unreachable() | Garbled() | Died():
                self._health.fell_ill(error.message, restart=False)
            case Lost():
                self._health.check()
            case _:
                pass

    def _ping(self) -> None:
        with Container(self._config.url) as container:
            container.ping()


class _Teller:
    """Passes on how far a task is, and says once when nobody wants it any more."""

    def __init__(self, watch: Watch, frames: int, expected: float) -> None:
        self._watch = watch
        self._frames = frames
        self._expected = expected
        self._said = False

    def tell(self, share: float) -> None:
        self._watch.foresee(int(share * self._frames))
        if self._watch.called_off and not self._said:
            self._said = True
            left = (1 - share) * self._expected
            log.warning("called off, but the container cannot be stopped: busy for about %.0f s more", left)


def _trusted(path: Path, avatar: Avatar, task: RenderTask) -> Iterator[Frame]:
    """The frames of a result that is what was asked for. Raises `MouthpieceError` when it is not."""
    from services.lipsync.avatar.footage import footage_frames, footage_seconds
    from services.lipsync.avatar.preparation import Format

    wanted = len(task.frames) / task.fps
    found = footage_seconds(path)
    if found < wanted - max(_SLACK_SECONDS, float(2 / task.fps)):
        raise MouthpieceError(f"the result lasts {float(found):.2f} s instead of {float(wanted):.2f} s")
    form = Format(task.fps, avatar.width, avatar.height)
    for number, frame in zip(task.frames, footage_frames(path, form, len(task.frames)), strict=True):
        if _is_black(frame, avatar.frame_i420(clip_index(number, avatar.frames))):
            raise MouthpieceError(f"frame {number} of the result is black")
        yield frame


def _is_black(frame: Frame, under: Frame) -> bool:
    height = frame.shape[0] * 2 // 3
    light, own = (float(planes[:height:_THIN, ::_THIN].mean()) for planes in (frame, under))
    return own > _DARK and light < _SHADOW * own


def _digest(*parts: object) -> str:
    state = hashlib.sha256()
    for part in parts:
        state.update(part if isinstance(part, bytes) else repr(part).encode())
    return state.hexdigest()[:32]
