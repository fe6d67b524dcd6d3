"""Voice references: the voice in a recording, or in a video's sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soxr

from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.errors import BadInput
from services.tts.decoding import Sound, decode
from services.tts.engine import REFERENCE_RATE, Reference
from services.tts.espeak import Cancelled
from services.tts.filtering import denoised
from services.tts.pauses import SILENCE_DB, LevelMeter, noise_level

FIELD = "voice_reference"

_SECONDS = 60
"""What is listened to of a longer recording."""


def read_reference(
    path: Path,
    sha256: str,
    limit_seconds: float,
    *,
    denoise: bool,
    cancelled: Callable[[], bool] = lambda: False,
) -> Reference:
    """The voice in a file. Its first minute is taken.

    Raises:
        BadInput: (field ``voice_reference``) there is no sound in it, or only silence, or it is damaged.
        Cancelled: ``cancelled`` returned true.
    """
    try:
        sound = np.concatenate(list(_first_minute(path, limit_seconds, cancelled)))
    except BadInput as error:
        raise BadInput(FIELD, error.violations[0].description) from None
    meter = LevelMeter()
    meter.add(sound)
    levels = meter.levels()
    if levels.max(initial=SILENCE_DB) <= SILENCE_DB:
        raise BadInput(FIELD, "silent throughout")
    if denoise:
        sound = np.concatenate(list(denoised([sound], noise_level(levels))))
    name = f"{sha256}-denoised" if denoise else sha256
    return Reference(name, soxr.resample(sound, SPEECH_RATE, REFERENCE_RATE, quality="HQ"))


def _first_minute(path: Path, limit_seconds: float, cancelled: Callable[[], bool]) -> Iterator[Sound]:
    taken = 0
    for block in decode(path, limit_seconds):
        if cancelled():
            raise Cancelled
        yield block[: _SECONDS * SPEECH_RATE - taken]
        taken += len(block)
        if taken >= _SECONDS * SPEECH_RATE:
            return
