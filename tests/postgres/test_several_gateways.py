from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from mouthpiece.client import Client
from mouthpiece.errors import BadInput, Busy, NotFound
from mouthpiece.rpc.channel import dial
from mouthpiece.rpc.server import serving
from mouthpiece.v1 import gateway_pb2 as pb
from services.gateway.__main__ import program
from services.gateway.database import IDLE_SECONDS, StoreAway
from services.gateway.lease import Lease
from services.gateway.outlook import Outlook, engine_key
from services.gateway.schema import lease as lease_table
from services.gateway.store import JobStore
from tests.gateway.test_gateway_jobs import (
    FRAMES,
    LIMIT,
    TEXT,
    finish,
    first_busy,
    hold_all,
    refusal,
    submit,
    watch,
)
from tests.support.gateway_fakes import ENGINE, FakeSuite, fake_suite, frame_lines
from tests.support.postgres import Databases

_HANG_UP = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@dataclass
class Pair:
    """Two gateways on one database. The first leads."""

    leader: FakeSuite
    follower: FakeSuite
    address: str
    """Of the second."""
    store: JobStore
    """For looks behind the scenes."""


@asynccontextmanager
async def another(suite: FakeSuite) -> AsyncGenerator[tuple[FakeSuite, str]]:
    """One more gateway among the same services, and its address."""
    async with AsyncExitStack() as stack:
        gateway = serving(program(suite.common, suite.settings), "127.0.0.1", 0, 0.2)
        running = await stack.enter_async_context(gateway)
        other = FakeSuite(
            suite.data,
            suite.artifacts,
            suite.speech,
            suite.workers,
            suite.merger,
            suite.common,
            suite.settings,
        )
        other.channel = await stack.enter_async_context(dial(running.address))
        yield other, running.address


@pytest.fixture
async def store(databases: Databases) -> AsyncGenerator[JobStore]:
    opened = await JobStore.open(databases.new_url())
    yield opened
    await opened.close()


def url_of(store: JobStore) -> str:
    return store.engine.url.render_as_string(hide_password=False)


@pytest.fixture
async def pair(tmp_path: Path, store: JobStore) -> AsyncGenerator[Pair]:
    async with fake_suite(tmp_path, database=url_of(store)) as suite, another(suite) as (follower, address):
        yield Pair(suite, follower, address, store)


async def free_the_lease(store: JobStore) -> None:
    """What the database looks like when a leader has been frozen for long."""
    async with store.engine.begin() as connection:
        await connection.execute(sa.update(lease_table).values(beat=0.0))


async def test_texts_that_postgresql_cannot_hold_are_refused(pair: Pair) -> None:
    assert isinstance(
        await refusal(pair.leader.stub.GetJob(pb.GetJobRequest(job_id="j" + "\0" * 25))), NotFound
    )
    token = pb.ListJobsRequest(page_token="j" + "\0" * 25)
    for call in (
        pair.leader.stub.ListJobs(token),
        submit(pair.leader, request_id="a\0b"),
        submit(pair.leader, avatar_sha256="f" * 63 + "\0"),
    ):
        assert isinstance(await refusal(call), BadInput)


async def test_a_job_handed_to_a_follower_is_done_and_told_alike_by_both(pair: Pair) -> None:
    job = await submit(pair.follower)
    there, here = await asyncio.gather(watch(pair.leader, job), watch(pair.follower, job))
    assert there == here
    assert [event.sequence for event in here] == list(range(1, len(here) + 1))
    assert (await finish(pair.follower, job)).state == pb.JOB_STATE_DONE
    assert await pair.follower.video(job.id) == frame_lines(FRAMES)


async def test_a_follower_shows_progress_that_is_not_stored(pair: Pair) -> None:
    hold = hold_all(pair.leader)
    job = await submit(pair.leader, "One. Two. Three. Four. Five. Six. Seven. Eight.")
    call = pair.follower.stub.WatchJob(pb.WatchJobRequest(job_id=job.id), timeout=LIMIT)
    seen = False
    async for message in call:
        seen = seen or (not message.event.sequence and bool(message.event.progress.chunks))
        if seen:
            hold.set()
    assert seen


async def test_a_request_id_makes_one_job_whichever_gateways_are_asked(pair: Pair) -> None:
    both = (pair.leader, pair.follower)
    jobs = await asyncio.gather(*(submit(both[n % 2], request_id="once") for n in range(8)))
    assert len({job.id for job in jobs}) == 1
    error = await refusal(submit(pair.follower, "Another text.", request_id="once"))
    assert error.status == "ALREADY_EXISTS"


async def test_a_follower_cancels_and_deletes(pair: Pair) -> None:
    hold_all(pair.leader)
    job = await submit(pair.leader)
    await first_busy(pair.leader)
    cancelled = (await pair.follower.stub.CancelJob(pb.CancelJobRequest(job_id=job.id))).job
    assert cancelled.state == pb.JOB_STATE_CANCELLED
    await pair.follower.stub.DeleteJob(pb.DeleteJobRequest(job_id=job.id))
    assert isinstance(await refusal(pair.leader.stub.GetJob(pb.GetJobRequest(job_id=job.id))), NotFound)


