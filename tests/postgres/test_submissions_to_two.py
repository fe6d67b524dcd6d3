from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from mouthpiece.client import Client
from mouthpiece.v1 import gateway_pb2 as pb
from tests.faults.test_many_submissions import FRAMES, LIMIT, real_gateway
from tests.support.fault_processes import twin_of
from tests.support.gateway_fakes import frame_lines
from tests.support.postgres import Databases

SUBMISSIONS = 60
KILLED_AFTER = 23


async def test_of_submissions_to_two_gateways_none_is_lost_or_doubled_when_the_leader_is_killed(
    tmp_path: Path, databases: Databases
) -> None:
    told: dict[str, str] = {}
    turns = asyncio.Semaphore(8)
    async with (
        asyncio.timeout(LIMIT),
        real_gateway(tmp_path, databases.new_url()) as killed,
        twin_of(killed.gateway) as other,
        Client(f"{killed.gateway.address},{other.address}") as client,
    ):
        await other.start()

        async def submit(number: int) -> None:
            request = f"r{number}"
            async with turns:
                told[request] = (await client.submit(pb.JobSpec(text=f"Sentence {number}."), request)).id
                if len(told) == KILLED_AFTER:
                    await killed.gateway.kill()

        await asyncio.gather(*map(submit, range(SUBMISSIONS)))
        again = await client.submit(pb.JobSpec(text="Sentence 7."), "r7")
        assert again.id == told["r7"]
        for job_id in told.values():
            await client.follow(job_id)
        jobs = await client.list_jobs()
        assert {job.request_id: job.id for job in jobs} == told
        assert Counter(job.state for job in jobs) == {pb.JOB_STATE_DONE: SUBMISSIONS}
        for job in jobs:
            assert await killed.artifacts.get_bytes(job.result.video.sha256) == frame_lines(FRAMES)
