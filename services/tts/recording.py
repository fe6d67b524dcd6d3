"""A recording as the speech: looked through once as a whole, then handed out in pieces.

Both readings decode the file anew, block by block, so an hour of sound is never in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mouthpiece.core.speech import Sentence
from mouthpiece.core.timeline import Span
from mouthpiece.errors import BadInput
from services.tts.articulation import MIN_PAUSE
from services.tts.decoding import FIELD, Sound, decode
from services.tts.espeak import Cancelled
from services.tts.pauses import SILENCE_DB, LevelMeter, cut_pieces, find_pauses

_HIGHEST_PEAK = 0.99


@dataclass(frozen=True, slots=True)
class Recording:
    """What one look through a recording found; samples count at 48 000 Hz.

    ``gain`` is below 1 only where the sound would not fit into 16 bits otherwise. ``pieces`` follow each
    other from 0 to ``samples``; ``pauses`` are the stretches without speech, in order.
    """

    path: Path
    limit_seconds: float
    samples: int
    gain: float
    pauses: tuple[Span, ...]
    pieces: tuple[Span, ...]


def survey(path: Path, limit_seconds: float, cancelled: Callable[[], bool] = lambda: False) -> Recording:
    """Look through a recording.

    Raises:
        BadInput: (field ``audio``) as `decode`, or silent throughout.
        Cancelled: ``cancelled`` returned true.
    """
    meter = LevelMeter()
    samples, peak = 0, 0.0
    for block in _until(cancelled, decode(path, limit_seconds)):
        meter.add(block)
        samples += len(block)
        peak = max(peak, float(np.abs(block).max(initial=0)))
    levels = meter.levels()
    if not samples or levels.max() < SILENCE_DB:
        raise BadInput(FIELD, "silent throughout")
    pauses = find_pauses(levels, samples)
    pieces = cut_pieces(pauses, levels, samples)
    gain = 1.0 if peak <= 1.0 else _HIGHEST_PEAK / peak
    return Recording(path, limit_seconds, samples, gain, pauses, tuple(pieces))


def _until(cancelled: Callable[[], bool], blocks: Iterator[Sound]) -> Iterator[Sound]:
    for block in blocks:
        if cancelled():
            raise Cancelled
        yield block


def sentences(recording: Recording, cancelled: Callable[[], bool] = lambda: False) -> Generator[Sentence]:
    """The pieces of a recording of which only the sound is known.

    Raises:
        Cancelled: ``cancelled`` returned true.
    """
    for index, (span, pcm) in enumerate(_pieces(recording, cancelled)):
        yield Sentence(
            index=index,
            text="",
            source=Span(0, 0),
            samples=span,
            pcm=pcm.tobytes(),
            pauses=pauses_within(recording.pauses, span),
        )


def _pieces(
    recording: Recording, cancelled: Callable[[], bool]
) -> Iterator[tuple[Span, npt.NDArray[np.int16]]]:
    """Each piece with its sound, as it is read."""
    blocks = _until(cancelled, decode(recording.path, recording.limit_seconds))
    held: list[npt.NDArray[np.int16]] = []
    count = 0
    for span in recording.pieces:
        while count < len(span):
            block = _to_pcm(next(blocks), recording.gain)
            held.append(block)
            count += len(block)
        sound = np.concatenate(held)
        yield span, sound[: len(span)]
        held = [sound[len(span) :]]
        count = len(held[0])


def _to_pcm(sound: Sound, gain: float) -> npt.NDArray[np.int16]:
    return np.asarray(np.clip(np.rint(sound * (32768 * gain)), -32768, 32767), "<i2")


def pauses_within(pauses: Sequence[Span], span: Span) -> tuple[Span, ...]:
    """The parts of ``pauses`` within ``span`` that are still pauses."""
    parts = (pause.clip(span) for pause in pauses if pause.overlaps(span))
    return tuple(part for part in parts if len(part) >= MIN_PAUSE)
