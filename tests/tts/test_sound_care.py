"""Loudness, peaks, noise and pauses: what is done to sound, measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mouthpiece.core.timeline import SPEECH_RATE
from services.tts.filtering import at_tempo, denoised
from services.tts.loudness import NOTHING_LUFS, gain_to_target, limit, limited, loudness, true_peaks
from services.tts.recording import Care, sentences, survey
from tests.support.tts_audio import Sound, samples_of, silence, speak_aloud, tone, write_wav

CEILING = 10 ** (-1.5 / 20)


def noisy(sound: Sound, level: float) -> Sound:
    return (sound + np.random.default_rng(1).normal(0, level, len(sound))).astype(np.float32)


def imported(path: Path, care: Care) -> Sound:
    speech = list(sentences(survey(path, 600, care=care)))
    return (np.concatenate([samples_of(part) for part in speech]) / 32768).astype(np.float32)


def test_loudness_is_that_of_the_standard() -> None:
    """BS.1770: a sine of 997 Hz at full scale has -3.01 LUFS."""
    assert loudness(tone(5, hertz=997, level=1.0)) == pytest.approx(-3.01, abs=0.05)
    assert loudness(tone(5, hertz=997, level=0.1)) == pytest.approx(-23.01, abs=0.05)
    assert loudness(silence(3)) == NOTHING_LUFS


def test_a_gain_comes_in_steps_and_has_bounds() -> None:
    assert gain_to_target(-22.1) == pytest.approx(10 ** (6 / 20))
    assert gain_to_target(-60) == pytest.approx(10)
    assert gain_to_target(NOTHING_LUFS) == 1


def test_peaks_are_held_below_the_ceiling_between_samples_too() -> None:
    """At a quarter of the rate and 45 degrees, samples are 3 dB below the peaks of a sine."""
    at = np.arange(SPEECH_RATE) * 2 * np.pi / 4 + np.pi / 4
    sound = (1.3 * np.sin(at)).astype(np.float32)
    sound[:1000] *= np.linspace(0, 1, 1000, dtype=np.float32)
    assert np.abs(sound).max() < 0.93
    assert true_peaks(sound)[2000:-2000].max() == pytest.approx(1.3, rel=0.01)
    assert true_peaks(limit(sound))[2000:-2000].max() <= CEILING


def test_what_is_below_the_ceiling_is_left_as_it_is() -> None:
    sound = tone(1, level=0.8)
    assert np.array_equal(limit(sound), sound)


@pytest.mark.parametrize("block", [1000, 4801, 48_000])
def test_blocks_are_limited_as_one_sound(block: int) -> None:
    sound = speak_aloud("Bob Palmer bought a map. Why did he?", "gmw/en-US").sound
    parts = [sound[first : first + block] for first in range(0, len(sound), block)]
    whole = limit((sound * 4).astype(np.float32))
    joined = np.concatenate(list(limited(parts, 4)))
    assert len(joined) == len(sound)
    assert np.abs(joined - whole).max() < 1e-3


def test_noise_is_weakened_where_it_is_and_speech_stays_in_its_place() -> None:
    said = speak_aloud("Bob Palmer bought a map.", "gmw/en-US", pause=1.5).sound
    cleaned = np.concatenate(list(denoised([noisy(said, 0.01)], -40)))
    assert len(cleaned) == len(said)
    end = slice(-SPEECH_RATE, -SPEECH_RATE // 4)
    assert 20 * np.log10(cleaned[end].std() / 0.01) < -6
    lags = range(-480, 481, 24)
    core = slice(1000, len(said) - 1000)
    likeness = [float(np.roll(cleaned, -lag)[core] @ said[core]) for lag in lags]
    assert abs(lags[int(np.argmax(likeness))]) <= 24


@pytest.mark.parametrize("rate", [0.5, 1.5, 2.0])
def test_tempo_changes_length_and_nothing_else(rate: float) -> None:
    fast = at_tempo(tone(2, hertz=300), rate)
    assert len(fast) == pytest.approx(2 * SPEECH_RATE / rate, rel=0.05)
    spectrum = np.abs(np.fft.rfft(fast))
    assert np.argmax(spectrum) * SPEECH_RATE / len(fast) == pytest.approx(300, abs=10)


def test_a_recording_is_brought_to_the_usual_loudness_only_when_asked(tmp_path: Path) -> None:
    said = speak_aloud("Bob Palmer bought a map. Maybe people prefer paper.", "gmw/en-US").sound * 0.5
    path = write_wav(tmp_path / "soft.wav", said)
    even = imported(path, Care(even=True))
    assert loudness(even) == pytest.approx(-16, abs=1.5)
    assert true_peaks(even).max() <= CEILING + 0.002
    assert len(even) == len(said)
    kept = imported(path, Care())
    assert np.array_equal(kept, np.rint(said * 32768).astype(np.float32) / 32768)


def test_long_pauses_are_cut_without_a_click_and_nothing_else_is(tmp_path: Path) -> None:
    one, other = (
        speak_aloud(text, "gmw/en-US", pause=0.1).sound for text in ("Bob bought a map.", "Why not?")
    )
    path = write_wav(tmp_path / "slow.wav", noisy(np.concatenate((one, silence(3), other)), 0.0005))
    found = survey(path, 600, care=Care(longest_pause=SPEECH_RATE // 2))
    assert max(len(pause) for pause in found.pauses) <= SPEECH_RATE // 2 + 2 * SPEECH_RATE // 50
    assert found.samples < len(one) + len(other) + SPEECH_RATE
    sound = imported(path, Care(longest_pause=SPEECH_RATE // 2))
    assert len(sound) == found.samples
    pause = max(found.pauses, key=len)
    assert np.abs(np.diff(sound[pause.first : pause.end])).max() < 0.005
    assert np.corrcoef(sound[: len(one) // 2], one[: len(one) // 2])[0, 1] > 0.99
    tail = len(other) // 2
    assert np.corrcoef(sound[-tail:], other[-tail:])[0, 1] > 0.98


def test_noise_in_a_recording_is_weakened_when_asked(tmp_path: Path) -> None:
    said = speak_aloud("Bob Palmer bought a map.", "gmw/en-US", pause=1.0).sound
    path = write_wav(tmp_path / "noisy.wav", noisy(said, 0.01))
    cleaned = imported(path, Care(denoise=True))
    assert len(cleaned) == len(said)
    assert cleaned[-SPEECH_RATE // 2 : -4800].std() < 0.5 * 0.01
