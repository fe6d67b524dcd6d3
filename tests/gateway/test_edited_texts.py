"""Edited texts: what is behind a change is shown again, at another place of the video."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from mouthpiece.core.engines import EngineClass
from mouthpiece.v1 import gateway_pb2 as pb
from tests.gateway.test_gateway_jobs import finish, first_busy, submit, watch
from tests.support.gateway_fakes import ENGINE, FakeSuite, fake_suite

TEN = [f"Sentence number {number}" for number in range(10)]
EACH = 50
"""Frames of a sentence."""
INSERTED = [*TEN[:4], "Something new", *TEN[4:]]


def text(sentences: list[str]) -> str:
    return ". ".join(sentences) + "."


async def motion(suite: FakeSuite, job: pb.Job) -> list[int]:
    """The motion that each frame of a video shows."""
    return [int(line) for line in (await suite.video(job.id)).split()]


async def edit(suite: FakeSuite, first: pb.Job, sentences: list[str]) -> pb.Job:
    return await finish(suite, await submit(suite, text(sentences), previous_job_id=first.id))


def hold_speech(suite: FakeSuite, sentence: int) -> asyncio.Event:
    """A sentence is not spoken before the event; workers begin anew."""
    hold = asyncio.Event()
    suite.speech.gate = lambda index: hold if index == sentence else None
    for worker in suite.workers:
        worker.began.clear()
    return hold


def share(job: pb.Job) -> float:
    return job.result.statistics.cached_frames / job.frames


@pytest.mark.parametrize(
    ("sentences", "tail"),
    [
        (INSERTED, range(5 * EACH, 10 * EACH)),
        ([*TEN[:4], *TEN[6:]], range(7 * EACH, 10 * EACH)),
        ([*TEN[:2], *TEN[6:], *TEN[2:6]], range(3 * EACH, 6 * EACH - 10)),
    ],
    ids=["inserted", "deleted", "moved"],
)
async def test_what_is_behind_a_change_is_taken_from_the_earlier_job(
    suite: FakeSuite, sentences: list[str], tail: range
) -> None:
    first = await finish(suite, await submit(suite, text(TEN)))
    job = await edit(suite, first, sentences)
    assert share(job) >= 0.75
    assert not job.warnings
    shown = await motion(suite, job)
    assert len(shown) == job.frames == len(sentences) * EACH
    assert any(shown[at : at + len(tail)] == list(tail) for at in range(len(shown)))


async def test_an_edit_of_an_edit_takes_from_both(suite: FakeSuite) -> None:
    first = await finish(suite, await submit(suite, text(TEN)))
    second = await edit(suite, first, INSERTED)
    third = await edit(suite, second, [*INSERTED[:8], "Another end"])
    assert share(third) >= 0.8
    assert (await motion(suite, third))[: 7 * EACH] == (await motion(suite, second))[: 7 * EACH]
    back = await edit(suite, third, TEN)
    assert share(back) >= 0.8


async def test_an_edit_is_rendered_while_it_is_still_spoken(suite: FakeSuite) -> None:
    first = await finish(suite, await submit(suite, text(TEN)))
    hold = hold_speech(suite, 7)
    sentences = [*TEN[:2], "A new third", *TEN[3:7], "A new eighth", *TEN[8:]]
    job = await submit(suite, text(sentences), previous_job_id=first.id)
    await first_busy(suite)
    hold.set()
    assert share(await finish(suite, job)) >= 0.6


async def test_a_plan_tells_what_an_edit_will_reuse(suite: FakeSuite) -> None:
    first = await finish(suite, await submit(suite, text(TEN)))
    spec = pb.JobSpec(text=text(INSERTED), previous_job_id=first.id)
    planned = await suite.stub.PlanJob(pb.PlanJobRequest(spec=spec))
    assert planned.cached_sentences == 10
    job = await edit(suite, first, INSERTED)
    assert abs(planned.cached_frames - job.result.statistics.cached_frames) <= 5


async def test_an_edit_goes_on_after_a_restart_without_the_earlier_job(suite: FakeSuite) -> None:
    first = await finish(suite, await submit(suite, text(TEN)))
    whole = await motion(suite, await edit(suite, first, [*INSERTED[:9], "A new end"]))
    hold = hold_speech(suite, 9)
    spec = pb.JobSpec(
        text=text([*INSERTED[:9], "Yet another end"]), previous_job_id=first.id, ignore_cache=True
    )
    job = (await suite.stub.SubmitJob(pb.SubmitJobRequest(spec=spec))).job
    await first_busy(suite)
    await suite.stub.DeleteJob(pb.DeleteJobRequest(job_id=first.id))
    await suite.restart_gateway()
    hold.set()
    done = await finish(suite, job)
    assert (await motion(suite, done))[: 8 * EACH] == whole[: 8 * EACH]


async def test_sentences_tell_where_motion_goes_over(suite: FakeSuite) -> None:
    first = await finish(suite, await submit(suite, text(TEN)))
    job = await edit(suite, first, INSERTED)
    sentences = [event.speech.sentence for event in await watch(suite, job) if event.HasField("speech")]
    crossings = [(s.index, s.crossing.by) for s in sentences if s.HasField("crossing")]
    assert crossings == [(5, -EACH)]


async def test_a_job_that_was_to_look_otherwise_gives_no_frames(suite: FakeSuite) -> None:
    first = await finish(suite, await submit(suite, text(TEN)))
    job = await submit(suite, text(INSERTED), previous_job_id=first.id, width=320)
    done = await finish(suite, job)
    assert [warning for warning in done.warnings if "look otherwise" in warning]
    assert await motion(suite, done) == list(range(11 * EACH))


async def test_a_chained_engine_takes_over_speech_only(tmp_path: Path) -> None:
    async with fake_suite(tmp_path) as suite:
        for worker in suite.workers:
            worker.engine = replace(ENGINE, engine_class=EngineClass.CHAINED)
        await suite.restart_gateway()
        first = await finish(suite, await submit(suite, text(TEN)))
        done = await edit(suite, first, INSERTED)
        assert [warning for warning in done.warnings if "only speech" in warning]
        assert done.result.statistics.cached_sentences == 10
        assert await motion(suite, done) == list(range(11 * EACH))
