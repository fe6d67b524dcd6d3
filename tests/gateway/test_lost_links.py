"""Chains go on from what a chunk handed over, also when that is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mouthpiece.core.engines import EngineClass, EngineInfo
from mouthpiece.v1 import gateway_pb2 as pb
from tests.gateway.test_gateway_jobs import FRAMES, LIMIT, finish, submit
from tests.support.gateway_fakes import FakeSuite, fake_suite, frame_lines

CHAINED = EngineInfo("viseme", "fake", EngineClass.CHAINED, "fake-1", 4800, 4800, max_chunk_frames=50)


@pytest.fixture
async def suite(tmp_path: Path) -> AsyncGenerator[FakeSuite]:
    async with fake_suite(tmp_path, workers=1) as running:
        (worker,) = running.workers
        worker.engine = CHAINED
        await running.restart_gateway()
        yield running


HELD_FROM = 150


async def done_chunks(suite: FakeSuite, job: pb.Job) -> list[pb.Chunk]:
    """The chunks that are done when one is held back."""
    call = suite.stub.WatchJob(pb.WatchJobRequest(job_id=job.id), timeout=LIMIT)
    done: list[pb.Chunk] = []
    async for message in call:
        chunk = message.event.chunk
        if chunk.state == pb.CHUNK_STATE_DONE:
            done.append(chunk)
        elif chunk.state == pb.CHUNK_STATE_RUNNING and chunk.frames.first >= HELD_FROM:
            break
    call.cancel()
    assert len(done) >= 3
    return done


@dataclass
class Broken:
    """A job whose gateway was stopped after some chunks, these, and files of what they handed over."""

    job: pb.Job
    done: list[pb.Chunk]
    links: list[Path]


async def broken_off(suite: FakeSuite) -> Broken:
    (worker,) = suite.workers
    worker.hold_from = HELD_FROM
    worker.hold = asyncio.Event()
    job = await submit(suite)
    done = await done_chunks(suite, job)
    await suite.stop_gateway()
    worker.hold.set()
    worker.rendered.clear()
    names = [chunk.handover.sha256 for chunk in done]
    return Broken(job, done, [suite.data / "artifacts" / name[:2] / name for name in names])


async def assert_whole(suite: FakeSuite, job: pb.Job) -> None:
    assert job.state == pb.JOB_STATE_DONE, job.error
    assert await suite.video(job.id) == frame_lines(FRAMES)


@pytest.mark.parametrize("lost", [1, 2, None])
async def test_what_was_handed_over_is_made_again_from_where_it_is_still_there(
    suite: FakeSuite, lost: int | None
) -> None:
    broken = await broken_off(suite)
    for link in broken.links[-lost:] if lost else broken.links:
        link.unlink()
    await suite.start_gateway()
    job = await finish(suite, broken.job)
    await assert_whole(suite, job)
    assert not [chunk.error for chunk in job.chunks if chunk.state == pb.CHUNK_STATE_FAILED]
    (worker,) = suite.workers
    again = broken.done[-lost:] if lost else broken.done
    firsts = [span.first for span in worker.rendered]
    assert firsts[: len(again)] == [chunk.frames.first for chunk in again]
    assert min(firsts[len(again) :]) == broken.done[-1].frames.end


async def test_what_was_handed_over_early_is_not_missed(suite: FakeSuite) -> None:
    broken = await broken_off(suite)
    broken.links[0].unlink()
    await suite.start_gateway()
    await assert_whole(suite, await finish(suite, broken.job))
    (worker,) = suite.workers
    assert worker.rendered[0].first == broken.done[-1].frames.end


async def test_a_damaged_link_is_found_out_and_made_again(suite: FakeSuite) -> None:
    broken = await broken_off(suite)
    broken.links[-1].write_bytes(broken.links[-1].read_bytes()[::-1])
    await suite.start_gateway()
    job = await finish(suite, broken.job)
    await assert_whole(suite, job)
    (failed,) = [chunk for chunk in job.chunks if chunk.state == pb.CHUNK_STATE_FAILED]
    assert "handed over is gone" in failed.error
