"""Pictures, speech and chunks that tests make for themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mouthpiece.core.timeline import SPEECH_RATE, Span
from mouthpiece.media.encode import ChunkEncoder
from mouthpiece.media.probe import Frame
from mouthpiece.media.quality import Quality

NTSC = Fraction(30000, 1001)
FILM = Fraction(24000, 1001)
PAL = Fraction(25)


def picture(index: int, width: int = 64, height: int = 48) -> Frame:
    """A smooth picture, different for every index, with a block that moves; I420."""
    rows, columns = np.mgrid[:height, :width]
    frame = np.empty((height * 3 // 2, width), np.uint8)
    frame[:height] = 60 + rows + columns // 2 + 20 * np.sin(index / 5)
    left = (7 * index) % (width - 8)
    frame[8:24, left : left + 8] = 200
    frame[height:] = 100 + (index * 5) % 60
    return frame


def pictures(frames: Iterable[int], width: int = 64, height: int = 48) -> Iterator[Frame]:
    return (picture(index, width, height) for index in frames)


def encode(
    path: Path,
    frames: Iterable[int],
    fps: Fraction = PAL,
    width: int = 64,
    height: int = 48,
    quality: Quality = Quality.LOSSLESS,
) -> Path:
    """A chunk of `picture`s."""
    with ChunkEncoder(path, fps, width, height, quality) as encoder:
        for frame in pictures(frames, width, height):
            encoder.write(frame)
        return encoder.finish().path


def spans(cuts: Iterable[int]) -> list[Span]:
    """Spans between consecutive cuts."""
    return [Span(first, end) for first, end in pairwise(cuts)]


def samples_for(frames: int, fps: Fraction) -> int:
    """A number of samples that lasts exactly that many frames, give or take less than half of one."""
    return round(frames * SPEECH_RATE / fps)


def tone(samples: int, hertz: float = 440.0, level: float = 0.4) -> npt.NDArray[np.int16]:
    wave = level * 32767 * np.sin(2 * np.pi * hertz * np.arange(samples) / SPEECH_RATE)
    return wave.round().astype(np.int16)


def babble(samples: int, seed: int = 0) -> npt.NDArray[np.int16]:
    """Low-passed noise that swells and fades: it correlates with itself at no lag but 0."""
    rng = np.random.default_rng(seed)
    colored = np.convolve(rng.normal(size=samples), np.hanning(24), mode="same")
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * np.arange(samples) / SPEECH_RATE)
    return (colored * swell * 2000).clip(-32768, 32767).astype(np.int16)
