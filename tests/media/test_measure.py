"""The measures themselves: they find the lag, the break and the level that was put in."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tests.support.media_chunks import babble, tone
from tests.support.media_measure import follow, lag_of, loudness, phase_steps


@pytest.mark.parametrize("lag", [-7, 0, 3])
def test_a_lag_of_samples_is_found(lag: int) -> None:
    sound = babble(20_000)
    assert lag_of(np.roll(sound, lag), sound, 50) == lag


@pytest.mark.parametrize("lag", [-2.0, -0.5, 0.0, 0.25, 3.0])
def test_a_lag_of_a_part_of_a_frame_is_found(lag: float) -> None:
    at = np.arange(300.0)
    curve = [np.sin(x / 5) + np.sin(x / 3.1) for x in (at, at - lag)]
    fit = follow(curve[1] + 0.01 * np.cos(at * 9), curve[0])
    assert fit.lag == pytest.approx(lag, abs=0.05)
    assert fit.r > 0.98
    assert fit.r_unmoved <= fit.r


def test_frames_without_a_face_do_not_count() -> None:
    curve = np.sin(np.arange(200) / 4)
    holed = curve.copy()
    holed[40:60] = np.nan
    assert follow(holed, curve).r == pytest.approx(1)


def test_a_tone_that_is_broken_once_shows() -> None:
    whole = tone(48_000)
    broken = np.concatenate((whole[:24_000], whole[24_050:]))
    assert phase_steps(whole, 440).max() < 0.01
    assert phase_steps(broken, 440).max() > 0.3


def test_loudness_is_that_of_the_samples_heard_with_a_frame() -> None:
    sound = np.concatenate((np.zeros(1920), np.full(1920, 0.5), np.full(960, 1.0)))
    assert loudness(sound, 4, Fraction(25)) == pytest.approx([0, 0.5, 0.5**0.5, 0])
