"""Writing sound for tests."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt


def write_wav(path: Path, sound: npt.ArrayLike, rate: int) -> Path:
    """Mono 16-bit WAV from values between -1 and 1."""
    pcm = (np.clip(np.asarray(sound, np.float64), -1, 1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.tobytes())
    return path
