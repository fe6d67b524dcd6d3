from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from mouthpiece.client import VideoOptions
from mouthpiece.media.probe import decode_frames
from mouthpiece.v1 import gateway_pb2 as pb
from services.lipsync.engines.timed import read_number
from tests.support.running_suite import RunningSuite, start_suite

JOBS = 20
OPTIONS = VideoOptions(engine="timed", width=192, fps=Fraction(10), mode="chunked", chunk_seconds=1.0)
SERVICES = ("lipsync-0", "tts", "merger", "lipsync-1", "gateway")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningSuite]:
    environment = {
        "MOUTHPIECE_LIPSYNC_ENGINES": "timed",
        "MOUTHPIECE_LIPSYNC_TIMED_FRAMES_PER_SECOND": "60",
    }
    yield from start_suite(tmp_path, workers=2, environment=environment)


def test_every_service_is_restarted_among_twenty_running_jobs_and_nobody_can_tell(
    running: RunningSuite, tmp_path: Path
) -> None:
    client = running.client
    asked = {
        f"request {number}": OPTIONS.spec(text=f"Number {number} speaks. It goes on.")
        for number in range(JOBS)
    }
    ids = {request: client.submit(spec, request).id for request, spec in asked.items()}
    for service in SERVICES:
        old = running.service(service)
        os.kill(old, signal.SIGTERM)
        running.wait_for_another(service, old)
    jobs = {request: client.follow(job) for request, job in ids.items()}
    assert {job.state for job in jobs.values()} == {pb.JOB_STATE_DONE}
    assert {request: client.submit(spec, request).id for request, spec in asked.items()} == ids
    assert sorted(job.id for job in client.list_jobs()) == sorted(ids.values())
    for job in jobs.values():
        video = tmp_path / f"{job.id}.mp4"
        client.download(job.id, video)
        assert [read_number(frame) for frame in decode_frames(video)] == list(range(job.frames))
