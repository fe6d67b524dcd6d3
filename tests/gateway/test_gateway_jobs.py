from __future__ import annotations

import asyncio
from pathlib import Path

import grpc.aio
import pytest

from mouthpiece.errors import BadInput, MouthpieceError, NotFound, Reason, Unavailable, Unmet
from mouthpiece.rpc.status import from_rpc_error
from mouthpiece.v1 import gateway_pb2 as pb
from mouthpiece.v1 import lipsync_pb2
from tests.support.gateway_fakes import FakeSuite, fake_suite, frame_lines

TEXT = "One. Two. Three. Four. Five."
FRAMES = 250
LIMIT = 60


async def submit(suite: FakeSuite, text: str = TEXT, request_id: str = "", **spec: object) -> pb.Job:
    request = pb.SubmitJobRequest(spec=pb.JobSpec(text=text, **spec), request_id=request_id)  # type: ignore[arg-type]
    return (await suite.stub.SubmitJob(request)).job


async def watch(suite: FakeSuite, job: pb.Job, start: int = 1) -> list[pb.JobEvent]:
    """Every stored event from `start` to the end."""
    call = suite.stub.WatchJob(pb.WatchJobRequest(job_id=job.id, from_sequence=start), timeout=LIMIT)
    return [message.event async for message in call if message.event.sequence]


async def finish(suite: FakeSuite, job: pb.Job) -> pb.Job:
    await watch(suite, job)
    return (await suite.stub.GetJob(pb.GetJobRequest(job_id=job.id))).job


def hold_all(suite: FakeSuite) -> asyncio.Event:
    """Workers take chunks and wait for the event."""
    hold = asyncio.Event()
    for worker in suite.workers:
        worker.hold = hold
    return hold


async def first_busy(suite: FakeSuite) -> int:
    """Wait until some worker has a chunk."""
    waits = [asyncio.ensure_future(worker.began.wait()) for worker in suite.workers]
    done, rest = await asyncio.wait(waits, timeout=LIMIT, return_when=asyncio.FIRST_COMPLETED)
    for wait in rest:
        wait.cancel()
    return waits.index(done.pop())


async def refusal(call: object) -> MouthpieceError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return from_rpc_error(caught.value)


async def test_a_text_becomes_a_video_of_every_frame_once_in_order(suite: FakeSuite) -> None:
    job = await finish(suite, await submit(suite))
    assert pb.JobState.Name(job.state) == "JOB_STATE_DONE", job.error
    assert job.result.frames == job.frames == FRAMES
    assert await suite.video(job.id) == frame_lines(FRAMES)
    assert job.result.statistics.chunks == len([c for c in job.chunks if c.state == pb.CHUNK_STATE_DONE])


async def test_events_are_numbered_without_a_gap_and_told_alike_to_a_late_watcher(suite: FakeSuite) -> None:
    job = await submit(suite)
    live = await watch(suite, job)
    late = await watch(suite, job)
    assert [event.sequence for event in live] == list(range(1, len(live) + 1))
    assert late == live
    assert await watch(suite, job, 4) == live[3:]


async def test_states_come_in_the_order_of_the_work(suite: FakeSuite) -> None:
    events = await watch(suite, await submit(suite))
    states = [
        pb.JobState.Name(e.state.state).removeprefix("JOB_STATE_") for e in events if e.HasField("state")
    ]
    assert states == ["QUEUED", "SPEAKING", "RENDERING", "MERGING", "DONE"]


async def test_rendering_starts_before_the_speech_is_complete(suite: FakeSuite) -> None:
    last = asyncio.Event()
    suite.speech.gate = lambda index: last if index == 4 else None
    job = await submit(suite)
    await first_busy(suite)
    last.set()
    assert (await finish(suite, job)).state == pb.JOB_STATE_DONE


async def test_a_request_id_makes_one_job_however_often_and_fast_it_is_sent(suite: FakeSuite) -> None:
    jobs = await asyncio.gather(*(submit(suite, request_id="once") for _ in range(8)))
    assert len({job.id for job in jobs}) == 1
    error = await refusal(submit(suite, "Another text.", request_id="once"))
    assert error.status == "ALREADY_EXISTS"


