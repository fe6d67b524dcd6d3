from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import pytest

from mouthpiece.client import VideoOptions
from mouthpiece.media.probe import decode_frames, read_movie
from tests.end_to_end.conftest import RunningSuite
from tests.support.faces import clip_file, portrait_file

TEXT = "Bob Palmer bought a bubble pipe. Then he went home, happily whistling, and told everybody about it."


def avatar(kind: str, folder: Path) -> Path:
    if kind == "portrait":
        return portrait_file(folder / "face.png")
    return clip_file(folder / f"{kind}.mp4", 30, Fraction(30000, 1001) if kind == "29.97" else Fraction(25))


def frames_of(path: Path) -> list[str]:
    return [hashlib.sha256(frame.tobytes()).hexdigest() for frame in decode_frames(path)]


@pytest.mark.parametrize("kind", ["portrait", "short video", "29.97"])
def test_chunks_and_one_piece_decode_to_identical_frames(
    running: RunningSuite, tmp_path: Path, kind: str
) -> None:
    face = avatar(kind, tmp_path)
    results: dict[str, list[str]] = {}
    for mode, seconds in (("single", None), ("chunked", 2)):
        options = VideoOptions(quality="lossless", mode=mode, chunk_seconds=seconds, seed=1)
        out = tmp_path / f"{mode}.mp4"
        job = running.client.generate(out, text=TEXT, avatar=face, options=options)
        results[mode] = frames_of(out)
        assert len(job.chunks) == 1 if mode == "single" else len(job.chunks) > 2
    assert results["single"] == results["chunked"]
    movie = read_movie(out)
    assert movie.video is not None
    assert movie.video.fps == (Fraction(30000, 1001) if kind == "29.97" else Fraction(25))
