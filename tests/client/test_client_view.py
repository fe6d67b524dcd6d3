from __future__ import annotations

import json

from mouthpiece.client import VideoOptions
from mouthpiece.client.report import job_report, job_summary
from mouthpiece.client.view import JobView
from mouthpiece.v1 import gateway_pb2
from tests.support.cli_fake_gateway import Knobs, finished_job, script


def view_of(events: list[gateway_pb2.JobEvent]) -> JobView:
    view = JobView()
    for event in events:
        view.apply(event)
    return view


def test_a_view_follows_a_job_from_its_events() -> None:
    view = view_of(script(Knobs(chunks=3))[:8])
    assert view.job.state == gateway_pb2.JOB_STATE_SPEAKING
    assert (view.sentences, view.spoken_samples, view.speech_final) == (1, 192_000, False)
    assert [chunk.frames_done for chunk in view.chunks.values()] == [100]
    assert view.eta == 7.5


def test_a_view_of_the_whole_history_is_the_finished_job() -> None:
    view = view_of(script(Knobs(chunks=3)))
    assert view.job.state == gateway_pb2.JOB_STATE_DONE
    assert view.percent == 100
    assert view.speech_final
    states = [chunk.state for chunk in view.chunks.values()]
    assert states.count(gateway_pb2.CHUNK_STATE_DONE) == 3
    assert states.count(gateway_pb2.CHUNK_STATE_FAILED) == 1


def test_a_late_figure_does_not_bring_an_ended_attempt_back() -> None:
    events = script(Knobs(chunks=1))
    late = next(event for event in events if event.HasField("progress"))
    view = view_of([*events, late])
    assert [chunk.state for chunk in view.chunks.values()] == [gateway_pb2.CHUNK_STATE_DONE]


def test_a_report_is_plain_data_with_every_figure() -> None:
    report = job_report(finished_job(Knobs(chunks=3)))
    assert json.loads(json.dumps(report)) == report
    assert report["state"] == "done"
    assert report["frames"] == 300
    assert report["speech_seconds"] == 12
    assert report["stages"] == {
        "queue_seconds": 1,
        "speech_seconds": 4,
        "render_seconds": 9,
        "merge_seconds": 1,
        "first_chunk_seconds": 3.5,
    }
    assert report["cache"] == {"chunks": 0, "frames": 0}
    failed = next(chunk for chunk in report["chunks"] if chunk["state"] == "failed")
    assert failed["error"] == "the worker went away"
    assert (failed["first_frame"], failed["end_frame"], failed["start"], failed["end"]) == (100, 200, 4, 4.5)


def test_a_report_tells_what_each_worker_did() -> None:
    workers = job_report(finished_job(Knobs(chunks=3)))["workers"]
    assert workers == [
        {"worker": "lipsync-0", "attempts": 3, "frames": 300, "busy_seconds": 7.5},
        {"worker": "lipsync-1", "attempts": 1, "frames": 0, "busy_seconds": 0.5},
    ]


def test_a_report_repeats_only_what_was_wished() -> None:
    options = VideoOptions(quality="high", chunk_seconds=2.5, seed=0)
    job = gateway_pb2.Job(spec=options.spec(text="Hi."))
    assert job_report(job)["spec"] == {"text": "Hi.", "quality": "high", "chunk_length": 2.5, "seed": 0}


def test_a_failed_job_says_why_and_has_no_result() -> None:
    job = finished_job(Knobs(fails="three workers failed"))
    assert job_summary(job)["error"] == "three workers failed"
    assert "stages" not in job_report(job)