async def test_an_attempt_that_fails_is_repeated_elsewhere(suite: FakeSuite) -> None:
    for worker in suite.workers:
        worker.fail = MouthpieceError("the picture caught fire")
        worker.fail_times = 1
    job = await finish(suite, await submit(suite))
    assert job.state == pb.JOB_STATE_DONE
    assert await suite.video(job.id) == frame_lines(FRAMES)
    assert 1 <= job.result.statistics.failed_attempts <= 2
    assert "the picture caught fire" in [chunk.error for chunk in job.chunks]


async def test_what_workers_find_when_they_render_is_told_once(suite: FakeSuite) -> None:
    for worker in suite.workers:
        worker.warnings = ("nobody is seen in 8 of 24 frames",)
    job = await finish(suite, await submit(suite))
    assert list(job.warnings) == ["nobody is seen in 8 of 24 frames"]


async def test_a_job_that_no_worker_can_render_fails_and_says_why(suite: FakeSuite) -> None:
    for worker in suite.workers:
        worker.fail = MouthpieceError("out of paint")
    job = await finish(suite, await submit(suite))
    assert job.state == pb.JOB_STATE_FAILED
    assert job.error.message.count("out of paint") == 1
    assert all(worker.name in job.error.message for worker in suite.workers)
    assert "127.0.0.1" not in job.error.message


async def test_a_worker_that_lies_about_its_frames_is_not_believed(suite: FakeSuite) -> None:
    suite.workers[0].lie = True
    job = await finish(suite, await submit(suite))
    assert job.state == pb.JOB_STATE_DONE
    assert await suite.video(job.id) == frame_lines(FRAMES)
    assert {c.worker for c in job.chunks if c.state == pb.CHUNK_STATE_DONE} == {"w1"}
    cluster = (await suite.stub.GetCluster(pb.GetClusterRequest())).cluster
    assert {worker.worker.name for worker in cluster.workers if worker.suspect} == {"w0"}


async def test_a_worker_that_goes_away_loses_nothing(suite: FakeSuite) -> None:
    hold = hold_all(suite)
    job = await submit(suite)
    await suite.stop_worker(await first_busy(suite))
    hold.set()
    job = await finish(suite, job)
    assert job.state == pb.JOB_STATE_DONE
    assert await suite.video(job.id) == frame_lines(FRAMES)


async def test_speech_and_merge_are_asked_again_after_a_hiccup(suite: FakeSuite) -> None:
    suite.speech.break_after = 2
    suite.merger.break_times = 2
    job = await finish(suite, await submit(suite))
    assert job.state == pb.JOB_STATE_DONE, job.error
    assert suite.speech.spoken == 5
    assert await suite.video(job.id) == frame_lines(FRAMES)


async def test_the_same_job_again_comes_from_the_cache(suite: FakeSuite) -> None:
    first = await finish(suite, await submit(suite, seed=7))
    spoken, rendered = suite.speech.spoken, [len(worker.rendered) for worker in suite.workers]
    again = await finish(suite, await submit(suite, seed=7))
    assert suite.speech.spoken == spoken
    assert [len(worker.rendered) for worker in suite.workers] == rendered
    assert again.result.statistics.cached_frames == FRAMES
    assert again.result.video == first.result.video


async def test_another_seed_is_rendered_anew(suite: FakeSuite) -> None:
    await finish(suite, await submit(suite, seed=7))
    again = await finish(suite, await submit(suite, seed=8))
    assert again.result.statistics.cached_frames == 0


async def test_cancelling_stops_the_workers_and_ends_the_job(suite: FakeSuite) -> None:
    hold = hold_all(suite)
    job = await submit(suite)
    await first_busy(suite)
    cancelled = (await suite.stub.CancelJob(pb.CancelJobRequest(job_id=job.id))).job
    assert cancelled.state == pb.JOB_STATE_CANCELLED
    assert (await suite.stub.CancelJob(pb.CancelJobRequest(job_id=job.id))).job.state == cancelled.state
    hold.set()
    other = await finish(suite, await submit(suite, "Another one. And on."))
    assert other.state == pb.JOB_STATE_DONE


