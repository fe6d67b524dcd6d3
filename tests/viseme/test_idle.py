from __future__ import annotations

from dataclasses import astuple
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.lipsync.engines.viseme.idle import idle, lids

FPS = Fraction(25)


def _blinks(seed: int, seconds: int) -> list[tuple[float, float]]:
    """When eyes begin to close and how long until they are open again, to a millisecond."""
    shut = np.array([lids(moment / 1000, seed) > 0 for moment in range(seconds * 1000)])
    edges = np.flatnonzero(np.diff(shut.astype(int)))
    starts, ends = edges[::2], edges[1::2]
    return [(start / 1000, (end - start) / 1000) for start, end in zip(starts, ends, strict=False)]


@pytest.mark.parametrize("seed", [0, 1, 77])
def test_eyes_blink_every_two_to_six_seconds_for_a_fifth_to_a_third_of_a_second(seed: int) -> None:
    blinks = _blinks(seed, 120)
    pauses = np.diff([start for start, _ in blinks])
    assert 120 / 6 <= len(blinks) <= 120 / 2
    assert pauses.min() >= 2.0
    assert pauses.max() <= 6.0
    assert np.std(pauses) > 0.3
    assert all(0.2 <= length <= 0.33 for _, length in blinks)


def test_eyes_are_open_when_a_video_begins() -> None:
    assert all(lids(moment / 100, seed) == 0 for seed in range(20) for moment in range(80))


@given(seed=st.integers(0, 2**63 - 1), frame=st.integers(0, 10**7))
def test_idle_motion_is_a_function_of_the_frame_and_the_seed(seed: int, frame: int) -> None:
    assert idle(frame, FPS, seed) == idle(frame, FPS, seed)
    assert idle(frame, FPS, seed) == idle(2 * frame, FPS, seed) or frame > 0


def test_seeds_differ() -> None:
    assert len({idle(100, FPS, seed) for seed in range(50)}) == 50


def test_the_same_moment_looks_the_same_at_any_frame_rate() -> None:
    assert astuple(idle(62, FPS, 5)) == pytest.approx(astuple(idle(187, 3 * FPS, 5)))


def test_the_head_sways_gently() -> None:
    """Never fast, never far: under a tenth of a unit, by less than a hundredth from frame to frame."""
    held = np.array([astuple(idle(frame, FPS, 9))[:6] for frame in range(2000)])
    assert np.abs(held).max() < 0.05
    assert np.abs(np.diff(held, axis=0)).max() < 0.004
    assert (held.std(axis=0) > 0.0005).all()
