"""A chain through all services, whose worker is killed in the middle."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mouthpiece.client import Client, VideoOptions
from mouthpiece.errors import BadInput
from mouthpiece.settings import LipSyncSettings
from mouthpiece.v1.gateway_pb2 import CHUNK_STATE_DONE, CHUNK_STATE_RUNNING, Job, JobEvent
from tests.faults.conftest import look_at, recording
from tests.support.comfyui import FakeComfy, comfyui, write_workflows
from tests.support.fault_processes import Cluster
from tests.support.heygem_cluster import cluster

LIMIT = 120
SIZE = 128


def options(mode: str) -> VideoOptions:
    return VideoOptions(
        engine="wan-s2v",
        mode="single" if mode == "single" else "chunked",
        chunk_seconds=None if mode == "single" else 2,
        quality="lossless",
        width=SIZE,
        height=SIZE,
        seed=1,
        prompt="he nods",
    )


@asynccontextmanager
async def workers(folder: Path, fake: FakeComfy) -> AsyncGenerator[tuple[Cluster, Client]]:
    """Two workers in front of one ComfyUI, and a client of their gateway."""
    first, following = write_workflows(folder)
    environment = {
        "MOUTHPIECE_LIPSYNC_ENGINES": "wan-s2v",
        "MOUTHPIECE_LIPSYNC_WAN_COMFYUI": fake.url,
        "MOUTHPIECE_LIPSYNC_WAN_WORKFLOW": str(first),
        "MOUTHPIECE_LIPSYNC_WAN_WORKFLOW_NEXT": str(following),
        "MOUTHPIECE_LIPSYNC_WAN_PIXELS": str(64 * 64),
    }
    names = ("lipsync-0", "lipsync-1")
    async with Cluster(folder / "data", 2, environments=dict.fromkeys(names, environment)) as running:
        await running.gateway.start()
        async with Client(running.gateway.address) as client:
            yield running, client


class Killer:
    """Kills the worker that renders the second chunk of a job, while it waits for its clip."""

    def __init__(self, cluster: Cluster, fake: FakeComfy) -> None:
        self.killed = ""
        self._cluster = cluster
        self._fake = fake
        self._done = 0

    def see(self, event: JobEvent) -> None:
        chunk = event.chunk
        if chunk.state == CHUNK_STATE_DONE:
            self._done += 1
        if chunk.state == CHUNK_STATE_RUNNING and self._done and not self.killed:
            self.killed = chunk.worker
            self._fake.manners.held = threading.Event()
            child = next(s.child for s in self._cluster.suite.services if s.plan.name == chunk.worker)
            assert child is not None
            os.kill(child.pid, signal.SIGKILL)
            self._fake.manners.held.set()


@pytest.mark.asyncio
async def test_chains_that_are_blended_need_no_order_and_say_that_they_are_approximate(
    tmp_path: Path,
) -> None:
    audio = recording(tmp_path / "speech.wav", 3)
    wish = replace(options("chunked"), crossfade=0.4)
    with comfyui(tmp_path / "comfy") as fake:
        settings = [worker(tmp_path, fake, name) for name in ("one", "two")]
        async with cluster(tmp_path / "data", settings) as client, asyncio.timeout(LIMIT):
            both = Together(fake)
            job = await client.generate(tmp_path / "out.mp4", audio=audio, options=wish, on_event=both.see)
            plan = await client.plan(job.spec)
            job = await client.get_job(job.id)
    assert job.result.approximate
    assert plan.approximate
    assert any("approximate" in warning for warning in job.warnings)
    done = [chunk for chunk in job.chunks if chunk.state == CHUNK_STATE_DONE]
    assert len(done) == 3
    assert not any(has for _, has in handed_over(job))
    assert {"one", "two"} <= both.running
    assert len(look_at(tmp_path / "out.mp4").frames) == job.result.frames == 150


def worker(folder: Path, fake: FakeComfy, name: str) -> LipSyncSettings:
    first, following = write_workflows(folder)
    return LipSyncSettings(
        name=name,
        engines="wan-s2v",
        wan_comfyui=fake.url,
        wan_workflow=first,
        wan_workflow_next=following,
        wan_pixels=64 * 64,
    )


class Together:
    """Holds up every clip until two workers are at it."""

    def __init__(self, fake: FakeComfy) -> None:
        self.running: set[str] = set()
        self._held = fake.manners.held = threading.Event()

    def see(self, event: JobEvent) -> None:
        if event.chunk.state == CHUNK_STATE_RUNNING:
            self.running.add(event.chunk.worker)
        if len(self.running) == 2:
            self._held.set()


def handed_over(job: Job) -> list[tuple[int, bool]]:
    done = [chunk for chunk in job.chunks if chunk.state == CHUNK_STATE_DONE]
    return [(chunk.frames.end, chunk.HasField("handover")) for chunk in done]


@pytest.mark.asyncio
async def test_a_chain_goes_on_elsewhere_when_its_worker_is_killed(tmp_path: Path) -> None:
    audio = recording(tmp_path / "speech.wav", 4)
    with comfyui(tmp_path / "comfy") as fake:
        async with workers(tmp_path, fake) as (running, client), asyncio.timeout(LIMIT):
            whole = await client.generate(tmp_path / "whole.mp4", audio=audio, options=options("single"))
            killer = Killer(running, fake)
            cut = await client.generate(
                tmp_path / "cut.mp4", audio=audio, options=options("chunked"), on_event=killer.see
            )
            job = await client.get_job(cut.id)
            with pytest.raises(BadInput, match="no worker has"):
                await client.generate(
                    tmp_path / "no.mp4", text="No.", options=VideoOptions(engine="viseme", prompt="she sings")
                )
    assert whole.result.statistics.chunks == 1
    assert cut.result.statistics.chunks > 2
    assert killer.killed
    assert cut.result.statistics.failed_attempts >= 1
    assert all(has for _, has in handed_over(job))
    assert len(handed_over(job)) == cut.result.statistics.chunks
    assert look_at(tmp_path / "cut.mp4") == look_at(tmp_path / "whole.mp4")