async def test_a_follower_shows_what_the_workers_do_and_plans_alike(pair: Pair) -> None:
    hold = hold_all(pair.leader)
    job = await submit(pair.leader)
    await first_busy(pair.leader)
    async for message in pair.follower.stub.WatchCluster(pb.WatchClusterRequest(), timeout=LIMIT):
        if [worker.job_id for worker in message.cluster.workers] == [job.id, job.id]:
            assert message.cluster.running_jobs == 1
            break
    hold.set()
    await finish(pair.follower, job)
    for text, cached in ((TEXT, FRAMES), ("Something else.", 0)):
        request = pb.PlanJobRequest(spec=pb.JobSpec(text=text))
        plans = [await gateway.stub.PlanJob(request) for gateway in (pair.leader, pair.follower)]
        assert plans[0].frames == plans[1].frames
        assert plans[0].cached_frames == plans[1].cached_frames == cached
        assert bool(plans[0].chunks) == bool(plans[1].chunks) == (not cached)


async def test_when_the_leader_leaves_the_follower_goes_on_at_once(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.lease.LEASE_SECONDS", 3600.0)
    gate = asyncio.Event()
    pair.leader.speech.gate = lambda index: gate if index == 3 else None
    job = await submit(pair.leader)
    watcher = asyncio.create_task(watch(pair.follower, job))
    await first_busy(pair.leader)
    await pair.leader.stop_gateway()
    gate.set()
    events = await watcher
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[-1].state.state == pb.JOB_STATE_DONE
    assert await pair.follower.video(job.id) == frame_lines(FRAMES)


async def test_a_leader_that_was_frozen_cannot_write_any_more_and_follows(pair: Pair) -> None:
    hold = hold_all(pair.leader)
    job = await submit(pair.leader)
    await first_busy(pair.leader)
    other = Lease(pair.store.engine, "another")
    await free_the_lease(pair.store)
    term = await other.take()
    assert term is not None
    hold.set()
    later = await submit(pair.leader, "A later one. And on.")
    assert len(await pair.store.events(later.id, 1, 100)) == 1
    await other.release(term)
    for each in (job, later):
        events = await watch(pair.leader, each)
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert events[-1].state.state == pb.JOB_STATE_DONE
    assert await pair.leader.video(job.id) == frame_lines(FRAMES)


async def test_gateways_get_over_the_loss_of_every_connection(pair: Pair) -> None:
    hold = hold_all(pair.leader)
    job = await submit(pair.follower)
    await first_busy(pair.leader)
    async with pair.store.engine.connect() as connection:
        await connection.execute(sa.text(_HANG_UP))
    hold.set()
    async with asyncio.timeout(LIMIT), Client(pair.address) as client:
        assert (await client.follow(job.id)).state == pb.JOB_STATE_DONE


async def test_a_follower_refuses_jobs_when_the_leader_has_no_room(tmp_path: Path, store: JobStore) -> None:
    lease = Lease(store.engine, "a leader whose queue is full")
    term = await lease.take()
    assert term is not None
    await lease.renew(term, Outlook(refusals={engine_key(ENGINE.name, ENGINE.version): 12.0}))
    async with fake_suite(tmp_path, database=url_of(store)) as suite:
        error = await refusal(submit(suite))
    assert isinstance(error, Busy)
    assert error.retry_after == 12.0


async def test_a_lease_is_taken_by_one_and_renewed_by_nobody_else(store: JobStore) -> None:
    leases = [Lease(store.engine, f"g{number}") for number in range(4)]
    terms = await asyncio.gather(*(lease.take() for lease in leases))
    won = [term for term in terms if term is not None]
    assert len(won) == 1
    assert not (await leases[0].look()).free
    await free_the_lease(store)
    assert await leases[0].take() == won[0] + 1
    assert not await leases[1].renew(won[0], Outlook())


async def test_a_term_that_is_over_writes_nothing(store: JobStore) -> None:
    lease = Lease(store.engine, "a")
    term = await lease.take()
    assert term is not None
    ruler = store.under(term)
    job = pb.Job(id="j1", state=pb.JOB_STATE_QUEUED)
    await store.add_job(job, "", pb.JobEvent(sequence=1, job_id="j1", state=job))
    await ruler.record(job, pb.JobEvent(sequence=2, job_id="j1", state=job))
    await free_the_lease(store)
    await lease.take()
    with pytest.raises(StoreAway):
        await ruler.record(job, pb.JobEvent(sequence=3, job_id="j1", state=job))
    assert [event.sequence for event in await store.events("j1", 1, 10)] == [1, 2]


async def test_a_transaction_frozen_in_its_middle_does_not_keep_the_lease(store: JobStore) -> None:
    lease = Lease(store.engine, "a")
    term = await lease.take()
    locked = sa.select(lease_table.c.epoch).with_for_update(read=True, key_share=True)
    async with store.engine.connect() as frozen:
        assert await frozen.scalar(locked) == term
        await free_the_lease(store)
        async with asyncio.timeout(2 * IDLE_SECONDS):
            assert await Lease(store.engine, "b").take() is not None
        await frozen.invalidate()
