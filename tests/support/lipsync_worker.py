"""A real lip-sync service on a free port, with engines that tests hold in their hands."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc.aio
import numpy as np
import pytest

from mouthpiece.artifacts import ArtifactStore
from mouthpiece.core.engines import EngineClass, EngineInfo
from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.errors import MouthpieceError
from mouthpiece.rpc.server import Running, serving
from mouthpiece.rpc.status import from_rpc_error
from mouthpiece.settings import CommonSettings, LipSyncSettings
from mouthpiece.v1 import common_pb2
from mouthpiece.v1 import lipsync_pb2 as pb
from mouthpiece.v1.lipsync_pb2_grpc import LipSyncServiceStub
from services.lipsync.__main__ import program
from services.lipsync.avatar import Avatar
from services.lipsync.engine import Frame, RenderTask

if TYPE_CHECKING:
    from mouthpiece.v1.lipsync_pb2_grpc import LipSyncServiceAsyncStub

SIDE = 128
PATIENCE = 60.0
"""Seconds after which a test that waits has failed."""


@dataclass
class HeldEngine:
    """Gives a frame only when `permits` allow; remembers what became of it."""

    permits: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    started: threading.Event = field(default_factory=threading.Event)
    closed: threading.Event = field(default_factory=threading.Event)
    prepared: list[str] = field(default_factory=list)
    given: int = 0
    fail: Exception | None = None
    takes_portrait: bool = True
    lead: int = 0
    longest: int = 0

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(
            name="held",
            description="Waits for permission.",
            engine_class=EngineClass.WINDOWED,
            version="held-1",
            lead_samples=self.lead,
            tail_samples=0,
            max_chunk_frames=self.longest,
            takes_portrait=self.takes_portrait,
        )

    def load(self) -> None:
        pass

    def prepare(self, avatar: Avatar) -> Avatar:
        self.prepared.append(avatar.key)
        return avatar

    def render(self, prepared: Avatar, task: RenderTask) -> Iterator[Frame]:
        self.started.set()
        try:
            for _ in task.frames:
                while not self.permits.acquire(timeout=0.02):
                    if self.fail:
                        raise self.fail
                self.given += 1
                yield np.array(prepared.frame_i420(0))
        finally:
            self.closed.set()


@dataclass(frozen=True)
class Service:
    """A service that is up, seen from outside and from its store."""

    running: Running
    stub: LipSyncServiceAsyncStub
    store: ArtifactStore
    folder: Path

    async def worker(self) -> pb.Worker:
        return (await self.stub.GetWorker(pb.GetWorkerRequest())).worker

    def artifacts(self) -> set[str]:
        return {path.name for path in (self.folder / "artifacts").rglob("*") if path.is_file()}


def connected(channel: grpc.aio.Channel) -> LipSyncServiceAsyncStub:
    """A client of the service."""
    return LipSyncServiceStub(channel)


def settings_for(folder: Path) -> CommonSettings:
    return CommonSettings(data=folder)


@asynccontextmanager
async def service(
    folder: Path, settings: LipSyncSettings, drain_seconds: float = PATIENCE
) -> AsyncGenerator[Service]:
    """Serve inside the context."""
    common = settings_for(folder)
    async with (
        serving(program(common, settings), "127.0.0.1", 0, drain_seconds) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        yield Service(running, connected(channel), ArtifactStore.open(common.artifacts_url), folder)


def with_portrait(folder: Path, portrait_file: Path) -> None:
    """Draw the default avatar only once in a test run."""
    cache = folder / "cache" / "lipsync"
    cache.mkdir(parents=True)
    (cache / portrait_file.name).symlink_to(portrait_file)


def video_format(width: int = SIDE, height: int = SIDE, fps: int = 25) -> common_pb2.VideoFormat:
    rate = common_pb2.Rational(numerator=fps, denominator=1)
    return common_pb2.VideoFormat(fps=rate, width=width, height=height)


def silence(seconds: int = 2) -> common_pb2.SpeechSlice:
    samples = seconds * SPEECH_RATE
    return common_pb2.SpeechSlice(samples=common_pb2.Span(first=0, end=samples), pcm=bytes(2 * samples))


def chunk_request(engine: str, first: int, end: int, avatar: str = "") -> pb.RenderChunkRequest:
    return pb.RenderChunkRequest(
        job_id="job",
        attempt_id=f"job/{first}",
        engine=engine,
        avatar_sha256=avatar,
        format=video_format(),
        quality=common_pb2.QUALITY_LOSSLESS,
        frames=common_pb2.Span(first=first, end=end),
        speech=silence(),
        seed=3,
    )


async def error_of(call: Any) -> MouthpieceError:
    """What a call, of one answer or of many, fails with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (_last(call) if hasattr(call, "__aiter__") else call)
    return from_rpc_error(caught.value)


async def _last(call: Any) -> Any:
    return [message async for message in call][-1]
