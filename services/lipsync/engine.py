"""The contract between the lip-sync service and its engines.

An engine turns a prepared avatar and a stretch of speech into frames. It knows nothing of gRPC, jobs,
encoders or the artifact store. For windowed engines the frames are a pure function of frame index, the
speech within `lead_samples` before and `tail_samples` after the frame, avatar, format and seed: rendering
[0, 100) gives bit for bit what [0, 37) and [37, 100) give.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from mouthpiece.core.engines import EngineInfo
from mouthpiece.core.speech import SpeechSlice
from mouthpiece.core.timeline import Span
from services.lipsync.avatar import Avatar

Frame = npt.NDArray[np.uint8]
"""One picture as planar I420: uint8 of shape (height * 3 // 2, width), BT.709, limited range."""

Prepared = TypeVar("Prepared")


class Watch(Protocol):
    """Whoever waits for a rendering. Engines that give their frames only at the end talk to it meanwhile."""

    @property
    def called_off(self) -> bool:
        """Whether nobody wants the frames any more."""
        ...

    def foresee(self, frames: int) -> None:
        """As good as so many frames are done."""
        ...


class Unwatched:
    """Nobody cares."""

    called_off = False

    def foresee(self, frames: int) -> None:
        """Said to nobody."""


@dataclass(frozen=True, slots=True)
class RenderTask:
    """What to render: global frame indices, on which grid, to which speech, with which idle motion."""

    frames: Span
    fps: Fraction
    speech: SpeechSlice
    seed: int
    watch: Watch = field(default_factory=Unwatched, compare=False)
    prompt: str = ""
    handover: Path | None = None
    """For chained engines: what the chunk before left, None at the beginning of a chain."""
    leave: Path | None = None
    """For chained engines: where to write what the next chunk begins from, once all frames were given."""


@runtime_checkable
class Ailing(Protocol):
    """An engine that can be out of order for a while, without the worker being so."""

    @property
    def ailment(self) -> str:
        """What keeps it from rendering, "" when nothing does."""
        ...


@runtime_checkable
class Closing(Protocol):
    """An engine that waits for something outside, and can stop doing so."""

    def close(self) -> None:
        """End what is being rendered soon."""
        ...


class Engine(Protocol[Prepared]):
    """One way of making a face talk."""

    @property
    def info(self) -> EngineInfo:
        """What the engine declares; known before `load`."""
        ...

    def load(self) -> None:
        """Import what is heavy and load models. Raises `Unmet` (WEIGHTS_MISSING) when they are not there."""
        ...

    def prepare(self, avatar: Avatar) -> Prepared:
        """Compute once what every chunk with this avatar needs. Deterministic."""
        ...

    def render(self, prepared: Prepared, task: RenderTask) -> Iterator[Frame]:
        """Yield exactly `len(task.frames)` frames in order; stops early when the iterator is closed."""
        ...
