from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from mouthpiece.v1 import gateway_pb2 as pb
from services.gateway.upgrading import Absences
from tests.gateway.test_gateway_jobs import FRAMES, finish, hold_all, submit, watch
from tests.support.gateway_fakes import ENGINE, FakeSuite, fake_suite, frame_lines

OLD, NEW = ("viseme", "1"), ("viseme", "2")
NEWER = replace(ENGINE, version="fake-2")


async def upgrade(suite: FakeSuite) -> None:
    """Every worker comes back with a newer engine, having lost what it was at."""
    for worker in suite.workers:
        worker.engine = NEWER


async def half_done(suite: FakeSuite) -> tuple[pb.Job, asyncio.Event]:
    """A job of which something is rendered, and what holds its last worker."""
    hold = asyncio.Event()
    suite.workers[1].hold = hold
    job = await submit(suite)
    call = suite.stub.WatchJob(pb.WatchJobRequest(job_id=job.id), timeout=20)
    async for message in call:
        if message.event.chunk.state == pb.CHUNK_STATE_DONE:
            break
    call.cancel()
    return job, hold


async def test_a_job_whose_engine_is_gone_is_rendered_anew_by_one_version(tmp_path: Path) -> None:
    async with fake_suite(tmp_path, version_patience_seconds=0.5) as suite:
        job, hold = await half_done(suite)
        before = {worker.name: len(worker.rendered) for worker in suite.workers}
        await upgrade(suite)
        done = await finish(suite, job)
        hold.set()
        assert done.state == pb.JOB_STATE_DONE, done.error
        assert done.engine.version == "fake-2"
        assert any("rendered anew" in warning for warning in done.warnings)
        assert await suite.video(job.id) == frame_lines(FRAMES)
        anew = [span for worker in suite.workers for span in worker.rendered[before[worker.name] :]]
        assert {frame for span in anew for frame in range(span.first, span.end)} == set(range(FRAMES))
        assert suite.speech.spoken == 5
        events = await watch(suite, job)
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))


async def test_a_job_waits_for_its_version_while_there_is_hope(tmp_path: Path) -> None:
    async with fake_suite(tmp_path, version_patience_seconds=60) as suite:
        hold = hold_all(suite)
        job = await submit(suite)
        suite.workers[0].engine = NEWER
        hold.set()
        done = await finish(suite, job)
        assert done.engine.version == "fake-1"
        assert not done.warnings
        assert await suite.video(job.id) == frame_lines(FRAMES)


def test_a_version_is_given_up_when_it_was_missing_for_long_without_a_break() -> None:
    absences = Absences(patience=10)
    assert absences.given_up(0, {OLD}, {NEW}) == set()
    assert absences.given_up(9, {OLD}, {NEW}) == set()
    assert absences.given_up(10, {OLD}, {NEW}) == {OLD}
    assert absences.given_up(11, {OLD}, {OLD, NEW}) == set()
    assert absences.given_up(12, {OLD}, {NEW}) == set()
    assert absences.given_up(22, {OLD}, {NEW}) == {OLD}
