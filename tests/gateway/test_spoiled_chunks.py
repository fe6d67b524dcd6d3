from __future__ import annotations

import asyncio
from io import BytesIO
from pathlib import Path

import pytest

from mouthpiece.media.boxes import count_frames
from mouthpiece.v1 import gateway_pb2 as pb
from tests.gateway.test_gateway_jobs import FRAMES, finish, first_busy, submit, watch
from tests.support.gateway_fakes import FakeSuite, frame_lines


async def stored_chunks(suite: FakeSuite) -> list[Path]:
    """Files of all artifacts that are movies."""
    names = [entry.artifact.sha256 async for entry in suite.artifacts.entries()]
    paths = [suite.data / "artifacts" / name[:2] / name for name in names]
    return [path for path in paths if path.read_bytes()[4:8] == b"moov"]


async def assert_whole(suite: FakeSuite, job: pb.Job) -> None:
    assert job.state == pb.JOB_STATE_DONE, job.error
    assert await suite.video(job.id) == frame_lines(FRAMES)


def rendered_frames(suite: FakeSuite) -> int:
    return sum(len(span) for worker in suite.workers for span in worker.rendered)


async def test_a_worker_that_stores_nothing_is_not_believed(suite: FakeSuite) -> None:
    suite.workers[0].forgetful = True
    job = await finish(suite, await submit(suite))
    await assert_whole(suite, job)
    assert {c.worker for c in job.chunks if c.state == pb.CHUNK_STATE_DONE} == {"w1"}


@pytest.mark.parametrize("content", [b"", b"not what the name says"])
async def test_a_cached_chunk_that_was_damaged_is_rendered_anew(suite: FakeSuite, content: bytes) -> None:
    await finish(suite, await submit(suite, seed=7))
    chunk, *_ = await stored_chunks(suite)
    frames = count_frames(BytesIO(chunk.read_bytes()))
    chunk.write_bytes(content)
    again = await finish(suite, await submit(suite, seed=7))
    await assert_whole(suite, again)
    assert rendered_frames(suite) == FRAMES + frames


async def test_speech_that_is_gone_is_spoken_anew(suite: FakeSuite) -> None:
    await finish(suite, await submit(suite, seed=7))
    chunks = await stored_chunks(suite)
    async for entry in suite.artifacts.entries():
        if entry.artifact.sha256 not in {chunk.name for chunk in chunks}:
            await suite.artifacts.delete(entry.artifact.sha256)
    await suite.restart_gateway()
    await assert_whole(suite, await finish(suite, await submit(suite, seed=7)))
    assert suite.speech.spoken == 10


async def test_chunks_that_are_gone_after_a_restart_are_rendered_again(suite: FakeSuite) -> None:
    suite.merger.hold = asyncio.Event()
    job = await submit(suite)
    await first_busy(suite)
    call = suite.stub.WatchJob(pb.WatchJobRequest(job_id=job.id))
    async for message in call:
        if message.event.state.state == pb.JOB_STATE_MERGING:
            break
    call.cancel()
    await suite.stop_gateway()
    lost, *_ = await stored_chunks(suite)
    lost.unlink()
    suite.merger.hold = None
    await suite.start_gateway()
    job = await finish(suite, job)
    await assert_whole(suite, job)
    assert "its artifact was lost" in [chunk.error for chunk in job.chunks]


async def loss(suite: FakeSuite, job: pb.Job) -> None:
    """Wait until it is noticed that an accepted chunk is gone."""
    async for message in suite.stub.WatchJob(pb.WatchJobRequest(job_id=job.id)):
        if message.event.chunk.error == "its artifact was lost":
            return


async def test_a_chunk_that_is_lost_before_the_merge_is_rendered_again(suite: FakeSuite) -> None:
    suite.merger.break_times = 1_000_000
    job = await submit(suite)
    async for message in suite.stub.WatchJob(pb.WatchJobRequest(job_id=job.id)):
        if message.event.state.state == pb.JOB_STATE_MERGING:
            break
    lost, *_ = await stored_chunks(suite)
    frames = count_frames(BytesIO(lost.read_bytes()))
    lost.unlink()
    suite.merger.break_times = 0
    await loss(suite, job)
    await assert_whole(suite, await finish(suite, job))
    assert rendered_frames(suite) == FRAMES + frames


async def test_a_chunk_that_is_lost_while_others_are_rendered_is_rendered_again(suite: FakeSuite) -> None:
    for worker in suite.workers:
        worker.hold = asyncio.Event()
    suite.merger.break_times = 1_000_000
    job = await submit(suite)
    while not (opening := [c for c in (await snapshot(suite, job)).chunks if c.frames.first == 0]):
        await first_busy(suite)
    early = next(worker for worker in suite.workers if worker.name == opening[0].worker)
    assert early.hold is not None
    early.hold.set()
    async for message in suite.stub.WatchJob(pb.WatchJobRequest(job_id=job.id)):
        if message.event.chunk.state == pb.CHUNK_STATE_DONE:
            break
    for chunk in await stored_chunks(suite):
        chunk.write_bytes(b"spoiled")
    suite.merger.break_times = 0
    await loss(suite, job)
    for worker in suite.workers:
        worker.hold = None if worker is early else worker.hold
        if worker.hold is not None:
            worker.hold.set()
    await assert_whole(suite, await finish(suite, job))


async def snapshot(suite: FakeSuite, job: pb.Job) -> pb.Job:
    return (await suite.stub.GetJob(pb.GetJobRequest(job_id=job.id))).job


async def test_viewers_go_on_where_they_are_when_what_they_saw_a_part_of_is_cut_otherwise(
    suite: FakeSuite,
) -> None:
    job = await half_published(suite)
    for chunk in await stored_chunks(suite):
        chunk.write_bytes(b"spoiled")
    suite.merger.breaks_at = 0
    await loss(suite, job)
    await assert_whole(suite, await finish(suite, job))
    await assert_plays_without_a_gap(suite, job)


async def test_viewers_go_on_where_they_are_after_a_restart(suite: FakeSuite) -> None:
    job = await half_published(suite)
    await suite.stop_gateway()
    suite.merger.breaks_at = 0
    await suite.start_gateway()
    await assert_whole(suite, await finish(suite, job))
    await assert_plays_without_a_gap(suite, job)


async def half_published(suite: FakeSuite) -> pb.Job:
    """A job of whose first chunk a part was published."""
    suite.merger.breaks_at = 17
    job = await submit(suite)
    async for message in suite.stub.WatchJob(pb.WatchJobRequest(job_id=job.id)):
        if message.event.HasField("segment"):
            assert message.event.segment.frames.end == 17
            return job
    raise AssertionError("nothing was published")


async def assert_plays_without_a_gap(suite: FakeSuite, job: pb.Job) -> None:
    segments = [event.segment for event in await watch(suite, job) if event.HasField("segment")]
    assert [segment.index for segment in segments] == list(range(len(segments)))
    ends = [0, *(segment.frames.end for segment in segments)]
    assert [segment.frames.first for segment in segments] == ends[:-1]
    media = [await suite.artifacts.get_bytes(segment.media.sha256) for segment in segments]
    assert b"".join(media) == frame_lines(FRAMES)
