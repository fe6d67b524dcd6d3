"""The director among things that happen at once: a job is taken up once, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client import REGISTRY

from mouthpiece.artifacts import ArtifactStore
from mouthpiece.core.scheduler import Scheduler
from mouthpiece.core.scheduler.events import Offer, SpeechGrew, WorkerUp
from mouthpiece.errors import NotFound
from mouthpiece.rpc.convert import engine_to_proto, timestamp
from mouthpiece.v1.common_pb2 import Rational, VideoFormat
from mouthpiece.v1.gateway_pb2 import JOB_STATE_CANCELLED, JOB_STATE_DONE, JOB_STATE_QUEUED, Job, JobEvent
from mouthpiece.v1.gateway_pb2 import JobSpec as Spec
from services.gateway.chunks import Chunks
from services.gateway.database import StoreAway
from services.gateway.director import UNFINISHED, Director
from services.gateway.ids import new_job_id
from services.gateway.run import stamp
from services.gateway.store import JobStore
from services.gateway.watching import Watching
from tests.support.gateway_fakes import ENGINE

LIMIT = 20


class Hands:
    """Speaks and merges for ever, and cannot render."""

    async def speak(self, _run: object) -> None:
        await asyncio.Event().wait()

    async def merge(self, _run: object) -> None:
        await asyncio.Event().wait()

    async def attempt(self, _run: object, _command: object) -> list[Any]:
        raise RuntimeError("nobody foresaw this")

    async def give_up(self, _run: object, _command: object, _error: object) -> list[Any]:
        raise StoreAway("the job store does not answer")


@dataclass
class World:
    store: JobStore
    watching: Watching
    director: Director

    async def stored(self) -> Job:
        """A job that was accepted."""
        job = Job(
            id=new_job_id(),
            spec=Spec(text="One."),
            state=JOB_STATE_QUEUED,
            created=timestamp(time.time()),
            format=VideoFormat(fps=Rational(numerator=25, denominator=1), width=64, height=64),
            samples=48_000,
            frames=50,
            last_sequence=1,
            engine=engine_to_proto(ENGINE),
        )
        await self.store.add_job(job, "", stamp(JobEvent(state=job), job, 1))
        return job

    async def find(self, job_id: str) -> Job:
        job = await self.store.job(job_id)
        if job is None:
            raise NotFound(job_id)
        return job

    async def end_of(self, job: Job) -> Job:
        """Watch a job to its end."""
        async with asyncio.timeout(LIMIT), aclosing(self.watching.watch(job.id, 1, self.find)) as events:
            async for _ in events:
                pass
        return await self.find(job.id)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncGenerator[World]:
    store = await JobStore.open(f"sqlite+aiosqlite:///{tmp_path / 'mouthpiece.db'}")
    watching = Watching(store)
    chunks = Chunks(ArtifactStore.open(str(tmp_path / "artifacts")))
    director = Director(Scheduler(), store, watching, chunks)
    hands = cast("Any", Hands())
    director.equip(hands, hands, hands)
    yield World(store, watching, director)
    await director.close()
    await store.close()


def gated(work: Callable[..., Coroutine[Any, Any, Any]], gate: asyncio.Event, begun: asyncio.Event) -> Any:
    """Work that waits at a gate."""

    async def waits(*args: Any, **kwargs: Any) -> Any:
        begun.set()
        await gate.wait()
        return await work(*args, **kwargs)

    return waits


def figure(name: str, state: str) -> float:
    return REGISTRY.get_sample_value(name, {"state": state}) or 0.0


async def test_a_job_that_is_called_off_while_it_is_taken_up_is_called_off(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, gate, begun = await world.stored(), asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(world.store, "attempts", gated(world.store.attempts, gate, begun))
    world.director.submitted(job.id)
    await begun.wait()
    world.director.called_off(job.id)
    asyncio.get_running_loop().call_later(0.1, gate.set)
    assert (await world.end_of(job)).state == JOB_STATE_CANCELLED


async def test_a_job_that_ended_while_others_were_taken_up_is_not_begun_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await world.stored()
    listed = await world.store.jobs(limit=10, states=UNFINISHED)
    await world.director.restore()
    await world.director.cancel(world.director.runs[job.id])

    async def list_of_before(**_: object) -> list[Job]:
        return listed

    monkeypatch.setattr(world.store, "jobs", list_of_before)
    await world.director.restore()
    assert job.id not in world.director.runs


async def test_a_store_that_is_away_when_an_attempt_is_given_up_ends_the_term(world: World) -> None:
    job = await world.stored()
    await world.director.restore()
    world.director.tell(WorkerUp("w0", (Offer(ENGINE.name, ENGINE.version, 0.0),), 1, ()))
    world.director.tell(SpeechGrew(job.id, 50, (), True, 0, ()))
    async with asyncio.timeout(LIMIT):
        assert isinstance(await world.director.over, StoreAway)


async def test_a_job_that_has_ended_gets_no_other_engine(world: World) -> None:
    job = await world.stored()
    await world.director.restore()
    run = world.director.runs[job.id]
    await world.director.cancel(run)
    before = figure("mouthpiece_gateway_jobs", "cancelled")
    await world.director.change_engine(run, replace(ENGINE, version="fake-2"))
    assert figure("mouthpiece_gateway_jobs", "cancelled") == before
    assert not world.director.runs


async def test_an_end_that_was_stored_is_told_even_if_nobody_waits_for_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, gate, begun = await world.stored(), asyncio.Event(), asyncio.Event()
    await world.director.restore()
    run = world.director.runs[job.id]
    before = figure("mouthpiece_jobs_ended_total", "done")
    monkeypatch.setattr(world.store, "record", gated(world.store.record, gate, begun))
    ending = asyncio.create_task(run.enter(JOB_STATE_DONE))
    await begun.wait()
    ending.cancel()
    gate.set()
    await asyncio.gather(ending, return_exceptions=True)
    assert ending.cancelled()
    assert figure("mouthpiece_jobs_ended_total", "done") == before + 1
