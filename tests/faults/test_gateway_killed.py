from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from mouthpiece.client import Client, VideoOptions
from mouthpiece.v1 import gateway_pb2 as pb
from tests.faults.conftest import Seen, look_at, recording
from tests.faults.dying_gateway import MOMENTS, VARIABLE
from tests.support.fault_processes import Cluster, Process

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIMED = {"MOUTHPIECE_LIPSYNC_ENGINES": "timed", "MOUTHPIECE_LIPSYNC_TIMED_FRAMES_PER_SECOND": "400"}
OPTIONS = VideoOptions(
    engine="timed",
    width=128,
    height=128,
    quality="lossless",
    mode="chunked",
    chunk_seconds=2,
    ignore_cache=True,
    seed=1,
)

LIMIT = 60


@dataclass
class Stage:
    """A suite whose gateway dies when `order` names a moment, and what an undisturbed job gives."""

    gateway: Process
    order: Path
    audio: Path
    undisturbed: Seen


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    folder = tmp_path_factory.mktemp("killed")
    order = folder / "die"
    cluster = Cluster(
        folder / "data",
        workers=2,
        modules={"gateway": "tests.faults.dying_gateway"},
        environments={"lipsync-0": TIMED, "lipsync-1": TIMED, "gateway": {VARIABLE: str(order)}},
    )
    async with cluster:
        await cluster.gateway.start()
        audio = recording(folder / "speech.wav", 9)
        async with Client(cluster.gateway.address) as client:
            job = await client.generate(folder / "whole.mp4", audio=audio, options=OPTIONS)
            await client.delete(job.id)  # its speech would be taken for granted
        yield Stage(cluster.gateway, order, audio, look_at(folder / "whole.mp4"))


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_gateway_killed_at_any_moment_loses_nothing_and_its_client_sees_no_seam(
    stage: Stage, tmp_path: Path, moment: str
) -> None:
    out = tmp_path / "out.mp4"
    live: list[pb.JobEvent] = []
    stage.order.write_text(moment, encoding="utf-8")
    async with asyncio.timeout(LIMIT), Client(stage.gateway.address) as client:
        revival = asyncio.create_task(stage.gateway.revive_once())
        job = await client.generate(out, audio=stage.audio, options=OPTIONS, on_event=live.append)
        await revival
        async with aclosing(client.watch(job.id)) as events:
            told = [event async for event in events if event.sequence]
        await client.delete(job.id)
        assert await client.list_jobs() == []
    assert not stage.order.exists()
    assert [event for event in live if event.sequence] == told
    assert [event.sequence for event in told] == list(range(1, len(told) + 1))
    assert told[-1].state.state == pb.JOB_STATE_DONE
    assert look_at(out) == stage.undisturbed
