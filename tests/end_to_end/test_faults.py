from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mouthpiece.client import VideoOptions
from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.v1 import gateway_pb2 as pb
from tests.end_to_end.test_seams import frames_of
from tests.support.media_chunks import babble
from tests.support.media_sound import write_wav
from tests.support.running_suite import RunningSuite

OPTIONS = VideoOptions(width=320, height=320, quality="lossless", mode="chunked", chunk_seconds=1, seed=5)


@pytest.mark.parametrize("victim", ["lipsync-0", "gateway"])
def test_a_process_killed_in_the_middle_of_a_job_costs_no_frame(
    suite_with: Callable[..., RunningSuite], running: RunningSuite, tmp_path: Path, victim: str
) -> None:
    suite = suite_with()
    killed = threading.Event()
    sequences: list[int] = []

    def kill_once(event: pb.JobEvent) -> None:
        if event.sequence:
            sequences.append(event.sequence)
        done = event.HasField("chunk") and event.chunk.state == pb.CHUNK_STATE_DONE
        if done and not killed.is_set():
            killed.set()
            os.kill(suite.service(victim), signal.SIGKILL)

    audio = write_wav(tmp_path / "speech.wav", babble(8 * SPEECH_RATE) / 32768, SPEECH_RATE)
    broken, whole = tmp_path / "broken.mp4", tmp_path / "whole.mp4"
    job = suite.client.generate(broken, audio=audio, options=OPTIONS, on_event=kill_once)
    assert killed.is_set()
    assert sequences == list(range(1, len(sequences) + 1))
    assert job.state == pb.JOB_STATE_DONE
    running.client.generate(whole, audio=audio, options=OPTIONS)
    assert frames_of(broken) == frames_of(whole)
