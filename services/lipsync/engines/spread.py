"""One engine on several devices: Ray actors hold it, and the batches of a chunk are dealt to them in turn.

A frame of a windowed engine depends on nothing but its task, so it does not matter who makes it: frames are
those of one device, bit for bit.
"""

from __future__ import annotations

import importlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mouthpiece.core.engines import EngineInfo
from mouthpiece.core.timeline import Span
from mouthpiece.errors import Reason, Unavailable, Unmet
from services.lipsync.avatar import Avatar
from services.lipsync.engine import Engine, Frame, RenderTask, Unwatched

log = logging.getLogger(__name__)

BATCH = 32
"""Frames of a batch."""
AHEAD = 2
"""Batches that each device has before the oldest is waited for."""
LOAD_SECONDS = 600.0
BATCH_SECONDS = 120.0
"""A device that takes longer for a batch, the avatar's preparation included, counts as dead."""
DEATHS = 3
"""Devices may die so often over one batch."""


class Seat:
    """What runs beside a device: the engine, and what it prepared for the avatar that was used last."""

    def __init__(self, make: Callable[[], Engine[Any]], gpu: str | None) -> None:
        if gpu is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = gpu  # before anything of CUDA is imported
        self._engine = make()
        self._key = ""
        self._prepared: Any = None

    def load(self) -> int:
        """Load the engine; the process id. Raises `Unmet`."""
        self._engine.load()
        return os.getpid()

    def render(self, source: Source, task: RenderTask) -> Any:
        """Frames of a task, stacked."""
        if self._key != source.key:
            self._prepared, self._key = self._engine.prepare(source.avatar()), source.key
        return np.stack(list(self._engine.render(self._prepared, task)))


@dataclass(frozen=True, slots=True)
class Source:
    """Where a device finds an avatar: in its folder, which all processes here see, or in the message."""

    key: str
    folder: Path | None
    content: Avatar | None

    @classmethod
    def of(cls, avatar: Avatar) -> Source:
        return cls(avatar.key, avatar.folder, None if avatar.folder else avatar)

    def avatar(self) -> Avatar:
        """The avatar. Raises `OSError` when its folder is gone."""
        if self.content is not None:
            return self.content
        from services.lipsync.avatar.preparation import load

        assert self.folder is not None
        return load(self.folder, self.key)[0]


@dataclass(slots=True)
class _Batch:
    task: RenderTask
    seat: int
    actor: Any = None
    result: Any = None


class SpreadEngine:
    """Renders with what `make` makes, on so many devices: GPUs where CUDA has any, else cores."""

    def __init__(self, make: Callable[[], Engine[Any]], devices: int) -> None:
        self._make = make
        self._devices = devices
        self._own = make()
        self._lock = threading.Lock()
        self._ray: Any = None
        self._seat: Any = None
        self._gpus: Sequence[str | None] = ()
        self._actors: list[Any] = []
        self.processes: list[int] = []
        """Process ids, by device."""

    @property
    def info(self) -> EngineInfo:
        """What the engine declares."""
        return self._own.info

    def load(self) -> None:
        """Start a process beside every device and load the engine there. Raises `Unmet`."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            self._ray = importlib.import_module("ray")
        except ImportError:
            message = "an engine on several devices needs the package ray: install mouthpiece[ray]"
            raise Unmet(Reason.ENGINE_UNAVAILABLE, message) from None
        self._ray.init(
            ignore_reinit_error=True,  # another engine may be spread, too
            num_cpus=self._devices,
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
            _node_ip_address="127.0.0.1",
        )
        try:
            self._gpus = _gpus(int(self._ray.cluster_resources().get("GPU", 0)), self._devices)
            # Nothing is reserved: several engines share the devices.
            self._seat = self._ray.remote(num_cpus=0)(Seat)
            self._actors = [self._seat.remote(self._make, gpu) for gpu in self._gpus]
            loads = [actor.load.remote() for actor in self._actors]
            self.processes = self._ray.get(loads, timeout=LOAD_SECONDS)
        except Unmet as error:
            self.close()
            raise Unmet(error.reason, error.message) from None

    def close(self) -> None:
        """End the processes."""
        self._ray.shutdown()

    def prepare(self, avatar: Avatar) -> Any:
        """The avatar's whereabouts: each device prepares it when it gets its first batch."""
        return self._ray.put(Source.of(avatar))

    def render(self, prepared: Any, task: RenderTask) -> Iterator[Frame]:
        """Yield the frames of a task in order. Raises `Unavailable` when devices keep dying."""
        dealt: deque[_Batch] = deque()
        for number, first in enumerate(range(task.frames.first, task.frames.end, BATCH)):
            part = replace(task, frames=Span(first, min(first + BATCH, task.frames.end)), watch=Unwatched())
            batch = _Batch(part, number % self._devices)
            self._deal(prepared, batch)
            dealt.append(batch)
            if len(dealt) >= AHEAD * self._devices:
                yield from self._made(prepared, dealt.popleft())
        while dealt:
            yield from self._made(prepared, dealt.popleft())

    def _deal(self, prepared: Any, batch: _Batch) -> None:
        batch.actor = self._actors[batch.seat]
        batch.result = batch.actor.render.remote(prepared, batch.task)

    def _made(self, prepared: Any, batch: _Batch) -> Any:
        """The frames of a batch, rendered again while devices die over it."""
        errors = self._ray.exceptions
        for _ in range(DEATHS):
            try:
                return self._ray.get(batch.result, timeout=BATCH_SECONDS)
            except (errors.RayActorError, errors.GetTimeoutError) as error:
                self._replace(batch.seat, batch.actor, type(error).__name__)
                self._deal(prepared, batch)
        raise Unavailable(f"devices died {DEATHS} times over the same frames")

    def _replace(self, seat: int, dead: Any, why: str) -> None:
        """Put a new process beside a device, unless somebody has done so."""
        with self._lock:
            if self._actors[seat] is not dead:
                return
            log.warning("the process of device %d is replaced: %s", seat, why)
            self._ray.kill(dead)
            self._actors[seat] = self._seat.remote(self._make, self._gpus[seat])
            self.processes[seat] = self._ray.get(self._actors[seat].load.remote(), timeout=LOAD_SECONDS)


def _gpus(there: int, wanted: int) -> Sequence[str | None]:
    """What CUDA calls each device; None: a core. Raises `Unmet` when there are too few GPUs."""
    if not there:
        return [None] * wanted
    if there < wanted:
        raise Unmet(Reason.ENGINE_UNAVAILABLE, f"{wanted} devices are wanted, there are {there}")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return [*(visible.split(",") if visible else map(str, range(there)))][:wanted]
