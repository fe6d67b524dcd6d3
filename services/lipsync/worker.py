"""The worker: engines, slots, and chunks from an order to a stored artifact.

An attempt runs as a task of its own and not inside of the call that asked for it, so that a slot is free
exactly when the rendering has really ended, whatever became of the call.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

from mouthpiece.artifacts import Artifact, ArtifactStore
from mouthpiece.core.engines import EngineClass, EngineInfo
from mouthpiece.core.motion import Crossing
from mouthpiece.core.timeline import Span
from mouthpiece.errors import BadInput, Busy, MouthpieceError, Reason, Unavailable, Unmet
from mouthpiece.logs import tag_logs
from mouthpiece.media.encode import ChunkEncoder, EncodedChunk
from mouthpiece.media.enhance import Backdrop, enhanced
from mouthpiece.media.quality import Adjustment, Encoder, Quality
from mouthpiece.rpc import tracing
from services.lipsync import metrics
from services.lipsync.avatar import Avatar, AvatarKind
from services.lipsync.avatar.preparation import Format
from services.lipsync.avatars import AvatarLibrary, Ready
from services.lipsync.backdrop import Wanted
from services.lipsync.engine import Ailing, Closing, Engine, Frame, RenderTask
from services.lipsync.gate import Gate, Report, gate_for
from services.lipsync.label import Label, labelled
from services.lipsync.telemetry import Telemetry
from services.lipsync.transition import Motion, render_motion

log = logging.getLogger(__name__)

RETRY_AFTER = 1.0
"""Seconds after which a refused caller may come back."""

CLOSE_SECONDS = 10.0
"""Time for attempts to end after they were called off; engines end within a frame."""

_KEPT = 4
"""What engines prepared for avatars is kept for so many of them."""
_REPORT_SECONDS = 0.1
"""Least time between two reports of an attempt."""
_SMOOTHING = 0.3
"""Weight of the newest chunk in the measured speed."""


@dataclass(frozen=True, slots=True)
class Order:
    """One chunk to render: checked, but for the avatar."""

    job_id: str
    attempt_id: str
    engine: str
    avatar_sha256: str
    format: Format
    quality: Quality
    encoder: Encoder
    task: RenderTask
    handover_sha256: str = ""
    """What the chunk before left in a chain."""
    keyframes: frozenset[int] = frozenset()
    """Frames at which decoding must be able to begin, counted from the chunk's own first."""
    fades: bool = False
    """Whether it is to be blended with its neighbours."""
    crossings: tuple[Crossing, ...] = ()
    """Where motion goes over to another place of its course."""
    wanted: Wanted | None = None
    """What is to stand behind the person."""
    adjustment: Adjustment = field(default_factory=Adjustment)
    label: Label | None = None
    """What is drawn on every frame."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A stored chunk, and where the seconds went."""

    artifact: Artifact
    frames: int
    codec_sha256: str
    prepare_seconds: float
    render_seconds: float
    encode_seconds: float
    warnings: tuple[str, ...]
    report: Report
    handover: Artifact | None = None
    """What the next chunk of a chain begins from."""
    energy_joules: float | None = None
    """What the whole GPU used meanwhile; `None` when it does not tell."""


@dataclass(frozen=True, slots=True)
class Ailment:
    """What keeps an engine from rendering: for a while, or until what `reason` says is mended."""

    engine: str
    description: str
    reason: Reason | None = None


class CalledOff(MouthpieceError):
    """The attempt was called off before it ended."""

    status = "UNAVAILABLE"


@dataclass
class Attempt:
    """A chunk being rendered. `frames_done` grows; `changed` is set whenever it did."""

    order: Order
    frames_done: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    stop: threading.Event = field(default_factory=threading.Event)
    obtaining: asyncio.Task[Ready] | None = None

    def report(self, frames: int) -> None:
        """So many frames are encoded, or as good as done."""
        self.frames_done = max(self.frames_done, frames)
        self.changed.set()

    def call_off(self) -> None:
        """Make it end soon; nothing happens when it has ended."""
        self.stop.set()
        if self.obtaining is not None:
            self.obtaining.cancel()