@pytest.mark.parametrize("phase", ["speech", "rendering", "merge"])
async def test_a_gateway_that_restarts_goes_on_where_it_was(suite: FakeSuite, phase: str) -> None:
    gate = asyncio.Event()
    if phase == "speech":
        suite.speech.gate = lambda index: gate if index == 3 else None
    elif phase == "rendering":
        suite.workers[1].hold = gate
    else:
        suite.merger.hold = gate
    job = await submit(suite)
    seen = await _until_stuck(suite, job, phase)
    spoken = suite.speech.spoken
    await suite.restart_gateway()
    suite.merger.hold = None
    gate.set()
    seen += await watch(suite, job, seen[-1].sequence + 1)
    assert [event.sequence for event in seen] == list(range(1, len(seen) + 1))
    assert (await finish(suite, job)).state == pb.JOB_STATE_DONE
    assert await suite.video(job.id) == frame_lines(FRAMES)
    if phase != "speech":
        assert suite.speech.spoken == spoken


async def _until_stuck(suite: FakeSuite, job: pb.Job, phase: str) -> list[pb.JobEvent]:
    """Stored events up to the moment at which the phase's gate is what holds the job."""
    seen: list[pb.JobEvent] = []
    call = suite.stub.WatchJob(pb.WatchJobRequest(job_id=job.id), timeout=LIMIT)
    async for message in call:
        event = message.event
        if event.sequence:
            seen.append(event)
        spoken = sum(e.HasField("speech") for e in seen)
        done = sum(len(range(c.frames.first, c.frames.end)) for c in _done(seen))
        state = [e.state.state for e in seen if e.HasField("state")][-1]
        if (
            (phase == "speech" and spoken == 3)
            or (phase == "rendering" and done > 0 and state == pb.JOB_STATE_RENDERING)
            or (phase == "merge" and state == pb.JOB_STATE_MERGING)
        ):
            break
    call.cancel()
    return seen


def _done(events: list[pb.JobEvent]) -> list[pb.Chunk]:
    return [e.chunk for e in events if e.HasField("chunk") and e.chunk.state == pb.CHUNK_STATE_DONE]


async def test_jobs_are_listed_newest_first_page_by_page(suite: FakeSuite) -> None:
    made = [(await submit(suite, f"Text {number}.")).id for number in range(5)]
    listed: list[str] = []
    token = ""
    while True:
        page = await suite.stub.ListJobs(pb.ListJobsRequest(page_size=2, page_token=token))
        listed += [job.id for job in page.jobs]
        token = page.next_page_token
        if not token:
            break
    assert listed == sorted(made, reverse=True)


async def test_a_job_is_deleted_only_when_it_has_ended(suite: FakeSuite) -> None:
    hold = hold_all(suite)
    job = await submit(suite)
    error = await refusal(suite.stub.DeleteJob(pb.DeleteJobRequest(job_id=job.id)))
    assert isinstance(error, Unmet)
    assert error.reason is Reason.JOB_RUNNING
    hold.set()
    await finish(suite, job)
    await suite.stub.DeleteJob(pb.DeleteJobRequest(job_id=job.id))
    assert isinstance(await refusal(suite.stub.GetJob(pb.GetJobRequest(job_id=job.id))), NotFound)


async def test_a_range_of_the_video_can_be_downloaded(suite: FakeSuite) -> None:
    job = await finish(suite, await submit(suite))
    request = pb.DownloadVideoRequest(job_id=job.id, offset=10, length=20)
    parts = [part async for part in suite.stub.DownloadVideo(request)]
    assert b"".join(part.data for part in parts) == frame_lines(FRAMES)[10:30]
    assert parts[0].video == job.result.video


