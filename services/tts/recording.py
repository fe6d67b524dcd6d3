"""A recording as the speech: looked through once as a whole, then handed out in pieces.

Both readings decode the file anew, block by block, so an hour of sound is never in memory.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mouthpiece.core.speech import Sentence
from mouthpiece.core.timeline import Span
from mouthpiece.errors import BadInput
from services.tts.alignment import Aligner, Pcm, SpeechFrames, Stretch, Timing, frames_of
from services.tts.articulation import MIN_PAUSE
from services.tts.decoding import FIELD, Sound, decode
from services.tts.espeak import Cancelled
from services.tts.pauses import SILENCE_DB, LevelMeter, cut_pieces, find_pauses
from services.tts.synthesis import MAX_TEXT, Plan, plan_speech
from services.tts.voices import voice_for_language

log = logging.getLogger(__name__)

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

    @property
    def speech_samples(self) -> int:
        """Samples outside pauses."""
        return self.samples - sum(len(pause) for pause in self.pauses)


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


def plan_transcript(text: str, language: str) -> Plan | None:
    """What is known to be said; ``None`` when there is no text, or none that a voice can say.

    Raises:
        BadInput: unknown ``language``, or too long a ``transcript``.
    """
    if language:
        voice_for_language(language)
    if len(text) > MAX_TEXT:
        raise BadInput("transcript", f"longer than {MAX_TEXT} characters")
    try:
        return plan_speech(text, language)
    except BadInput as error:
        if text.strip():
            log.warning("the transcript is left out: %s", error.message)
        return None


def sentences(
    recording: Recording, transcript: Plan | None = None, cancelled: Callable[[], bool] = lambda: False
) -> Generator[Sentence]:
    """The pieces of a recording, with words and phonemes where they can be told from the transcript.

    Raises:
        Cancelled: ``cancelled`` returned true.
    """
    stretches = _stretches(recording, cancelled)
    if transcript is None:
        for index, stretch in enumerate(stretches):
            yield _sentence(index, stretch, None, "")
        return
    aligner = Aligner(transcript, recording.speech_samples, cancelled)
    for index, (stretch, timing) in enumerate(_aligned(stretches, aligner)):
        yield _sentence(index, stretch, timing, transcript.text)


def _sentence(index: int, stretch: Stretch, timing: Timing | None, text: str) -> Sentence:
    source = timing.source if timing else Span(0, 0)
    return Sentence(
        index=index,
        text=_with_marks(text, source),
        source=source,
        samples=stretch.samples,
        pcm=stretch.pcm.tobytes(),
        words=timing.words if timing else (),
        phonemes=timing.phonemes if timing else None,
        pauses=stretch.pauses,
    )


def _with_marks(text: str, source: Span) -> str:
    """Words with the punctuation behind them."""
    end = source.end
    while end < len(text) and end > source.first and not text[end].isspace() and not text[end].isalnum():
        end += 1
    return text[source.first : end]


def _aligned(stretches: Iterator[Stretch], aligner: Aligner) -> Iterator[tuple[Stretch, Timing | None]]:
    """Each stretch with its timing; a few are read ahead."""
    ahead: deque[tuple[Stretch, SpeechFrames]] = deque()
    for stretch in stretches:
        ahead.append((stretch, frames_of(stretch)))
        while ahead and not aligner.wants([frames for _, frames in ahead]):
            yield _first_timed(ahead, aligner)
    while ahead:
        yield _first_timed(ahead, aligner)
    if aligner.lost:
        log.warning("the transcript does not match the recording; its words are left out")


def _first_timed(
    ahead: deque[tuple[Stretch, SpeechFrames]], aligner: Aligner
) -> tuple[Stretch, Timing | None]:
    timing = aligner.time(ahead[0][0], [frames for _, frames in ahead])
    return ahead.popleft()[0], timing


def _stretches(recording: Recording, cancelled: Callable[[], bool]) -> Iterator[Stretch]:
    """The pieces with their sound, as it is read."""
    blocks = _until(cancelled, decode(recording.path, recording.limit_seconds))
    held: list[Pcm] = []
    count = 0
    for span in recording.pieces:
        while count < len(span):
            block = _to_pcm(next(blocks), recording.gain)
            held.append(block)
            count += len(block)
        sound = np.concatenate(held)
        yield Stretch(span, sound[: len(span)], pauses_within(recording.pauses, span))
        held = [sound[len(span) :]]
        count = len(held[0])


def _to_pcm(sound: Sound, gain: float) -> Pcm:
    return np.asarray(np.clip(np.rint(sound * (32768 * gain)), -32768, 32767), "<i2")


def pauses_within(pauses: Sequence[Span], span: Span) -> tuple[Span, ...]:
    """The parts of ``pauses`` within ``span`` that are still pauses."""
    parts = (pause.clip(span) for pause in pauses if pause.overlaps(span))
    return tuple(part for part in parts if len(part) >= MIN_PAUSE)