class RenderWorker:
    """Renders chunks, as many at a time as it has slots. All methods belong to one event loop."""

    def __init__(
        self,
        engines: dict[str, Engine[Any]],
        slots: int,
        avatars: AvatarLibrary,
        store: ArtifactStore,
        scratch: Path,
        telemetry: Telemetry,
        encoders: tuple[Encoder, ...],
        left_out: Mapping[str, Unmet] = MappingProxyType({}),
    ) -> None:
        """`left_out` are engines that were wanted but could not be loaded, and what each of them lacks."""
        self.slots = slots
        self.avatars = avatars
        self.telemetry = telemetry
        self.encoders = encoders
        self.speeds: dict[str, float] = {}
        """Measured frames per second by engine."""
        self._engines = engines
        self._left_out = left_out
        self._store = store
        self._scratch = scratch
        self._rigs = _Rigs()
        self._running: dict[asyncio.Task[Outcome], Attempt] = {}
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix="render")
        metrics.slots_offered(slots)

    @property
    def busy(self) -> int:
        """Chunks being rendered."""
        return len(self._running)

    @property
    def engines(self) -> list[EngineInfo]:
        """Engines that are loaded and can render."""
        return [engine.info for engine in self._engines.values() if not _ailment(engine)]

    @property
    def ailments(self) -> list[Ailment]:
        """What keeps the other engines from rendering."""
        named = (Ailment(engine.info.name, _ailment(engine)) for engine in self._engines.values())
        lacking = (Ailment(name, lack.message, lack.reason) for name, lack in self._left_out.items())
        return [*(ailment for ailment in named if ailment.description), *lacking]

    def engine(self, name: str, version: str = "") -> EngineInfo:
        """What a loaded engine declares; "" means any version.

        Raises `Unmet`: ENGINE_UNKNOWN, or what an engine that was left out lacks.
        """
        engine = self._engines.get(name)
        if lack := self._left_out.get(name):
            raise Unmet(lack.reason, lack.message)
        if engine is None:
            has = ", ".join(sorted(self._engines)) or "none"
            raise Unmet(Reason.ENGINE_UNKNOWN, f"this worker does not have engine {name!r}; it has {has}")
        if version not in ("", engine.info.version):
            message = f"engine {name!r} is {engine.info.version} here, not {version}"
            raise Unmet(Reason.ENGINE_UNKNOWN, message)
        if ailment := _ailment(engine):
            raise Unavailable(ailment, RETRY_AFTER)
        return engine.info

    def admit(self, order: Order) -> tuple[Attempt, asyncio.Task[Outcome]]:
        """Take a slot and begin. Raises `Busy` when every slot is taken."""
        if self.busy >= self.slots:
            metrics.chunk_refused()
            raise Busy(f"every slot is taken ({self.slots})", RETRY_AFTER)
        attempt = Attempt(order)
        task = asyncio.create_task(self._attempt(attempt))
        self._running[task] = attempt
        metrics.chunk_started()
        task.add_done_callback(self._ended)
        return attempt, task

    async def idle(self) -> None:
        """Wait until nothing is rendered."""
        while self._running:
            await asyncio.wait(list(self._running))

    async def close(self) -> None:
        """Call off what is being rendered and wait for its end, but not for an engine that hangs."""
        for attempt in self._running.values():
            attempt.call_off()
        for engine in self._engines.values():
            if isinstance(engine, Closing):
                engine.close()
        if self._running:
            _, hanging = await asyncio.wait(list(self._running), timeout=CLOSE_SECONDS)
            for task in hanging:
                log.error("job %s: the engine does not stop", self._running[task].order.job_id)
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def rig(self, engine: str, avatar: Avatar) -> Any:
        """What the engine prepares for an avatar."""
        return await asyncio.to_thread(self._rigs.of, self._engines[engine], avatar)

    async def _attempt(self, attempt: Attempt) -> Outcome:
        order = attempt.order
        tag_logs(job=order.job_id, attempt=order.attempt_id)
        start, began = time.perf_counter(), time.time_ns()
        ready = await self._obtain(attempt)
        if attempt.stop.is_set():
            raise CalledOff("the caller went away")
        _check_kind(self._engines[order.engine].info, ready.avatar)
        prepared = await self.rig(order.engine, ready.avatar)
        behind = await self.avatars.backdrop(order.wanted, ready.avatar)
        prepare_seconds = time.perf_counter() - start
        tracing.happened("prepare", began, ready_before=ready.was_ready)
        async with self._workplace(order) as (path, task):
            rendering = _Rendering(
                attempt, self._engines[order.engine], ready.avatar, behind, prepared, path, task
            )
            loop = asyncio.get_running_loop()
            energy = await asyncio.to_thread(self.telemetry.energy_joules)
            began = time.time_ns()
            chunk, report, seconds = await loop.run_in_executor(self._pool, rendering.run, loop)
            if attempt.stop.is_set():
                raise CalledOff("the caller went away")
            used = _growth(energy, await asyncio.to_thread(self.telemetry.energy_joules))
            tracing.happened("render", began, frames=chunk.frames, encode_seconds=chunk.encode_seconds)
            artifact = await self._store.put_file(chunk.path)
            handover = await self._store.put_file(task.leave) if task.leave else None
        self._learn(order.engine, chunk.frames / max(seconds, 1e-6))
        render_seconds = max(0.0, seconds - chunk.encode_seconds)
        times = (prepare_seconds, render_seconds, chunk.encode_seconds)
        video = float(chunk.frames / order.format.fps)
        metrics.chunk_rendered(order.engine, chunk.frames, video, *times, used)
        return Outcome(
            artifact, chunk.frames, chunk.codec_sha256, *times, ready.avatar.warnings, report, handover, used
        )

    @asynccontextmanager
    async def _workplace(self, order: Order) -> AsyncGenerator[tuple[Path, RenderTask]]:
        """Where to write the chunk, and the task with the files that a chain needs.

        Raises `NotFound` or `DataLoss` when what the chunk before left is gone.
        """
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(dir=self._scratch, prefix="chunk-")))
            task = order.task
            chained = self._engines[order.engine].info.engine_class is EngineClass.CHAINED
            if chained and not order.fades:  # what is blended hands nothing on
                task = replace(task, leave=folder / "handover")
            if order.handover_sha256:
                found = await stack.enter_async_context(self._store.local(order.handover_sha256))
                task = replace(task, handover=found)
            yield folder / "chunk.mp4", task

    async def _obtain(self, attempt: Attempt) -> Ready:
        order = attempt.order
        attempt.obtaining = asyncio.create_task(self.avatars.obtain(order.avatar_sha256, order.format))
        try:
            return await attempt.obtaining
        except asyncio.CancelledError:
            if attempt.stop.is_set():
                raise CalledOff("the caller went away") from None
            raise
        finally:
            attempt.obtaining = None

    def _learn(self, engine: str, speed: float) -> None:
        known = self.speeds.get(engine, speed)
        self.speeds[engine] = known + _SMOOTHING * (speed - known)

    def _ended(self, task: asyncio.Task[Outcome]) -> None:
        order = self._running.pop(task).order
        error = None if task.cancelled() else task.exception()
        outcome = "done" if error is None else "called_off" if isinstance(error, CalledOff) else "failed"
        metrics.chunk_ended(order.engine, outcome)
        log.info("job %s attempt %s: %s", order.job_id, order.attempt_id, error or outcome)


