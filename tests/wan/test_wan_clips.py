"""Clips on the model's grid and frames on the job's."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.errors import DataLoss, MouthpieceError
from services.lipsync.engines.wan.chain import Chain, Clip
from services.lipsync.engines.wan.clips import (
    CLIP,
    LOST,
    SAMPLES,
    clip_size,
    clip_times,
    picture_at,
)

RATES = st.sampled_from([Fraction(16), Fraction(25), Fraction(30000, 1001), Fraction(10), Fraction(60)])


@given(RATES, st.integers(0, 10_000))
def test_a_frame_shows_the_nearest_picture(fps: Fraction, frame: int) -> None:
    moment = frame / fps
    picture = picture_at(frame, fps)
    assert abs(Fraction(picture, 16) - moment) <= Fraction(1, 32)


@given(st.integers(0, 500), st.integers(0, 50), st.integers(1, 200))
def test_a_clip_hears_the_same_whichever_chunk_asks(origin: int, number: int, more: int) -> None:
    length = CLIP * SAMPLES
    end = origin * SAMPLES + (number + 3) * length
    times = clip_times(origin, number, end)
    assert times == clip_times(origin, number, end + more * 999)
    assert times.own == (origin + number * CLIP) * SAMPLES
    assert times.heard.first % SAMPLES == 0
    assert times.place <= 2


def test_the_last_clip_is_padded_to_its_length() -> None:
    times = clip_times(0, 2, 10 * SPEECH_RATE + 100)
    assert times.heard.end == 15 * SPEECH_RATE


@pytest.mark.parametrize(
    ("width", "height", "pixels", "size"),
    [(832, 480, 832 * 480, (832, 480)), (720, 720, 832 * 480, (624, 624)), (64, 128, 64 * 64, (64, 96))],
)
def test_clips_have_the_shape_of_the_portrait(
    width: int, height: int, pixels: int, size: tuple[int, int]
) -> None:
    assert clip_size(width, height, pixels) == size


def clip(first: int, count: int) -> Clip:
    pictures = np.zeros((count, 2, 2, 3), np.uint8)
    pictures[:, 0, 0, 0] = np.arange(first, first + count)
    return Clip(pictures, np.full((1, 3), first, np.float32))


def test_what_the_model_loses_is_made_good_where_it_is_lost() -> None:
    chain = Chain(0)
    chain.add(clip(LOST, CLIP - LOST))
    chain.add(clip(CLIP, CLIP))
    assert [int(chain.at(k)[0, 0, 0]) for k in range(160)] == [3, 3, 3, *range(3, 160)]


def test_a_clip_of_a_wrong_length_is_refused() -> None:
    with pytest.raises(MouthpieceError, match="81 pictures, not 77"):
        Chain(0).add(clip(0, 81))


def test_a_chain_is_handed_on_bit_for_bit(tmp_path: Path) -> None:
    chain = Chain(5)
    chain.add(clip(LOST, CLIP - LOST))
    chain.drop_before(70)
    chain.save(tmp_path / "state")
    found = Chain.load(tmp_path / "state")
    assert (found.origin, found.clips, found.end) == (5, 1, 80)
    assert np.array_equal(found.at(75), chain.at(75))
    assert found.motion is not None
    assert found.motion.dtype == np.float32
    (tmp_path / "noise").write_bytes(b"noise")
    with pytest.raises(DataLoss):
        Chain.load(tmp_path / "noise")
