"""Jobs whose engine falls ill everywhere wait, say why, and fail in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mouthpiece.core.scheduler import patience
from mouthpiece.errors import Unavailable
from mouthpiece.rpc.status import from_proto
from mouthpiece.v1 import gateway_pb2 as pb
from mouthpiece.v1 import lipsync_pb2
from tests.gateway.test_gateway_jobs import FRAMES, LIMIT, finish, submit, watch
from tests.support.gateway_fakes import ENGINE, FakeSuite, fake_suite, frame_lines

ILL = Unavailable("its container does not answer", 0.05)


@pytest.fixture(autouse=True)
def told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "TOLD_AFTER", 0.5)
    monkeypatch.setattr(patience, "LEAST_AFTER_RESTART", 0.0)


def fall_ill(suite: FakeSuite) -> None:
    """Every worker says that it cannot render, and refuses what it gets all the same."""
    for worker in suite.workers:
        worker.fail, worker.engine = ILL, replace(ENGINE, name="other")
        worker.ailments = (lipsync_pb2.Ailment(engine="viseme", description="its container is away"),)


def recover(suite: FakeSuite) -> None:
    for worker in suite.workers:
        worker.fail, worker.engine, worker.ailments = None, ENGINE, ()


async def until(suite: FakeSuite, job: pb.Job, holds: Callable[[pb.JobEvent], bool]) -> pb.JobEvent:
    """The first event for which something holds."""
    call = suite.stub.WatchJob(pb.WatchJobRequest(job_id=job.id), timeout=LIMIT)
    async for message in call:
        if holds(message.event):
            call.cancel()
            return message.event
    raise AssertionError("the job ended before that")


def says_why(event: pb.JobEvent) -> bool:
    return event.state.HasField("waiting")


async def submit_when_there_is_somebody(suite: FakeSuite) -> pb.Job:
    """The gateway hears once a second how its workers are."""
    call = suite.stub.WatchCluster(pb.WatchClusterRequest(), timeout=LIMIT)
    async for message in call:
        engines = (engine for member in message.cluster.workers for engine in member.worker.engines)
        if "viseme" in {engine.name for engine in engines}:
            call.cancel()
            break
    return await submit(suite)


async def get(suite: FakeSuite, job: pb.Job) -> pb.Job:
    return (await suite.stub.GetJob(pb.GetJobRequest(job_id=job.id))).job


async def test_a_job_says_what_it_waits_for_and_goes_on_when_a_worker_is_well(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite:
        for worker in suite.workers:
            worker.fail = ILL
        job = await submit(suite)
        event = await until(suite, job, says_why)
        assert event.sequence
        waiting = event.state.waiting
        assert "its container does not answer" in waiting.reason
        assert waiting.until.ToNanoseconds() - waiting.since.ToNanoseconds() == pytest.approx(3600e9)
        shown = await get(suite, job)
        assert shown.waiting == waiting
        assert not shown.HasField("eta")
        recover(suite)
        done = await finish(suite, job)
        assert done.state == pb.JOB_STATE_DONE
        assert not done.HasField("waiting")
        assert await suite.video(job.id) == frame_lines(FRAMES)
        told = [event.state.HasField("waiting") for event in await watch(suite, job)]
        assert sum(told) == 1 or told[-1] is False


async def test_it_fails_when_nobody_comes_and_its_chunks_serve_the_next_try(tmp_path: Path) -> None:
    async with fake_suite(tmp_path, engine_patience_seconds=0.5) as suite:
        suite.speech.gate = lambda index: suite.workers[0].hold if index == 4 else None
        job = await submit(suite)
        await until(suite, job, lambda event: event.chunk.state == pb.CHUNK_STATE_DONE)
        fall_ill(suite)
        failed = await finish(suite, job)
        assert failed.state == pb.JOB_STATE_FAILED
        error = from_proto(failed.error)
        assert isinstance(error, Unavailable)
        assert "is away" in error.message or "does not answer" in error.message
        assert "submit the job again" in error.message
        kept = {(c.frames.first, c.frames.end) for c in failed.chunks if c.state == pb.CHUNK_STATE_DONE}
        recover(suite)
        before = {worker.name: len(worker.rendered) for worker in suite.workers}
        again = await finish(suite, await submit_when_there_is_somebody(suite))
        assert again.state == pb.JOB_STATE_DONE
        anew = [span for worker in suite.workers for span in worker.rendered[before[worker.name] :]]
        assert not any(first < span.end and span.first < end for first, end in kept for span in anew)
        assert again.result.statistics.cached_frames == FRAMES - sum(map(len, anew))


async def test_a_restart_does_not_begin_the_wait_anew(tmp_path: Path) -> None:
    async with fake_suite(tmp_path, engine_patience_seconds=3) as suite:
        for worker in suite.workers:
            worker.fail = ILL
        job = await submit(suite)
        before = (await until(suite, job, says_why)).state.waiting
        await suite.restart_gateway()
        assert (await get(suite, job)).waiting.since == before.since
        failed = await finish(suite, job)
        assert failed.state == pb.JOB_STATE_FAILED
        assert isinstance(from_proto(failed.error), Unavailable)
        waited = failed.finished.ToNanoseconds() - before.since.ToNanoseconds()
        assert waited >= 3e9