class _Rigs:
    """What engines prepared for the avatars that were used last. Thread-safe; each is prepared once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str, str], Any] = OrderedDict()

    def of(self, engine: Engine[Any], avatar: Avatar) -> Any:
        key = (engine.info.name, engine.info.version, avatar.key)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = engine.prepare(avatar)
            self._kept.move_to_end(key)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return self._kept[key]


@dataclass(frozen=True, slots=True)
class _Rendering:
    """The part of an attempt that runs in a thread: frames from the engine into the encoder."""

    attempt: Attempt
    engine: Engine[Any]
    avatar: Avatar
    backdrop: Backdrop | None
    prepared: Any
    path: Path
    task: RenderTask

    def run(self, loop: asyncio.AbstractEventLoop) -> tuple[EncodedChunk, Report, float]:
        """The chunk, what was seen of it, and the seconds that it took.

        Raises `CalledOff` within a frame of being called off, and `Broken` when the chunk cannot be right.
        """
        order, start, told = self.attempt.order, time.perf_counter(), 0.0
        form = order.format
        own, around = self.task.frames, order.adjustment.around(self.task.frames)
        task = replace(self.task, frames=around, watch=_Watch(self.attempt, loop))
        motion = Motion.of(around, order.crossings, self.avatar, task.fps)
        gate = gate_for(own, task.fps, task.speech, self.avatar, motion.at)
        frames = render_motion(self.engine, self.prepared, task, motion)
        with (
            closing(frames),
            ChunkEncoder(
                self.path,
                form.fps,
                form.width,
                form.height,
                order.quality,
                keyframes=order.keyframes,
                encoder=order.encoder,
            ) as encoder,
        ):
            better = enhanced(self._seen(frames, around, gate), order.adjustment, self.backdrop)
            for frame in labelled(_part(better, around, own), order.label):
                encoder.write(frame)
                if time.perf_counter() - told > _REPORT_SECONDS:
                    told = time.perf_counter()
                    loop.call_soon_threadsafe(self.attempt.report, encoder.frames)
            if self.attempt.stop.is_set():
                raise CalledOff("the caller went away")
            chunk = encoder.finish()
        loop.call_soon_threadsafe(self.attempt.report, chunk.frames)
        return chunk, gate.report(), time.perf_counter() - start

    def _seen(self, frames: Iterable[Frame], around: Span, gate: Gate) -> Iterator[Frame]:
        made, own = 0, range(self.task.frames.first, self.task.frames.end)
        for number, frame in enumerate(frames, around.first):
            if self.attempt.stop.is_set():
                raise CalledOff("the caller went away")
            if number in own:
                gate.look(frame)
            yield frame
            made += 1
        if made != len(around) and not self.attempt.stop.is_set():
            engine = self.attempt.order.engine
            raise MouthpieceError(f"engine {engine!r} made {made} of {len(around)} frames")


@dataclass(frozen=True, slots=True)
class _Watch:
    """An attempt as its engine sees it, from the thread that renders."""

    attempt: Attempt
    loop: asyncio.AbstractEventLoop

    @property
    def called_off(self) -> bool:
        return self.attempt.stop.is_set()

    def foresee(self, frames: int) -> None:
        self.loop.call_soon_threadsafe(self.attempt.report, frames)


def _part(frames: Iterable[Frame], around: Span, own: Span) -> Iterator[Frame]:
    """Those of the frames ``around`` some that are ``own``; all are gone through."""
    for number, frame in enumerate(frames, around.first):
        if own.first <= number < own.end:
            yield frame


def _growth(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else max(0.0, after - before)


def _ailment(engine: Engine[Any]) -> str:
    return engine.ailment if isinstance(engine, Ailing) else ""


def _check_kind(engine: EngineInfo, avatar: Avatar) -> None:
    portrait = avatar.kind is AvatarKind.PORTRAIT
    if not (engine.takes_portrait if portrait else engine.takes_video):
        raise BadInput("avatar", f"engine {engine.name!r} takes no {avatar.kind.value}")
