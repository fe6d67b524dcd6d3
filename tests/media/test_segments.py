"""Segments: what can be played while the rest is being made is the finished movie, piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from mouthpiece.core.timeline import Span
from mouthpiece.media.merge import MergeFormat, Merger, MovieSegment
from mouthpiece.media.quality import Quality
from tests.support.media_chunks import NTSC, PAL, encode, samples_for, spans, tone
from tests.support.media_measure import phase_steps
from tests.support.media_packets import packets, tracks

CUTS = (0, 30, 75, 300, 320)
"""A short first chunk, a longer one, and one that is several segments long."""


def merge(
    folder: Path, fps: Fraction, quality: Quality, cuts: Sequence[int] = CUTS, block: int = 10**9
) -> tuple[list[MovieSegment], list[bytes], Path]:
    """Segments, their bytes after what goes in front of them, and the movie; speech comes in blocks."""
    folder.mkdir()
    pcm = tone(samples_for(cuts[-1], fps)).tobytes()
    found: list[MovieSegment] = []
    with Merger(folder / "movie.mp4", MergeFormat(fps, 64, 48)) as merger:
        for span in spans(cuts):
            merger.add_chunk(span, encode(folder / f"{span.first}", span, fps, quality=quality))
        for first in range(0, len(pcm) // 2, block):
            part = pcm[2 * first : 2 * (first + block)]
            merger.add_speech(Span(first, first + len(part) // 2), part)
            found += merger.take_segments()
        merger.finish(cuts[-1], len(pcm) // 2)
        found += merger.take_segments()
        return found, [merger.init, *(segment.path.read_bytes() for segment in found)], folder / "movie.mp4"


@pytest.mark.parametrize("fps", [PAL, NTSC])
@pytest.mark.parametrize("quality", [Quality.LOSSLESS, Quality.MEDIUM])  # without and with B-frames
def test_segments_have_the_packets_of_the_movie_at_the_same_times(
    tmp_path: Path, fps: Fraction, quality: Quality
) -> None:
    _, parts, movie = merge(tmp_path / "a", fps, quality)
    whole = movie.read_bytes()
    assert packets(b"".join(parts)) == packets(whole)
    assert tracks(b"".join(parts)) == tracks(whole)


def test_a_tone_does_not_break_between_segments(tmp_path: Path) -> None:
    _, parts, _ = merge(tmp_path / "a", PAL, Quality.MEDIUM)
    with av.open(BytesIO(b"".join(parts)), "r") as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert phase_steps(sound[2048:-2048], 440).max() < 0.01
    assert abs(sound.size - samples_for(CUTS[-1], PAL)) < 1024


def test_chunks_end_segments_and_long_chunks_are_several(tmp_path: Path) -> None:
    segments, _, _ = merge(tmp_path / "a", PAL, Quality.MEDIUM)
    assert [(s.index, s.frames) for s in segments] == list(
        enumerate(Span(*cut) for cut in pairwise((0, 30, 75, 175, 275, 300, 320)))
    )


def test_segments_do_not_depend_on_when_speech_came(tmp_path: Path) -> None:
    _, one, _ = merge(tmp_path / "a", NTSC, Quality.MEDIUM)
    _, other, _ = merge(tmp_path / "b", NTSC, Quality.MEDIUM, block=7777)
    assert one == other


def test_what_follows_a_chunk_does_not_change_its_segment(tmp_path: Path) -> None:
    _, shorter, _ = merge(tmp_path / "a", PAL, Quality.MEDIUM, cuts=(0, 30, 75, 80))
    _, longer, _ = merge(tmp_path / "b", PAL, Quality.MEDIUM)
    assert shorter[:3] == longer[:3]


def test_a_segment_waits_until_its_chunk_is_known_not_to_be_the_last(tmp_path: Path) -> None:
    chunk = encode(tmp_path / "a", range(25))
    with Merger(tmp_path / "movie.mp4", MergeFormat(PAL, 64, 48)) as merger:
        merger.add_chunk(Span(0, 25), chunk)
        merger.add_speech(Span(0, 48000), bytes(96000))
        assert merger.take_segments() == []
        merger.add_speech(Span(48000, 50000), bytes(4000))
        assert [segment.frames for segment in merger.take_segments()] == [Span(0, 25)]


def test_segments_that_nobody_took_do_not_stay(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    with Merger(folder / "movie.mp4", MergeFormat(PAL, 64, 48)) as merger:
        merger.add_chunk(Span(0, 25), encode(tmp_path / "a", range(25)))
        merger.add_speech(Span(0, 48000), bytes(96000))
        merger.finish(25, 48000)
    assert [path.name for path in folder.iterdir()] == ["movie.mp4"]
