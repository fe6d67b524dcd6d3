from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import exc as sql_error
from sqlalchemy.ext.asyncio import create_async_engine

from mouthpiece.v1 import common_pb2
from mouthpiece.v1 import gateway_pb2 as pb
from services.gateway.migrations import upgrade
from services.gateway.schema import SCHEMA
from services.gateway.store import JobStore
from tests.support.gateway_fakes import fake_suite

SPEECH = "5" * 64
FACE = "f" * 64
VIDEO = "e" * 64
DONE, SPEAKING = "j" + "1" * 25, "j" + "2" * 25


@pytest.fixture
async def url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'mouthpiece.db'}"


@pytest.fixture
async def old(url: str) -> str:
    """A database from before there were revisions, with a job that is done and one that speaks."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, "0001")
    async with engine.begin() as connection:
        await connection.execute(sa.text("DROP TABLE alembic_version"))
        for job in (_done(), _speaking()):
            await connection.execute(
                sa.text("INSERT INTO jobs VALUES (:id, :request, :state, 'key', :document)"),
                {
                    "id": job.id,
                    "request": job.request_id,
                    "state": job.state,
                    "document": job.SerializeToString(),
                },
            )
        sentence = common_pb2.Sentence(samples=common_pb2.Span(first=0, end=48000))
        await connection.execute(
            sa.text("INSERT INTO sentences VALUES (:id, 0, 'pcm', :document)"),
            {"id": SPEAKING, "document": sentence.SerializeToString()},
        )
        for sequence in (1, 2):
            event = pb.JobEvent(sequence=sequence, job_id=SPEAKING)
            await connection.execute(
                sa.text("INSERT INTO events VALUES (:id, :sequence, :document)"),
                {"id": SPEAKING, "sequence": sequence, "document": event.SerializeToString()},
            )
    await engine.dispose()
    return url


def _done() -> pb.Job:
    job = pb.Job(id=DONE, request_id="r1", state=pb.JOB_STATE_DONE, last_sequence=9, samples=7)
    job.spec.avatar_sha256 = FACE
    job.spec.audio_sha256 = SPEECH
    job.result.video.sha256 = VIDEO
    job.finished.FromSeconds(1_000_000)
    return job


def _speaking() -> pb.Job:
    job = pb.Job(id=SPEAKING, request_id="r2", state=pb.JOB_STATE_SPEAKING, last_sequence=1)
    job.format.fps.numerator, job.format.fps.denominator = 25, 1
    return job


async def test_jobs_of_an_older_release_are_there_after_the_upgrade(old: str) -> None:
    store = await JobStore.open(old)
    assert await store.job(DONE) == _done()
    assert [job.id for job in await store.jobs(limit=9)] == [SPEAKING, DONE]
    assert await store.ended_before(1_000_001, 9) == [DONE]
    for artifact in (SPEECH, FACE, VIDEO):
        assert await store.is_referred_to(artifact)
    assert not await store.is_referred_to("0" * 64)
    await store.close()


async def test_a_stored_job_that_goes_on_tells_its_latest_event_and_how_much_was_spoken(old: str) -> None:
    store = await JobStore.open(old)
    job = await store.job(SPEAKING)
    assert job is not None
    assert (job.last_sequence, job.samples) == (2, 48000)
    await store.close()


async def test_opening_twice_changes_nothing(old: str) -> None:
    for _ in range(2):
        store = await JobStore.open(old)
        assert len(await store.jobs(limit=9)) == 2
        await store.close()


async def test_the_revisions_add_up_to_the_schema(url: str) -> None:
    store = await JobStore.open(url)
    async with store.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await store.close()


def differences(connection: sa.Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), SCHEMA))


async def test_an_upgrade_that_breaks_leaves_the_database_as_it_was(old: str) -> None:
    engine = create_async_engine(old)
    async with engine.begin() as connection:
        await connection.execute(sa.text("CREATE TABLE history (unexpected INTEGER)"))
    with pytest.raises(sql_error.OperationalError):
        async with engine.begin() as connection:
            await connection.run_sync(upgrade)
    async with engine.begin() as connection:
        assert "called_off" not in await connection.run_sync(_columns)
        await connection.execute(sa.text("DROP TABLE history"))
    await engine.dispose()
    store = await JobStore.open(old)
    assert len(await store.jobs(limit=9)) == 2
    await store.close()


def _columns(connection: sa.Connection) -> set[str]:
    return {column["name"] for column in sa.inspect(connection).get_columns("jobs")}


async def test_a_gateway_starts_on_the_database_of_an_older_release(old: str, tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite:
        job = (await suite.stub.GetJob(pb.GetJobRequest(job_id=DONE))).job
    assert job.state == pb.JOB_STATE_DONE
