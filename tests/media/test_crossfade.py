"""Fades between chunks: only what they cover is encoded again."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.core.timeline import Span, samples_of
from mouthpiece.errors import BadInput
from mouthpiece.media.crossfade import blend
from mouthpiece.media.encode import ChunkEncoder
from mouthpiece.media.merge import MergeFormat, Merger
from mouthpiece.media.probe import decode_frames
from mouthpiece.media.quality import Quality

FPS = Fraction(25)
WIDTH, HEIGHT = 64, 64
FADE = 5
FORM = MergeFormat(FPS, WIDTH, HEIGHT)


def chunk(path: Path, level: int, lead: int, count: int, quality: Quality = Quality.LOSSLESS) -> Path:
    """Plain frames, a little brighter from one to the next, with keyframes where the chunk may be cut."""
    seams = frozenset({lead, lead + count - FADE})
    with ChunkEncoder(path, FPS, WIDTH, HEIGHT, quality, keyframes=seams) as encoder:
        for number in range(lead + count):
            frame = np.full((HEIGHT * 3 // 2, WIDTH), level + number, np.uint8)
            encoder.write(frame)
        encoder.finish()
    return path


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


@given(st.integers(0, 255), st.integers(0, 255), st.integers(1, 30))
def test_a_fade_goes_evenly_from_one_side_to_the_other(left: int, right: int, steps: int) -> None:
    one, other = np.full((3, 2), left, np.uint8), np.full((3, 2), right, np.uint8)
    levels = [left, *(int(blend(one, other, step, steps)[0, 0]) for step in range(steps)), right]
    for step, level in enumerate(levels):
        assert abs(level - (left + (right - left) * step / (steps + 1))) <= 0.5


def test_only_what_a_fade_covers_is_encoded_again(tmp_path: Path) -> None:
    one = chunk(tmp_path / "one.mp4", 40, 0, 30)
    two = chunk(tmp_path / "two.mp4", 120, FADE, 20)
    three = chunk(tmp_path / "three.mp4", 60, FADE, 4)
    out = tmp_path / "out.mp4"
    with Merger(out, FORM, fading=Quality.LOSSLESS) as merger:
        merger.add_speech(samples_of(Span(0, 54), FPS), bytes(2 * 54 * 1920))
        merger.add_chunk(Span(0, 30), one)
        merger.add_chunk(Span(30, 50), two, skip=FADE, fade=FADE)
        merger.add_chunk(Span(50, 54), three, skip=FADE, fade=FADE)
        merger.finish(54, 54 * 1920)
    shown = [int(frame[0, 0]) for frame in decode_frames(out)]
    assert shown[:25] == list(range(40, 65))
    assert shown[30:45] == list(range(125, 140))
    assert shown[50:] == list(range(65, 69))
    assert all(before < after for before, after in pairwise(shown[24:31]))
    assert all(before > after for before, after in pairwise(shown[44:51]))
    copied = set(packets(one)) | set(packets(two)) | set(packets(three))
    again = [packet for packet in packets(out) if packet not in copied]
    assert len(again) <= 2 * FADE
    assert len(packets(out)) == 54


def test_a_fade_over_the_whole_of_a_chunk_replaces_it(tmp_path: Path) -> None:
    one, two = chunk(tmp_path / "one.mp4", 40, 0, FADE), chunk(tmp_path / "two.mp4", 120, FADE, 10)
    with Merger(tmp_path / "out.mp4", FORM, fading=Quality.LOSSLESS) as merger:
        merger.add_speech(Span(0, 15 * 1920), bytes(2 * 15 * 1920))
        merger.add_chunk(Span(0, FADE), one)
        merger.add_chunk(Span(FADE, 15), two, skip=FADE, fade=FADE)
        merger.finish(15, 15 * 1920)
    assert len(list(decode_frames(tmp_path / "out.mp4"))) == 15


@pytest.mark.parametrize(("skip", "fade", "fading"), [(2, 5, True), (6, 6, True), (5, 5, False)])
def test_a_fade_without_frames_on_both_sides_is_refused(
    tmp_path: Path, skip: int, fade: int, fading: bool
) -> None:
    one, two = chunk(tmp_path / "one.mp4", 40, 0, 5), chunk(tmp_path / "two.mp4", 120, skip, 10)
    with Merger(tmp_path / "out.mp4", FORM, fading=Quality.LOW if fading else None) as merger:
        merger.add_chunk(Span(0, 5), one)
        with pytest.raises(BadInput, match="fade_frames"):
            merger.add_chunk(Span(5, 15), two, skip=skip, fade=fade)


def test_a_frame_that_must_be_a_keyframe_is_one(tmp_path: Path) -> None:
    path = chunk(tmp_path / "one.mp4", 40, 3, 40, Quality.MEDIUM)
    plain = tmp_path / "plain.mp4"
    with ChunkEncoder(plain, FPS, WIDTH, HEIGHT, Quality.MEDIUM) as encoder:
        encoder.write(np.full((HEIGHT * 3 // 2, WIDTH), 90, np.uint8))
        codec = encoder.finish().codec_sha256
    with av.open(str(path)) as container:
        keys = [
            (p.pts or 0) * p.time_base * FPS for p in container.demux(video=0) if p.is_keyframe and p.size
        ]
    assert {0, 3, 38} <= set(keys)
    with ChunkEncoder(tmp_path / "x.mp4", FPS, WIDTH, HEIGHT, keyframes=frozenset({1})) as encoder:
        for _ in range(3):
            encoder.write(np.full((HEIGHT * 3 // 2, WIDTH), 90, np.uint8))
        assert encoder.finish().codec_sha256 == codec
