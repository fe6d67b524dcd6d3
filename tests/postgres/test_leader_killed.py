from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from mouthpiece.client import Client
from mouthpiece.v1 import gateway_pb2 as pb
from services.gateway.lease import Lease
from services.gateway.store import JobStore
from tests.faults.conftest import Seen, look_at, recording
from tests.faults.dying_gateway import VARIABLE
from tests.faults.test_gateway_killed import LIMIT, OPTIONS, TIMED
from tests.support.fault_processes import Cluster, Process, twin_of
from tests.support.postgres import Databases

pytestmark = pytest.mark.asyncio(loop_scope="module")

TAKEN_OVER_WITHIN = 10.0
MOMENTS = [
    "during speech, a sentence stored",
    "during rendering, a chunk rendered but not yet stored",
    "during the merge",
]


@dataclass
class Stage:
    """Two gateways that share a database and artifacts, and what an undisturbed job gives."""

    gateways: list[Process]
    url: str
    order: Path
    audio: Path
    undisturbed: Seen

    async def roles(self) -> tuple[Process, Process]:
        """The gateway that leads, and the other."""
        store = await JobStore.open(self.url)
        holder = (await Lease(store.engine, "nobody").look()).holder
        await store.close()
        leads = [holder.endswith(f":{gateway.running.pid}") for gateway in self.gateways]
        assert sum(leads) == 1
        return self.gateways[leads.index(True)], self.gateways[leads.index(False)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> AsyncGenerator[Stage]:
    folder = tmp_path_factory.mktemp("leader")
    order, url = folder / "die", databases.new_url()
    cluster = Cluster(
        folder / "data",
        workers=2,
        modules={"gateway": "tests.faults.dying_gateway"},
        environments={
            "lipsync-0": TIMED,
            "lipsync-1": TIMED,
            "gateway": {VARIABLE: str(order), "MOUTHPIECE_GATEWAY_DATABASE": url},
        },
    )
    async with cluster, twin_of(cluster.gateway) as twin:
        gateways = [cluster.gateway, twin]
        for gateway in gateways:
            await gateway.start()
        audio = recording(folder / "speech.wav", 9)
        async with Client(twin.address) as client:
            job = await client.generate(folder / "whole.mp4", audio=audio, options=OPTIONS)
            await client.delete(job.id)  # its speech would be taken for granted
        yield Stage(gateways, url, order, audio, look_at(folder / "whole.mp4"))


async def _told(client: Client, job_id: str) -> list[pb.JobEvent]:
    async with aclosing(client.watch(job_id)) as events:
        return [event async for event in events if event.sequence]


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_leader_killed_at_any_moment_is_followed_by_the_other_without_a_seam(
    stage: Stage, tmp_path: Path, moment: str
) -> None:
    leader, other = await stage.roles()
    out = tmp_path / "out.mp4"
    live: list[pb.JobEvent] = []
    stage.order.write_text(moment, encoding="utf-8")
    async with (
        asyncio.timeout(LIMIT),
        Client(f"{leader.address},{other.address}") as client,
        Client(other.address) as beside,
    ):
        job = await client.generate(out, audio=stage.audio, options=OPTIONS, on_event=live.append)
        assert not stage.order.exists()
        assert await leader.running.wait() == -signal.SIGKILL
        told = await _told(beside, job.id)
        assert [event for event in live if event.sequence] == told
        assert [event.sequence for event in told] == list(range(1, len(told) + 1))
        assert told[-1].state.state == pb.JOB_STATE_DONE
        assert look_at(out) == stage.undisturbed
        await beside.delete(job.id)
    await leader.start()


async def test_a_frozen_leader_is_followed_by_the_other_and_does_no_harm_when_it_wakes(
    stage: Stage, tmp_path: Path
) -> None:
    leader, other = await stage.roles()
    out = tmp_path / "out.mp4"
    frozen = 0.0

    def freeze(event: pb.JobEvent) -> None:
        nonlocal frozen
        if not frozen and event.chunk.state == pb.CHUNK_STATE_DONE:
            frozen = time.monotonic()
            leader.send(signal.SIGSTOP)

    async with asyncio.timeout(LIMIT), Client(other.address) as client:
        job = await client.generate(out, audio=stage.audio, options=OPTIONS, on_event=freeze)
        assert time.monotonic() - frozen < 2 * TAKEN_OVER_WITHIN
        leader.send(signal.SIGCONT)
        assert look_at(out) == stage.undisturbed
        before = await _told(client, job.id)
    async with asyncio.timeout(LIMIT), Client(leader.address) as client:
        assert await _told(client, job.id) == before
        await client.delete(job.id)
    assert (await stage.roles())[0] is other
