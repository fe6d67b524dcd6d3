"""Disks that fill at work: what does not fit is told, nothing is spoilt, and with room again all goes on."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
import pytest
from sqlalchemy import event as sql_event
from sqlalchemy.pool import Pool, PoolProxiedConnection

from mouthpiece.core.timeline import Span
from mouthpiece.errors import Busy, is_full_disk
from mouthpiece.media.merge import MergeFormat, Merger
from mouthpiece.rpc.status import from_rpc_error
from mouthpiece.v1 import gateway_pb2 as pb
from services.gateway.database import StoreFull
from services.gateway.store import JobStore
from tests.support.gateway_fakes import FakeSuite, fake_suite, frame_lines
from tests.support.media_chunks import NTSC, encode, samples_for, spans, tone
from tests.support.small_disk import files, leave_free, small_disk

CONTENT = os.urandom(200_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SPEECH = tone(samples_for(60, NTSC)).tobytes()
CUTS = (0, 25, 26, 60)


# ---------------------------------------------------------------- uploads


@pytest.fixture
async def suite(tmp_path: Path) -> AsyncGenerator[FakeSuite]:
    async with fake_suite(tmp_path, min_free_bytes=0) as running:
        yield running


async def blocks() -> AsyncIterator[pb.UploadAssetRequest]:
    yield pb.UploadAssetRequest(header=pb.UploadHeader(sha256=SHA256, size_bytes=len(CONTENT)))
    for first in range(0, len(CONTENT), 65536):
        yield pb.UploadAssetRequest(data=CONTENT[first : first + 65536])


async def test_an_upload_that_does_not_fit_goes_and_may_come_again(suite: FakeSuite) -> None:
    uploads = suite.data / "uploads"
    uploads.mkdir(exist_ok=True)
    (uploads / f"{SHA256}.part").symlink_to("/dev/full")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await suite.stub.UploadAsset(blocks())
    told = from_rpc_error(caught.value)
    assert isinstance(told, Busy)
    assert told.retry_after > 0
    assert "full" in told.message
    assert not list(uploads.iterdir())
    assert (await suite.stub.UploadAsset(blocks())).asset.sha256 == SHA256


# ---------------------------------------------------------------- the job store


@dataclass
class Pages:
    """Whether databases may grow, as a disk would have it: SQLite answers as it does when that is full."""

    full: bool = True

    def limit(self, connection: PoolProxiedConnection, *_: object) -> None:
        cursor = connection.cursor()
        # Fewer than there are stand for those that there are.
        cursor.execute(f"PRAGMA max_page_count={1 if self.full else 1 << 30}")
        cursor.close()


@contextmanager
def no_room() -> Generator[Pages]:
    """While it lasts, databases of this process cannot grow."""
    pages = Pages()
    sql_event.listen(Pool, "checkout", pages.limit)
    try:
        yield pages
    finally:
        sql_event.remove(Pool, "checkout", pages.limit)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[JobStore]:
    opened = await JobStore.open(f"sqlite+aiosqlite:///{tmp_path / 'jobs.db'}")
    yield opened
    await opened.close()


def queued(number: int) -> tuple[pb.Job, str, pb.JobEvent]:
    job = pb.Job(id=f"j{number}", spec=pb.JobSpec(text="word " * 4000))
    return job, "key", pb.JobEvent(job_id=job.id, sequence=1, state=job)


async def test_a_job_that_cannot_be_stored_is_not_there_at_all(store: JobStore) -> None:
    await store.add_job(*queued(1))
    with no_room() as pages:
        with pytest.raises(StoreFull) as caught:
            await store.add_job(*queued(2))
        assert (caught.value.status, caught.value.retry_after) == ("RESOURCE_EXHAUSTED", 30)
        assert [job.id for job in await store.jobs(limit=9)] == ["j1"]
        assert not await store.events("j2", 1, 9)
        pages.full = False
        await store.add_job(*queued(2))
    assert [job.id for job in await store.jobs(limit=9)] == ["j2", "j1"]


async def test_jobs_at_work_wait_for_room_and_new_ones_are_refused(
    suite: FakeSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.seat.FULL_REST", 0.2)
    hold = asyncio.Event()
    for worker in suite.workers:
        worker.hold = hold
    running = pb.SubmitJobRequest(spec=pb.JobSpec(text="One. Two. Three."))
    job = (await suite.stub.SubmitJob(running)).job
    await asyncio.wait_for(suite.workers[0].began.wait(), 20)
    large = pb.SubmitJobRequest(spec=pb.JobSpec(text="Word. " + " " * 20_000 + "Word."), request_id="large")
    with no_room() as pages:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await suite.stub.SubmitJob(large)
        told = from_rpc_error(caught.value)
        assert isinstance(told, Busy)
        assert told.retry_after > 0
        hold.set()
        pages.full = False
        watched = suite.stub.WatchJob(pb.WatchJobRequest(job_id=job.id), timeout=60)
        assert [event async for event in watched][-1].event.state.state == pb.JOB_STATE_DONE
        assert await suite.video(job.id) == frame_lines(150)
    assert (await suite.stub.SubmitJob(large)).job.id != job.id


# ---------------------------------------------------------------- movies


@pytest.fixture
def chunks(tmp_path: Path) -> dict[Span, Path]:
    return {span: encode(tmp_path / f"{span.first}.mp4", span, NTSC, height=64) for span in spans(CUTS)}


def merged(folder: Path, chunks: dict[Span, Path]) -> bytes:
    output = folder / "movie.mp4"
    with Merger(output, MergeFormat(NTSC, 64, 64)) as merger:
        merger.add_speech(Span(0, len(SPEECH) // 2), SPEECH)
        for span, path in chunks.items():
            merger.add_chunk(span, path)
        merger.finish(60, len(SPEECH) // 2, "{}")
    return output.read_bytes()


def attempt(folder: Path, chunks: dict[Span, Path]) -> bytes:
    """The movie, or nothing where the disk was full."""
    try:
        return merged(folder, chunks)
    except OSError as error:
        if not is_full_disk(error):
            raise
        return b""


def test_a_movie_is_whole_or_not_there_however_much_room_there_is(
    tmp_path: Path, chunks: dict[Span, Path]
) -> None:
    whole = merged(tmp_path, chunks)
    made: list[bytes] = []
    with small_disk(tmp_path / "disk") as disk:
        work = disk / "work"
        work.mkdir()
        for free in range(200_000, 480_000, 20_480):
            leave_free(disk, free)
            made.append(attempt(work, chunks))
            assert (work / "movie.mp4").exists() is bool(made[-1])
            for path in files(work):
                path.unlink()
    assert set(made) == {b"", whole}
    assert made == sorted(made)
