from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from mouthpiece.cli import tables
from mouthpiece.cli.console import out
from mouthpiece.client.report import cluster_report, plan_report
from mouthpiece.errors import MouthpieceError
from mouthpiece.v1 import gateway_pb2 as pb
from services.gateway.planning import add_range
from services.gateway.records import Outcome
from services.gateway.store import JobStore
from tests.gateway.test_gateway_jobs import FRAMES, TEXT, finish, hold_all, submit
from tests.support.gateway_fakes import FakeSuite

MANY = 10_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[JobStore]:
    opened = await JobStore.open(f"sqlite+aiosqlite:///{tmp_path / 'sums.db'}")
    yield opened
    await opened.close()


async def plan(suite: FakeSuite, text: str) -> pb.PlanJobResponse:
    return await suite.stub.PlanJob(pb.PlanJobRequest(spec=pb.JobSpec(text=text)))


async def test_a_plan_counts_what_earlier_jobs_left(suite: FakeSuite) -> None:
    fresh = await plan(suite, TEXT)
    assert (fresh.cached_frames, fresh.cached_sentences) == (0, 0)
    await finish(suite, await submit(suite))
    again = await plan(suite, TEXT)
    assert (again.cached_frames, again.cached_sentences) == (FRAMES, 5)
    assert not again.chunks
    edited = await plan(suite, TEXT.replace("Four", "Other"))
    assert 0 < edited.cached_frames < FRAMES
    assert edited.cached_sentences == 4


async def test_a_range_is_told_once_enough_jobs_have_ended(suite: FakeSuite) -> None:
    for number in range(5):
        assert not (await plan(suite, TEXT)).learned_from
        await finish(suite, await submit(suite, f"This is number {number}.", ignore_cache=True))
    planned = await plan(suite, TEXT)
    assert planned.learned_from == 5
    assert 0 < planned.total_low.ToNanoseconds() <= planned.total_high.ToNanoseconds()


def test_the_range_leaves_out_the_fastest_and_the_slowest_tenth() -> None:
    planned = pb.PlanJobResponse()
    planned.total.FromSeconds(10)
    add_range(planned, [number / 100 for number in range(50, 151)])
    assert planned.total_low.ToMilliseconds() == 6000
    assert planned.total_high.ToMilliseconds() == 14000
    assert plan_report(planned)["total_seconds_range"] == [6.0, 14.0]
    with out().capture() as captured:
        out().print(tables.plan(planned, 100))
    assert "6.0 s – 14.0 s" in captured.get()


async def test_the_cluster_tells_what_became_of_jobs(suite: FakeSuite) -> None:
    await finish(suite, await submit(suite))
    hold = hold_all(suite)
    cancelled = await submit(suite, "To be cancelled.")
    await suite.stub.CancelJob(pb.CancelJobRequest(job_id=cancelled.id))
    hold.set()
    for worker in suite.workers:
        worker.fail = MouthpieceError("out of paint")
    await finish(suite, await submit(suite, "To fail."))
    cluster = (await suite.stub.GetCluster(pb.GetClusterRequest())).cluster
    hour, day = cluster.statistics
    assert (hour.period.seconds, day.period.seconds) == (3600, 86400)
    assert (hour.done, hour.failed, hour.cancelled) == (1, 1, 1)
    assert hour.frames == FRAMES
    assert hour.video.seconds == 10
    assert 0 < hour.wasted_worker_time.ToNanoseconds() < hour.worker_time.ToNanoseconds()
    assert cluster_report(cluster)["statistics"][0]["done"] == 1
    with out().capture() as captured:
        out().print(tables.workers(cluster))
    assert "in the last" in captured.get()


async def test_ten_thousand_jobs_are_listed_and_summed_quickly(store: JobStore) -> None:
    outcome = Outcome("viseme", 2.0, 3.0, 4.0, 1.0, 75, 25)
    for number in range(200):
        await _end(store, f"j{number:05}", outcome)
    await _multiply(store, MANY)
    begin = time.process_time()
    page = await store.jobs(limit=51)
    done = await store.jobs(limit=51, states=[pb.JOB_STATE_DONE])
    sums = await store.history.statistics(0)
    assert await store.ended_before(1e12, 10)
    assert not await store.is_referred_to("0" * 64)
    assert time.process_time() - begin < 0.5
    assert len(page) == len(done) == 51
    assert page[0].id > page[-1].id
    assert (sums.done, sums.frames) == (MANY, 75 * MANY)


async def _end(store: JobStore, job_id: str, outcome: Outcome) -> None:
    job = pb.Job(id=job_id, state=pb.JOB_STATE_QUEUED)
    await store.add_job(job, "", pb.JobEvent(sequence=1, job_id=job_id, state=job), 1.0)
    job.state = pb.JOB_STATE_DONE
    job.finished.GetCurrentTime()
    await store.record(job, pb.JobEvent(sequence=2, job_id=job_id, state=job), outcome=outcome)


async def _multiply(store: JobStore, many: int) -> None:
    """Fill the store with copies of the jobs that are there."""
    async with store.engine.begin() as connection:
        for table, key in (("jobs", "id"), ("events", "job_id"), ("history", "job_id")):
            info = await connection.exec_driver_sql(f"PRAGMA table_info({table})")
            names = [row.name for row in info if row.name != key]
            columns = ", ".join(f'"{name}"' for name in names)
            await connection.exec_driver_sql(
                f"INSERT INTO {table} ({key}, {columns}) WITH RECURSIVE n(n) AS "
                f"(SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {many // 200 - 1}) "
                f"SELECT {key} || '-' || n, {columns} FROM {table}, n"
            )
