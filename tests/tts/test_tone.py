"""The embedded voice is brought nearer to the spectrum of human speech without moving anything in time."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import welch

from services.tts.espeak import RATE, speak
from services.tts.tone import warmed


def level(sound: np.ndarray, low: float, high: float) -> float:
    frequencies, power = welch(sound, RATE, nperseg=4096)
    band = (frequencies >= low) & (frequencies < high)
    return float(10 * np.log10(power[band].sum() / power.sum()))


@pytest.mark.parametrize("voice", ["gmw/en-US", "gmw/en-US+f3"])
def test_the_voice_gets_fuller_and_less_nasal(voice: str) -> None:
    sound = speak("Are you sure this is the right street? We should ask someone here.", voice).pcm
    before, after = sound.astype(np.float32), warmed(sound.astype(np.float32))
    assert level(after, 900, 1500) < level(before, 900, 1500) - 2
    assert level(after, 100, 300) > level(before, 100, 300) + 2


def test_nothing_moves() -> None:
    click = np.zeros(4000, np.float32)
    click[1500] = 1
    assert int(np.abs(warmed(click)).argmax()) == 1500
    assert len(warmed(click)) == 4000


@pytest.mark.parametrize("length", [0, 1, 10, 600])
def test_sounds_of_any_length_keep_it(length: int) -> None:
    assert len(warmed(np.ones(length, np.float32))) == length


def test_an_offset_is_removed() -> None:
    assert np.abs(warmed(np.full(5000, 1000, np.float32))[1000:4000]).max() < 300
