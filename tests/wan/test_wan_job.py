"""A chain through all services, whose worker is killed in the middle."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mouthpiece.client import Client, VideoOptions
from mouthpiece.errors import BadInput
from mouthpiece.v1.gateway_pb2 import CHUNK_STATE_DONE, CHUNK_STATE_RUNNING, Job, JobEvent
from tests.faults.conftest import look_at, recording
from tests.support.comfyui import FakeComfy, comfyui, write_workflows
from tests.support.fault_processes import Cluster

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
    async with Cluster(folder / "data", 2, environments=dict.fromkeys(names, environment)) as cluster:
        await cluster.gateway.start()
        async with Client(cluster.gateway.address) as client:
            yield cluster, client


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


def handed_over(job: Job) -> list[tuple[int, bool]]:
    done = [chunk for chunk in job.chunks if chunk.state == CHUNK_STATE_DONE]
    return [(chunk.frames.end, chunk.HasField("handover")) for chunk in done]


@pytest.mark.asyncio
async def test_a_chain_goes_on_elsewhere_when_its_worker_is_killed(tmp_path: Path) -> None:
    audio = recording(tmp_path / "speech.wav", 4)
    with comfyui(tmp_path / "comfy") as fake:
        async with workers(tmp_path, fake) as (cluster, client), asyncio.timeout(LIMIT):
            whole = await client.generate(tmp_path / "whole.mp4", audio=audio, options=options("single"))
            killer = Killer(cluster, fake)
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
