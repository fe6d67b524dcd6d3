"""Sentences are spoken once, and found again by their keys."""

from __future__ import annotations

from mouthpiece.v1 import gateway_pb2 as pb
from tests.gateway.test_gateway_jobs import finish, refusal, submit
from tests.support.gateway_fakes import FakeSuite, frame_lines

TEN = [f"Sentence number {number}" for number in range(10)]
FRAMES_EACH = 50


def text(sentences: list[str]) -> str:
    return ". ".join(sentences) + "."


def rendered_frames(suite: FakeSuite) -> int:
    return sum(len(span) for worker in suite.workers for span in worker.rendered)


async def test_editing_the_third_of_ten_sentences_speaks_one(suite: FakeSuite) -> None:
    await finish(suite, await submit(suite, text(TEN)))
    assert suite.speech.spoken == 10
    before = rendered_frames(suite)
    job = await finish(suite, await submit(suite, text([*TEN[:2], "Something else", *TEN[3:]])))
    assert suite.speech.spoken == 11
    assert (job.result.statistics.sentences, job.result.statistics.cached_sentences) == (10, 9)
    assert await suite.video(job.id) == frame_lines(10 * FRAMES_EACH)
    # The sentence, the context of its neighbours, and what of a second these end in.
    assert rendered_frames(suite) - before <= FRAMES_EACH + 2 * 25
    assert job.result.statistics.cached_frames >= 0.8 * job.frames


async def test_sentences_are_found_wherever_they_stand(suite: FakeSuite) -> None:
    await finish(suite, await submit(suite, text(TEN)))
    job = await finish(suite, await submit(suite, text(TEN[::-1])))
    assert suite.speech.spoken == 10
    assert job.state == pb.JOB_STATE_DONE
    assert job.frames == 10 * FRAMES_EACH


async def test_a_sentence_that_is_said_twice_sounds_the_same_in_every_job(suite: FakeSuite) -> None:
    twice = text(["Again and again", "Again and again"])
    await finish(suite, await submit(suite, twice))
    job = await finish(suite, await submit(suite, twice))
    assert job.result.statistics.cached_frames == job.frames


async def test_frames_are_rendered_anew_on_demand_but_not_spoken_anew(suite: FakeSuite) -> None:
    first = await finish(suite, await submit(suite, text(TEN)))
    again = await finish(suite, await submit(suite, text(TEN), ignore_cache=True))
    assert suite.speech.spoken == 10
    assert again.result.statistics.cached_frames == 0
    assert rendered_frames(suite) == first.frames + again.frames


async def test_an_edit_of_a_job_that_nobody_knows_is_refused(suite: FakeSuite) -> None:
    error = await refusal(submit(suite, text(TEN), previous_job_id="j" + "0" * 25))
    assert error.status == "INVALID_ARGUMENT"
    assert "no job" in error.message


async def test_an_edit_keeps_what_stands_where_it_stood(suite: FakeSuite) -> None:
    first = await finish(suite, await submit(suite, text(TEN)))
    edit = text([*TEN[:5], "Another middle", *TEN[6:]])
    job = await finish(suite, await submit(suite, edit, previous_job_id=first.id))
    assert job.result.statistics.cached_frames >= 0.8 * job.frames
    assert not job.warnings
