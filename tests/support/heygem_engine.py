"""Engines that drive fake containers, and what they are asked for in tests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from mouthpiece.core.speech import SpeechSlice
from mouthpiece.core.timeline import Span, samples_of
from services.lipsync.avatar import Avatar, AvatarKind
from services.lipsync.engine import Frame, RenderTask, Unwatched, Watch
from services.lipsync.engines.heygem.engine import HeygemConfig, HeygemEngine
from services.lipsync.engines.heygem.task import Pace
from services.lipsync.engines.timed import draw_number, read_number
from tests.support.heygem_video import INSIDE, FakeHeygem

FPS = Fraction(25)
QUICK = Pace(poll=0.01, settle=0.005, busy=0.05, silence=2.0, result=1.0, task=20.0)
WIDTH, HEIGHT = 192, 128


@dataclass
class Watching:
    """A caller who remembers what it is told."""

    called_off: bool = False
    foreseen: list[int] = field(default_factory=list[int])
    on_foresee: Callable[[int], None] = lambda _: None

    def foresee(self, frames: int) -> None:
        self.foreseen.append(frames)
        self.on_foresee(frames)


def numbered_avatar(frames: int, fps: Fraction = FPS) -> Avatar:
    """A clip whose frames show their own index; one frame is a portrait."""
    planes = np.full((frames, HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    for index in range(frames):
        draw_number(planes[index], index)
    kind = AvatarKind.VIDEO if frames > 1 else AvatarKind.PORTRAIT
    landmarks = np.zeros((frames, 468, 3), np.float32)
    return Avatar(f"numbered{frames}", kind, fps, landmarks, planes)


def engine_for(fake: FakeHeygem, pace: Pace = QUICK, path: str = INSIDE) -> HeygemEngine:
    engine = HeygemEngine(HeygemConfig(fake.url, fake.folder, path, pace=pace))
    engine.load()
    return engine


def tone(samples: Span) -> SpeechSlice:
    """Speech that sounds different everywhere."""
    at = np.arange(samples.first, samples.end)
    sound = 8000 * np.sin(at * (0.03 + at * 1e-8))
    return SpeechSlice(samples, sound.astype("<i2").tobytes())


def task(first: int, end: int, watch: Watch | None = None, fps: Fraction = FPS) -> RenderTask:
    frames = Span(first, end)
    heard = samples_of(frames, fps)
    speech = tone(Span(max(0, heard.first - 960), heard.end + 960))
    return RenderTask(frames, fps, speech, 1, watch=watch or Unwatched())


def numbers(frames: list[Frame]) -> list[int]:
    return [read_number(frame) for frame in frames]


def rendered(engine: HeygemEngine, avatar: Avatar, wanted: RenderTask) -> list[int]:
    """The numbers on the frames that the engine makes."""
    return numbers(list(engine.render(engine.prepare(avatar), wanted)))


@dataclass
class Background:
    """A render in a thread of its own."""

    thread: threading.Thread
    outcome: list[list[int] | Exception]

    def result(self) -> list[int]:
        self.thread.join(30)
        assert self.outcome, "it did not end"
        if isinstance(self.outcome[0], Exception):
            raise self.outcome[0]
        return self.outcome[0]


def in_background(engine: HeygemEngine, avatar: Avatar, wanted: RenderTask) -> Background:
    outcome: list[list[int] | Exception] = []

    def work() -> None:
        try:
            outcome.append(rendered(engine, avatar, wanted))
        except Exception as error:  # noqa: BLE001 - raised again where the result is asked for
            outcome.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return Background(thread, outcome)


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}
