"""What the gateway counts while jobs run, on a suite of fakes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from mouthpiece.v1 import gateway_pb2 as pb
from tests.gateway.test_gateway_jobs import finish, first_busy, hold_all, submit
from tests.gateway.test_uploads import CONTENT, messages
from tests.support.gateway_fakes import FakeSuite, fake_suite


@pytest.fixture
async def suite(tmp_path: Path) -> AsyncGenerator[FakeSuite]:
    async with fake_suite(tmp_path) as running:
        yield running


def figure(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"mouthpiece_{name}", labels) or 0.0


def waiting(tenant_class: str = "standard") -> float:
    return figure("gateway_waiting_jobs", tenant_class=tenant_class)


async def test_a_job_waits_until_a_worker_begins_it(suite: FakeSuite) -> None:
    hold = hold_all(suite)
    before = waiting()
    jobs = [await submit(suite, f"Job {number}.") for number in range(3 + len(suite.workers))]
    await first_busy(suite)
    assert before < waiting() < before + len(jobs)
    assert figure("gateway_oldest_waiting_seconds", tenant_class="standard") > 0
    hold.set()
    for job in jobs:
        await finish(suite, job)
    assert waiting() == before


async def test_chunks_and_sentences_of_the_same_job_come_from_the_cache_the_second_time(
    suite: FakeSuite,
) -> None:
    names = [("chunks", "rendered"), ("chunks", "cached"), ("sentences", "spoken"), ("sentences", "cached")]

    def counted() -> list[float]:
        return [figure(f"gateway_{name}_total", source=source) for name, source in names]

    first = counted()
    await finish(suite, await submit(suite))
    second = counted()
    await finish(suite, await submit(suite))
    third = counted()
    assert second[0] > first[0]
    assert second[2] > first[2]
    assert second[1::2] == first[1::2]
    assert third[1] > second[1]
    assert third[3] > second[3]
    assert third[::2] == second[::2]


async def test_an_attempt_after_a_failure_is_a_retry(suite: FakeSuite) -> None:
    def kinds() -> dict[str, float]:
        return {
            kind: figure("attempts_started_total", engine="viseme", kind=kind) for kind in ("first", "retry")
        }

    before, hold = kinds(), hold_all(suite)
    job = await submit(suite)
    await first_busy(suite)
    await suite.restart_gateway()
    hold.set()
    done = await finish(suite, job)
    after = kinds()
    assert done.state == pb.JOB_STATE_DONE
    assert after["first"] > before["first"]
    assert after["retry"] > before["retry"]


async def test_every_stage_is_observed_once_for_a_video(suite: FakeSuite) -> None:
    stages = ("queue", "speech", "render", "merge")

    def counts() -> list[float]:
        return [figure("gateway_stage_seconds_count", stage=stage) for stage in stages]

    before = counts()
    await finish(suite, await submit(suite))
    assert counts() == [count + 1 for count in before]


async def test_bytes_are_counted_both_ways(suite: FakeSuite) -> None:
    up, down = figure("gateway_uploaded_bytes_total"), figure("gateway_downloaded_bytes_total")
    await suite.stub.UploadAsset(messages(CONTENT))
    assert figure("gateway_uploaded_bytes_total") == up + len(CONTENT)
    job = await finish(suite, await submit(suite))
    await suite.video(job.id)
    assert figure("gateway_downloaded_bytes_total") == down + job.result.video.size_bytes


async def test_workers_are_counted_by_standing(suite: FakeSuite) -> None:
    assert figure("gateway_workers", standing="up") == len(suite.workers)
    assert figure("gateway_workers", standing="lost") == 0
