from __future__ import annotations

from prometheus_client import REGISTRY

from mouthpiece.v1 import gateway_pb2 as pb
from tests.gateway.test_gateway_jobs import finish, first_busy, hold_all, submit
from tests.support.gateway_fakes import FakeSuite


def figure(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"mouthpiece_{name}", labels) or 0.0


def unfinished() -> float:
    states = ("queued", "speaking", "rendering", "merging")
    return sum(figure("gateway_jobs", state=state) for state in states)


async def test_jobs_are_counted_in_the_state_that_they_are_in(suite: FakeSuite) -> None:
    before, done = unfinished(), figure("jobs_ended_total", state="done")
    hold = hold_all(suite)
    jobs = [await submit(suite, f"Job {number}.") for number in range(3)]
    await first_busy(suite)
    assert unfinished() == before + 3
    hold.set()
    for job in jobs:
        assert (await finish(suite, job)).state == pb.JOB_STATE_DONE
    assert unfinished() == before
    assert figure("jobs_ended_total", state="done") == done + 3


async def test_a_job_that_is_taken_up_after_a_restart_is_counted_once(suite: FakeSuite) -> None:
    hold = hold_all(suite)
    job = await submit(suite)
    await first_busy(suite)
    before = unfinished()
    await suite.restart_gateway()
    assert unfinished() == before
    hold.set()
    await finish(suite, job)
    assert unfinished() == before - 1


async def test_times_to_the_first_chunk_and_of_each_chunk_are_kept_by_engine(suite: FakeSuite) -> None:
    names = ("gateway_first_chunk_seconds_count", "gateway_job_seconds_count", "gateway_chunk_seconds_count")
    before = [figure(name, engine="viseme") for name in names]
    job = await finish(suite, await submit(suite))
    first, whole, chunks = (figure(name, engine="viseme") for name in names)
    assert [first, whole] == [before[0] + 1, before[1] + 1]
    assert chunks == before[2] + job.result.statistics.chunks
