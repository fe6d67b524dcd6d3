from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from mouthpiece.artifacts import hash_file
from mouthpiece.client import VideoOptions
from mouthpiece.errors import BadInput, MouthpieceError, Reason, Unmet
from mouthpiece.v1 import gateway_pb2 as pb
from tests.support.faces import clip_file, portrait
from tests.support.media_sound import write_wav
from tests.support.running_suite import RunningSuite

Maker = Callable[[Path], Path]


def truncated_video(folder: Path) -> Path:
    whole = clip_file(folder / "whole.mp4", 30, Fraction(25)).read_bytes()
    path = folder / "cut.mp4"
    path.write_bytes(whole[: len(whole) // 2])
    return path


def sound_as_video(folder: Path) -> Path:
    return write_wav(folder / "x.wav", np.zeros(8000), 8000).rename(folder / "clip.mp4")


def text_as_picture(folder: Path) -> Path:
    path = folder / "face.jpg"
    path.write_text("This is not a picture. " * 100)
    return path


def nobody(folder: Path) -> Path:
    path = folder / "sky.png"
    rows = np.linspace(120, 220, 400, dtype=np.uint8)
    cv2.imwrite(str(path), np.dstack([np.tile(rows[:, None], (1, 400))] * 3))
    return path


def far_too_large(folder: Path) -> Path:
    path = folder / "huge.png"
    cv2.imwrite(str(path), np.zeros((20_000, 20_000), np.uint8))
    return path


def nothing(folder: Path) -> Path:
    path = folder / "nothing.mp4"
    path.touch()
    return path


def an_hour_of_silence(folder: Path) -> Path:
    path = folder / "silence.flac"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=8000, layout="mono")
        for _ in range(3600):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), "s16", "mono")
            frame.sample_rate = 8000
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def not_numbers(folder: Path) -> Path:
    path = folder / "nan.wav"
    sound = np.zeros(48_000, np.float32)
    sound[1000:2000] = np.nan
    header = b"RIFF" + (36 + sound.nbytes).to_bytes(4, "little") + b"WAVEfmt "
    form = (16).to_bytes(4, "little") + (3).to_bytes(2, "little") + (1).to_bytes(2, "little")
    form += (48_000).to_bytes(4, "little") + (192_000).to_bytes(4, "little")
    form += (4).to_bytes(2, "little") + (32).to_bytes(2, "little")
    path.write_bytes(header + form + b"data" + sound.nbytes.to_bytes(4, "little") + sound.tobytes())
    return path


def picture_as_sound(folder: Path) -> Path:
    path = folder / "speech.wav"
    ok, coded = cv2.imencode(".png", portrait(64))
    assert ok
    path.write_bytes(coded.tobytes())
    return path


def refused(running: RunningSuite, **call: object) -> MouthpieceError:
    before = running.client.list_jobs()
    with pytest.raises(MouthpieceError) as caught:
        running.client.submit(running.client.prepare(**call))  # type: ignore[arg-type]
    assert [job.id for job in running.client.list_jobs()] == [job.id for job in before]
    return caught.value


def is_gone(running: RunningSuite, path: Path) -> bool:
    name = hash_file(path).sha256
    return not (running.suite.data / "artifacts" / name[:2] / name).exists()


@pytest.mark.parametrize("make", [truncated_video, sound_as_video, text_as_picture, far_too_large, nothing])
def test_a_face_that_is_none_is_refused_and_not_kept(
    running: RunningSuite, tmp_path: Path, make: Maker
) -> None:
    path = make(tmp_path)
    error = refused(running, text="Hello.", avatar=path)
    assert isinstance(error, BadInput)
    assert "avatar" in error.violations[0].field
    assert is_gone(running, path)


@pytest.mark.parametrize("make", [an_hour_of_silence, not_numbers, picture_as_sound, nothing])
def test_a_recording_that_is_none_is_refused_and_not_kept(
    running: RunningSuite, tmp_path: Path, make: Maker
) -> None:
    path = make(tmp_path)
    error = refused(running, audio=path)
    assert isinstance(error, BadInput)
    assert "audio" in error.violations[0].field
    assert is_gone(running, path)


def test_a_picture_without_a_face_is_refused(running: RunningSuite, tmp_path: Path) -> None:
    path = nobody(tmp_path)
    error = refused(running, text="Hello.", avatar=path)
    assert isinstance(error, Unmet)
    assert error.reason is Reason.NO_FACE
    assert is_gone(running, path)


def test_of_three_faces_the_largest_is_taken_and_said(running: RunningSuite, tmp_path: Path) -> None:
    picture = np.full((400, 1000, 3), 200, np.uint8)
    for left, size in ((20, 220), (320, 380), (750, 220)):
        picture[10 : 10 + size, left : left + size] = portrait(size)
    path = tmp_path / "three.png"
    cv2.imwrite(str(path), picture)
    planned = running.client.plan(running.client.prepare(text="Hello.", avatar=path))
    assert planned.avatar.faces == 3
    assert any("largest" in warning for warning in planned.warnings)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (pb.JobSpec(text="x" * 10_000_000), "spec.text"),
        (pb.JobSpec(text="今天天气很好。", voice="en-us"), "spec.text"),
        (pb.JobSpec(text="Hello.", voice="nobody"), "spec.voice"),
        (pb.JobSpec(text="Hello.", language="xx-klingon"), "spec.language"),
        (pb.JobSpec(text="Hello.", engine="magic"), "spec.engine"),
        (pb.JobSpec(text="... !!! ,,,"), "spec.text"),
    ],
)
def test_what_cannot_be_said_is_refused_with_its_field(
    running: RunningSuite, spec: pb.JobSpec, field: str
) -> None:
    with pytest.raises(BadInput) as caught:
        running.client.submit(spec)
    assert caught.value.violations[0].field == field


def test_an_output_that_cannot_be_written_is_found_before_anything_is_sent(running: RunningSuite) -> None:
    before = running.client.list_jobs()
    with pytest.raises(BadInput, match="output"):
        running.client.generate(Path("/proc/no/such/place.mp4"), text="Hello.", options=VideoOptions())
    assert running.client.list_jobs() == before
