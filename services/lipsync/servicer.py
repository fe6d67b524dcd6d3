"""LipSyncService: messages in, messages out; the work is done elsewhere."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from importlib.metadata import version
from typing import Any

import cv2
from grpc.aio import ServicerContext

from mouthpiece.artifacts import ArtifactStore
from mouthpiece.errors import MouthpieceError, Reason, Unmet
from mouthpiece.media.encode import working_encoders
from mouthpiece.rpc.convert import duration, engine_to_proto
from mouthpiece.scratch import sweep
from mouthpiece.settings import CommonSettings, LipSyncSettings
from mouthpiece.v1 import lipsync_pb2 as pb
from mouthpiece.v1.lipsync_pb2_grpc import LipSyncServiceServicer
from services.lipsync import metrics
from services.lipsync.avatar.confinement import open_confinement
from services.lipsync.avatar.limits import Limits
from services.lipsync.avatar.models import default_models_dir, missing_models
from services.lipsync.avatars import AvatarLibrary
from services.lipsync.device import find_device
from services.lipsync.engine import Engine
from services.lipsync.engines import create_engine
from services.lipsync.telemetry import Telemetry, open_telemetry
from services.lipsync.wire import (
    ailment_to_proto,
    avatar_name,
    background_from_proto,
    device_to_proto,
    format_from_proto,
    info_to_proto,
    label_from_proto,
    order_from_proto,
    result_to_proto,
    telemetry_to_proto,
)
from services.lipsync.worker import Attempt, Outcome, RenderWorker

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5.0
"""Longest silence of a RenderChunk call, so that callers can tell a long preparation from a dead worker."""
MAX_NAMED_AVATARS = 32

_LEAST_CLIP_BYTES = 256 << 20

Context = ServicerContext[Any, Any]


class LipSyncServicer(LipSyncServiceServicer):
    """A lip-sync worker. `load` brings up engines and stores."""

    def __init__(self, common: CommonSettings, settings: LipSyncSettings) -> None:
        self._common = common
        self._settings = settings
        self._started = time.monotonic()
        self._name = settings.name or f"{socket.gethostname()}:{settings.port}"
        self._worker: RenderWorker | None = None
        self._avatars: AvatarLibrary | None = None
        self._telemetry: Telemetry | None = None

    # ------------------------------------------------------------ life

    async def load(self) -> None:
        """Open stores and load engines. Raises `Unmet` when an engine cannot be had."""
        cv2.setNumThreads(1)  # a slot is one core's work; more threads would fight over it
        store = ArtifactStore.open(self._common.artifacts_url)
        folder = self._common.cache_folder / "lipsync"
        scratch = folder / "chunks"
        await asyncio.to_thread(scratch.mkdir, parents=True, exist_ok=True)
        await asyncio.to_thread(sweep, scratch.iterdir())
        models = self._common.models or default_models_dir()
        for name in missing_models(models):
            log.warning("face model %s is missing: avatars cannot be prepared", name)
        size = self._settings.avatar_cache_bytes
        limits = Limits(
            max_pixels=self._settings.max_pixels,
            max_clip_seconds=self._settings.max_clip_seconds,
            max_clip_bytes=max(size // 2, _LEAST_CLIP_BYTES),
        )
        self._device = device_to_proto(await asyncio.to_thread(find_device))
        encoders = await asyncio.to_thread(working_encoders)
        self._telemetry = await asyncio.to_thread(open_telemetry)
        metrics.telemetry_read_by(self._telemetry.read)
        await asyncio.to_thread(open_confinement)
        self._avatars = AvatarLibrary(store, folder, models, limits, size)
        engines, left_out = await asyncio.to_thread(_load_engines, self._settings)
        slots = self._settings.slots
        self._worker = RenderWorker(
            engines, slots, self._avatars, store, scratch, self._telemetry, encoders, left_out
        )

    async def drain(self) -> None:
        """Wait for the chunks that are being rendered."""
        await self._loaded.idle()

    async def close(self) -> None:
        """Call off what still runs, and wait for its end."""
        if self._worker is not None:
            await self._worker.close()
        if self._avatars is not None:
            await self._avatars.close()
        if self._telemetry is not None:
            await asyncio.to_thread(self._telemetry.close)

    # ------------------------------------------------------------ calls

    async def InspectAvatar(
        self, request: pb.InspectAvatarRequest, context: Context
    ) -> pb.InspectAvatarResponse:
        """Look at an avatar."""
        name, wanted = avatar_name(request.avatar_sha256), background_from_proto(request)
        label_from_proto(request)
        info = await self._loaded.avatars.inspect(name)
        await self._loaded.avatars.check_backdrop(wanted, name)
        return pb.InspectAvatarResponse(info=info_to_proto(info))

    async def PrepareAvatar(
        self, request: pb.PrepareAvatarRequest, context: Context
    ) -> pb.PrepareAvatarResponse:
        """Prepare an avatar for the engine named, or for all when none is."""
        worker = self._loaded
        name, form = avatar_name(request.avatar_sha256), format_from_proto(request.format)
        engines = [worker.engine(request.engine)] if request.engine else worker.engines
        ready = await worker.avatars.obtain(name, form)
        for engine in engines:
            await worker.rig(engine.name, ready.avatar)
        return pb.PrepareAvatarResponse(info=info_to_proto(ready.info), was_ready=ready.was_ready)

    async def RenderChunk(
        self, request: pb.RenderChunkRequest, context: Context
    ) -> AsyncGenerator[pb.RenderChunkResponse]:
        """Render one chunk; the slot is held until the rendering has ended."""
        worker = self._loaded
        engine = worker.engine(request.engine, request.engine_version)
        order = order_from_proto(request, engine, worker.encoders)
        attempt, task = worker.admit(order)
        try:
            yield pb.RenderChunkResponse(accepted=pb.ChunkAccepted(worker=self._name))
            async with aclosing(_progress(attempt, task)) as progress:
                async for frames in progress:
                    yield pb.RenderChunkResponse(progress=pb.ChunkProgress(frames_done=frames))
            yield pb.RenderChunkResponse(result=result_to_proto(task.result()))
        finally:
            attempt.call_off()

    async def GetWorker(self, request: pb.GetWorkerRequest, context: Context) -> pb.GetWorkerResponse:
        """Tell what the worker is and does."""
        worker = self._loaded
        prepared = await asyncio.to_thread(worker.avatars.prepared)
        reading = await asyncio.to_thread(worker.telemetry.read)
        return pb.GetWorkerResponse(
            worker=pb.Worker(
                name=self._name,
                device=self._device,
                engines=[engine_to_proto(engine) for engine in worker.engines],
                slots=worker.slots,
                busy_slots=worker.busy,
                frames_per_second=worker.speeds,
                prepared_avatars=prepared[:MAX_NAMED_AVATARS],
                uptime=duration(time.monotonic() - self._started),
                release=version("mouthpiece"),
                ailments=[f"{ailment.engine}: {ailment.description}" for ailment in worker.ailments],
                engine_ailments=[ailment_to_proto(ailment) for ailment in worker.ailments],
                telemetry=telemetry_to_proto(reading),
                encoders=worker.encoders,
            )
        )

    @property
    def _loaded(self) -> RenderWorker:
        if self._worker is None:
            raise MouthpieceError("the worker is not loaded")
        return self._worker


async def _progress(attempt: Attempt, task: asyncio.Task[Outcome]) -> AsyncGenerator[int]:
    """Frames that are done, whenever that changed or nothing was said for a while, until the task ends."""
    while not task.done():
        attempt.changed.clear()
        changed = asyncio.create_task(attempt.changed.wait())
        try:
            await asyncio.wait({task, changed}, timeout=HEARTBEAT_SECONDS, return_when="FIRST_COMPLETED")
        finally:
            changed.cancel()
        if not task.done():
            yield attempt.frames_done


def _load_engines(settings: LipSyncSettings) -> tuple[dict[str, Engine[Any]], dict[str, Unmet]]:
    """The engines that are wanted and can be had, and what the others lack. Raises `Unmet` when all lack."""
    engines: dict[str, Engine[Any]] = {}
    left_out: dict[str, Unmet] = {}
    for name in filter(None, (part.strip() for part in settings.engines.split(","))):
        engine = create_engine(name, settings)
        try:
            engine.load()
        except Unmet as error:
            if error.reason is not Reason.WEIGHTS_MISSING:
                raise
            log.warning("engine %s is left out: %s", name, error.message)
            left_out[name] = error
        else:
            log.info("engine %s is loaded", engine.info.version)
            engines[name] = engine
    if left_out and not engines:
        raise next(iter(left_out.values()))
    return engines, left_out