async def test_without_any_worker_a_job_is_refused_for_now(tmp_path: Path) -> None:
    async with fake_suite(tmp_path, workers=1) as suite:
        await suite.stop_worker(0)
        async for message in suite.stub.WatchCluster(pb.WatchClusterRequest(), timeout=LIMIT):
            if message.cluster.workers[0].state == pb.WORKER_STATE_LOST:
                break
        assert (await refusal(submit(suite))).status == "UNAVAILABLE"


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (pb.JobSpec(), "spec.text"),
        (pb.JobSpec(text=" \n "), "spec.text"),
        (pb.JobSpec(text="x" * 200_001), "spec.text"),
        (pb.JobSpec(text="unspeakable"), "spec.text"),
        (pb.JobSpec(text="a.", width=-4), "spec.width"),
        (pb.JobSpec(text="a.", height=5000), "spec.height"),
        (pb.JobSpec(text="a.", engine="magic"), "spec.engine"),
        (pb.JobSpec(text="a.", quality=17), "spec.quality"),  # type: ignore[arg-type]
        (pb.JobSpec(text="a.", mode=9), "spec.mode"),  # type: ignore[arg-type]
        (pb.JobSpec(text="a.", max_workers=-1), "spec.max_workers"),
        (pb.JobSpec(text="a.", fps={"numerator": 1, "denominator": 1}), "spec.fps"),  # type: ignore[arg-type]
        (pb.JobSpec(text="a.", fps={"numerator": 25, "denominator": 0}), "spec.fps"),  # type: ignore[arg-type]
        (pb.JobSpec(text="a.", chunk_length={"seconds": 601}), "spec.chunk_length"),  # type: ignore[arg-type]
        (pb.JobSpec(text="a.", avatar_sha256="../../etc/passwd"), "spec.avatar_sha256"),
        (pb.JobSpec(text="a.", avatar_sha256="0" * 64), "spec.avatar_sha256"),
        (pb.JobSpec(audio_sha256="f" * 64), "spec.audio_sha256"),
    ],
)
async def test_a_wrong_spec_is_refused_with_its_field_and_leaves_no_job(
    suite: FakeSuite, spec: pb.JobSpec, field: str
) -> None:
    error = await refusal(suite.stub.SubmitJob(pb.SubmitJobRequest(spec=spec)))
    assert isinstance(error, BadInput)
    assert error.violations[0].field == field
    assert not (await suite.stub.ListJobs(pb.ListJobsRequest())).jobs


async def test_an_engine_that_is_ill_or_lacks_something_is_no_fault_of_the_request(suite: FakeSuite) -> None:
    weights = lipsync_pb2.Ailment(engine="wav2lip", description="no file", reason="WEIGHTS_MISSING")
    ill = lipsync_pb2.Ailment(engine="heygem", description="HTTP status 503")
    for fake, ailments in zip(suite.workers, [(weights, ill), (weights,)], strict=True):
        fake.ailments = ailments
    await suite.restart_gateway()
    unavailable = await refusal(submit(suite, engine="heygem"))
    assert isinstance(unavailable, Unavailable)
    assert "HTTP status 503" in unavailable.message
    lacking = await refusal(submit(suite, engine="wav2lip"))
    assert isinstance(lacking, Unmet)
    assert lacking.reason is Reason.WEIGHTS_MISSING
    assert isinstance(await refusal(submit(suite, engine="magic")), BadInput)


async def test_sizes_follow_the_avatar_and_are_even(suite: FakeSuite) -> None:
    own = await submit(suite)
    wide = await submit(suite, width=320)
    assert (own.format.width, own.format.height) == (640, 480)
    assert (wide.format.width, wide.format.height) == (320, 240)


async def test_a_plan_covers_every_frame_and_changes_nothing(suite: FakeSuite) -> None:
    spec = pb.JobSpec(text=TEXT, mode=pb.MODE_CHUNKED)
    spec.chunk_length.FromMilliseconds(2000)
    planned = await suite.stub.PlanJob(pb.PlanJobRequest(spec=spec))
    spans = sorted((chunk.frames.first, chunk.frames.end) for chunk in planned.chunks)
    assert planned.frames == spans[-1][1] == FRAMES
    assert [first for first, _ in spans] == [0, *(end for _, end in spans[:-1])]
    assert planned.total.ToMilliseconds() <= planned.total_single.ToMilliseconds()
    assert planned.advice
    assert not (await suite.stub.ListJobs(pb.ListJobsRequest())).jobs
