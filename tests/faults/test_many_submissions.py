from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from mouthpiece.artifacts import ArtifactStore
from mouthpiece.client import Client
from mouthpiece.settings import CommonSettings
from mouthpiece.suite import Machine, ServicePlan, SuiteConfig
from mouthpiece.suite.layout import plan
from mouthpiece.suite.ports import pick
from mouthpiece.v1 import gateway_pb2 as pb
from mouthpiece.v1.lipsync_pb2_grpc import add_LipSyncServiceServicer_to_server
from mouthpiece.v1.merger_pb2_grpc import add_MergerServiceServicer_to_server
from mouthpiece.v1.tts_pb2_grpc import add_SpeechServiceServicer_to_server
from tests.support.fault_processes import Process
from tests.support.gateway_fakes import FakeMerger, FakeSpeech, FakeWorker, frame_lines, serve_fake

SUBMISSIONS = 200
AT_A_TIME = 16
FRAMES = 50
KILLS = 2
SEED = 1
LIMIT = 150


@dataclass
class Killed:
    """A gateway process among services that answer at once, and where those keep their artifacts."""

    gateway: Process
    artifacts: ArtifactStore


@asynccontextmanager
async def real_gateway(folder: Path, database: str = "") -> AsyncGenerator[Killed]:
    """A real process in front of fakes in this one, which outlive it."""
    config = SuiteConfig(folder, 1, grpc_port=0, drain_seconds=1)
    artifacts = ArtifactStore.open(CommonSettings(data=folder).artifacts_url)
    fakes = (
        (FakeSpeech(), "SpeechService", add_SpeechServiceServicer_to_server),
        (FakeMerger(artifacts), "MergerService", add_MergerServiceServicer_to_server),
        (FakeWorker("w0", artifacts), "LipSyncService", add_LipSyncServiceServicer_to_server),
        (FakeWorker("w1", artifacts), "LipSyncService", add_LipSyncServiceServicer_to_server),
    )
    async with AsyncExitStack() as stack:
        addresses = [(await stack.enter_async_context(serve_fake(*fake))).address for fake in fakes]
        gateway = Process(_front(addresses, database), config)
        stack.push_async_callback(gateway.stop)
        await gateway.start()
        yield Killed(gateway, artifacts)


def _front(addresses: list[str], database: str) -> ServicePlan:
    front = plan(Machine(2, ()), pick([0] * 9))[-1]
    where = {
        "MOUTHPIECE_GATEWAY_TTS": addresses[0],
        "MOUTHPIECE_GATEWAY_MERGER": addresses[1],
        "MOUTHPIECE_GATEWAY_WORKERS": ",".join(addresses[2:]),
        "MOUTHPIECE_GATEWAY_DATABASE": database,
    }
    return ServicePlan(front.name, front.module, front.port, {**front.environment, **where}, front.stage)


async def submit_all(client: Client, deadly: set[int], gateway: Process) -> dict[str, str]:
    """Hand in all jobs; the gateway is killed when a deadly number of answers is in. Job ids by request."""
    turns = asyncio.Semaphore(AT_A_TIME)
    told: dict[str, str] = {}

    async def submit(number: int) -> None:
        request = f"r{number}"
        async with turns:
            job = await client.submit(pb.JobSpec(text=f"Sentence {number}."), request)
            told[request] = job.id
            if len(told) in deadly:
                await gateway.kill()
                await gateway.start()

    async with asyncio.TaskGroup() as group:
        for number in range(SUBMISSIONS):
            group.create_task(submit(number))
    return told


async def test_of_two_hundred_submissions_none_is_lost_and_none_is_doubled(tmp_path: Path) -> None:
    deadly = set(random.Random(SEED).sample(range(1, SUBMISSIONS), KILLS))
    async with asyncio.timeout(LIMIT), real_gateway(tmp_path) as killed:
        async with Client(killed.gateway.address) as client:
            told = await submit_all(client, deadly, killed.gateway)
            again = await client.submit(pb.JobSpec(text="Sentence 7."), "r7")
            assert again.id == told["r7"]
            for job_id in told.values():
                await client.follow(job_id)
            jobs = await client.list_jobs()
        assert {job.request_id: job.id for job in jobs} == told
        assert len(jobs) == SUBMISSIONS
        assert Counter(job.state for job in jobs) == {pb.JOB_STATE_DONE: SUBMISSIONS}
        for job in jobs:
            assert await killed.artifacts.get_bytes(job.result.video.sha256) == frame_lines(FRAMES)
