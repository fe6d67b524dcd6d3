from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from mouthpiece.client import VideoOptions
from mouthpiece.media.probe import decode_frames, read_movie
from tests.support.faces import clip_file, portrait_file
from tests.support.running_suite import RunningSuite

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
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    single = VideoOptions(
        quality="lossless", mode="single", seed=1, ignore_cache=True, enhance=kind == "short video"
    )
    chunked = replace(single, mode="chunked", chunk_seconds=2)
    one = running.client.generate(whole, text=TEXT, avatar=face, options=single)
    several = running.client.generate(cut, text=TEXT, avatar=face, options=chunked)
    assert one.result.statistics.chunks == 1
    assert several.result.statistics.chunks > 2
    assert frames_of(whole) == frames_of(cut)
    movie = read_movie(cut)
    assert movie.video is not None
    assert movie.video.fps == (Fraction(30000, 1001) if kind == "29.97" else Fraction(25))
