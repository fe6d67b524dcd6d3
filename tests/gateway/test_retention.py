from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from itertools import count

import pytest

from mouthpiece.artifacts import Entry
from mouthpiece.errors import Unavailable
from mouthpiece.v1 import gateway_pb2 as pb
from services.gateway.retention import DAY, GRACE_SECONDS, Policy, Retention
from services.gateway.store import JobStore
from tests.support.gateway_fakes import FakeSuite, frame_lines

LATER = time.time() + 2 * GRACE_SECONDS
FOR_EVER = Policy(keep_days=0, cache_bytes=1 << 40)


@pytest.fixture
async def store(suite: FakeSuite) -> AsyncGenerator[JobStore]:
    opened = await JobStore.open(f"sqlite+aiosqlite:///{suite.data / 'mouthpiece.db'}")
    yield opened
    await opened.close()


async def finished_job(suite: FakeSuite) -> pb.Job:
    request = pb.SubmitJobRequest(spec=pb.JobSpec(text="One. Two."))
    job = (await suite.stub.SubmitJob(request)).job
    async for _ in suite.stub.WatchJob(pb.WatchJobRequest(job_id=job.id), timeout=20):
        pass
    return (await suite.stub.GetJob(pb.GetJobRequest(job_id=job.id))).job


async def names(suite: FakeSuite) -> set[str]:
    return {entry.artifact.sha256 async for entry in suite.artifacts.entries()}


async def test_what_a_job_needs_is_kept(suite: FakeSuite, store: JobStore) -> None:
    job = await finished_job(suite)
    before = await names(suite)
    swept = await Retention(store, suite.artifacts, FOR_EVER).sweep(LATER)
    assert swept.artifacts == 0
    assert await names(suite) == before
    assert await suite.video(job.id) == frame_lines(100)


async def test_what_nothing_names_goes_after_an_hour_and_not_before(
    suite: FakeSuite, store: JobStore
) -> None:
    stray = await suite.artifacts.put_bytes(b"stray")
    retention = Retention(store, suite.artifacts, FOR_EVER)
    assert (await retention.sweep(time.time())).artifacts == 0
    assert (await retention.sweep(LATER)).artifacts == 1
    assert not await suite.artifacts.has(stray.sha256)


async def test_an_old_job_goes_with_its_video_and_leaves_its_chunks_to_the_cache(
    suite: FakeSuite, store: JobStore
) -> None:
    job = await finished_job(suite)
    retention = Retention(store, suite.artifacts, Policy(keep_days=1, cache_bytes=1 << 40))
    assert (await retention.sweep(LATER)).jobs == 0
    assert (await retention.sweep(LATER + DAY)).jobs == 1
    assert await store.job(job.id) is None
    for made in (job.result.video, job.result.poster):
        assert not await suite.artifacts.has(made.sha256)
    assert await names(suite)


async def test_the_cache_gives_up_what_was_unused_for_longest(suite: FakeSuite, store: JobStore) -> None:
    job = await finished_job(suite)
    attempts = [attempt for attempt in await store.attempts(job.id) if attempt.result]
    attempts.sort(key=lambda attempt: attempt.chunk.finished.ToNanoseconds())
    chunks = [attempt.result.chunk for attempt in attempts if attempt.result]
    await store.delete_job(job.id)
    policy = Policy(keep_days=0, cache_bytes=sum(chunk.size_bytes for chunk in chunks) - 1)
    swept = await Retention(store, suite.artifacts, policy).sweep(LATER)
    assert swept.chunks == 1
    assert not await suite.artifacts.has(chunks[0].sha256)
    assert await suite.artifacts.has(chunks[-1].sha256)


async def test_a_sweep_that_breaks_off_is_not_the_last(
    suite: FakeSuite, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, looks, entries = asyncio.Queue[None](), count(), suite.artifacts.entries

    async def away_at_first() -> AsyncGenerator[Entry]:
        looked.put_nowait(None)
        if next(looks) == 0:
            raise Unavailable("the artifact store does not answer")
        async for entry in entries():
            yield entry

    monkeypatch.setattr("services.gateway.retention.SWEEP_EVERY", 0.0)
    monkeypatch.setattr(suite.artifacts, "entries", away_at_first)
    sweeping = asyncio.create_task(Retention(store, suite.artifacts, FOR_EVER).run())
    for _ in range(2):
        async with asyncio.timeout(20):
            await looked.get()
    sweeping.cancel()
    await asyncio.gather(sweeping, return_exceptions=True)
