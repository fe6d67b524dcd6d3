from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import json_format

from mouthpiece.client import VideoOptions
from mouthpiece.core.timeline import SPEECH_RATE, frame_count
from mouthpiece.media.probe import decode_audio, frame_times, index_comes_first, read_movie
from tests.support.media_measure import phase_steps
from tests.support.media_sound import write_wav
from tests.support.running_suite import RunningSuite

SMALL = VideoOptions(width=256, height=256, quality="low")


@pytest.mark.parametrize("text", ["Good morning. Nice to see you!", "Доброе утро. Рад вас видеть!"])
def test_a_text_becomes_a_video_as_long_as_its_speech(
    running: RunningSuite, tmp_path: Path, text: str
) -> None:
    out = tmp_path / "out.mp4"
    job = running.client.generate(out, text=text, options=SMALL)
    movie = read_movie(out)
    assert movie.video is not None
    assert movie.audio is not None
    assert movie.video.frames == job.frames == frame_count(job.samples, Fraction(25))
    assert frame_times(out) == [Fraction(frame, 25) for frame in range(job.frames)]
    assert abs(movie.video.duration - movie.audio.duration) <= Fraction(1, 25)
    assert index_comes_first(out)
    assert movie.video.color == (1, 1, 1)


def test_a_video_says_that_it_is_synthetic_and_how_it_was_made(running: RunningSuite, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    job = running.client.generate(out, text="Who made me?", options=SMALL)
    metadata = read_movie(out).metadata
    assert "AI-generated" in metadata["comment"]
    record = next(json.loads(value) for value in metadata.values() if value.startswith("{"))
    told = json_format.MessageToDict(job.provenance, preserving_proto_field_name=True)
    assert record == told
    assert record["engine"] == "viseme"
    assert {model["name"] for model in record["weights"]} >= {"face_landmark.tflite", "hearing.npz"}
    assert record["speakers"] == [record["voice"]]
    assert record["voice"]["engine"] == "espeak"
    assert record["chunks"][-1]["frames"]["end"] == str(job.frames)
    assert len(record["speech_sha256"]) == 64
    assert "tenant" not in record


def test_a_recording_keeps_every_sample_and_a_tone_its_phase(running: RunningSuite, tmp_path: Path) -> None:
    seconds = 7
    times = np.arange(seconds * SPEECH_RATE) / SPEECH_RATE
    audio = write_wav(tmp_path / "tone.wav", 0.3 * np.sin(2 * np.pi * 440 * times), SPEECH_RATE)
    out = tmp_path / "out.mp4"
    options = VideoOptions(width=256, height=256, mode="chunked", chunk_seconds=2)
    job = running.client.generate(out, audio=audio, options=options)
    assert job.frames == 25 * seconds
    assert len(job.chunks) > 2
    sound = decode_audio(out)[0]
    middle = sound[SPEECH_RATE // 2 : -SPEECH_RATE // 2]
    assert phase_steps(middle, 440.0).max() < 0.05


def test_statistics_tell_where_the_time_went(running: RunningSuite, tmp_path: Path) -> None:
    options = VideoOptions(width=256, height=256, mode="chunked", chunk_seconds=1, seed=3)
    text = "One is the first. Two is the second. Three is the third. Four is the last of them."
    job = running.client.generate(tmp_path / "out.mp4", text=text, options=options)
    figures = job.result.statistics
    assert figures.chunks == len(job.chunks) >= 3
    assert set(figures.workers) <= {"lipsync-0", "lipsync-1"}
    assert figures.worker_time.ToMilliseconds() > 0
    again = running.client.generate(tmp_path / "again.mp4", text=text, options=options)
    assert again.result.statistics.cached_frames == again.frames
