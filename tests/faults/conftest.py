"""What the fault tests share: sound that comes in several pieces, and pictures to compare."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.media.probe import decode_audio, decode_frames
from tests.support.media_chunks import babble
from tests.support.media_sound import write_wav

BURST_SECONDS = 1.6
PAUSE_SECONDS = 0.4


def recording(path: Path, bursts: int, seed: int = 0) -> Path:
    """Babble with a pause after every burst, two seconds for each."""
    sound = babble(round(BURST_SECONDS * SPEECH_RATE), seed) / 32768
    pause = np.zeros(round(PAUSE_SECONDS * SPEECH_RATE))
    return write_wav(path, np.concatenate([sound, pause] * bursts), SPEECH_RATE)


@dataclass(frozen=True)
class Seen:
    """What a viewer gets: a digest of every frame, and of the sound."""

    frames: list[str]
    sound: str


def look_at(path: Path) -> Seen:
    frames = [hashlib.sha256(frame.tobytes()).hexdigest() for frame in decode_frames(path)]
    return Seen(frames, hashlib.sha256(decode_audio(path).tobytes()).hexdigest())
