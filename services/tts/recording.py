"""A recording as the speech: looked through once as a whole, then handed out in pieces.

Both readings decode the file anew, block by block, so an hour of sound is never in memory.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mouthpiece.core.speech import Sentence
from mouthpiece.core.timeline import SPEECH_RATE, Span
from mouthpiece.errors import BadInput
from mouthpiece.text.script import Script
from services.tts.alignment import Aligner, Pcm, SpeechFrames, Stretch, Timing, frames_of
from services.tts.articulation import MIN_PAUSE
from services.tts.decoding import FIELD, Sound, decode
from services.tts.espeak import Cancelled
from services.tts.filtering import denoised
from services.tts.loudness import LoudnessMeter, gain_to_target, limited
from services.tts.pauses import (
    SILENCE_DB,
    LevelMeter,
    Levels,
    cut_pieces,
    find_pauses,
    long_pauses,
    noise_level,
)
from services.tts.synthesis import MAX_TEXT, Plan, plan_speech
from services.tts.voices import voice_for_language

log = logging.getLogger(__name__)

_HIGHEST_PEAK = 0.99
_BESIDE_CUT = SPEECH_RATE * 5 // 1000
"""Samples over which sound fades out before a cut in a pause, and in after it."""


@dataclass(frozen=True, slots=True)
class Care:
    """What is to be done to a recording: to the usual loudness, with less noise, with shorter pauses.

    ``longest_pause`` counts samples at 48 kHz; 0 leaves pauses as they are.
    """

    even: bool = False
    denoise: bool = False
    longest_pause: int = 0


@dataclass(frozen=True, slots=True)
class Treatment:
    """What is done to the sound of a recording: the level of noise that is weakened, the spans left out of
    what was recorded, and whether its peaks are limited."""

    noise_db: float | None = None
    left_out: tuple[Span, ...] = ()
    limited: bool = False


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
    treatment: Treatment = Treatment()

    @property
    def speech_samples(self) -> int:
        """Samples outside pauses."""
        return self.samples - sum(len(pause) for pause in self.pauses)


def survey(
    path: Path,
    limit_seconds: float,
    cancelled: Callable[[], bool] = lambda: False,
    care: Care = Care(),
) -> Recording:
    """Look through a recording.

    Raises:
        BadInput: (field ``audio``) as `decode`, or silent throughout.
        Cancelled: ``cancelled`` returned true.
    """

    def look(treatment: Treatment) -> _Look:
        return _look_through(_treated(_until(cancelled, decode(path, limit_seconds)), treatment))

    treatment = Treatment(limited=care.even)
    found = _not_silent(look(treatment))
    if care.denoise:
        treatment = replace(treatment, noise_db=noise_level(found.levels))
        found = look(treatment)
    if care.longest_pause:
        cuts = tuple(long_pauses(find_pauses(found.levels, found.samples), care.longest_pause))
        treatment = replace(treatment, left_out=cuts)
        found = look(treatment)
    return _found(path, limit_seconds, found, treatment)


@dataclass(frozen=True, slots=True)
class _Look:
    """Measures of a whole sound."""

    levels: Levels
    samples: int
    peak: float
    lufs: float


def _look_through(blocks: Iterator[Sound]) -> _Look:
    meter, loudness = LevelMeter(), LoudnessMeter()
    samples, peak = 0, 0.0
    for block in blocks:
        meter.add(block)
        loudness.add(block)
        samples += len(block)
        peak = max(peak, float(np.abs(block).max(initial=0)))
    return _Look(meter.levels(), samples, peak, loudness.lufs())


def _not_silent(look: _Look) -> _Look:
    if not look.samples or look.levels.max() < SILENCE_DB:
        raise BadInput(FIELD, "silent throughout")
    return look


def _found(path: Path, limit_seconds: float, look: _Look, treatment: Treatment) -> Recording:
    pauses = find_pauses(look.levels, look.samples)
    pieces = tuple(cut_pieces(pauses, look.levels, look.samples))
    gain = 1.0 if look.peak <= 1.0 else _HIGHEST_PEAK / look.peak
    if treatment.limited:
        gain = gain_to_target(look.lufs)
    return Recording(path, limit_seconds, look.samples, gain, pauses, pieces, treatment)


def _treated(blocks: Iterator[Sound], treatment: Treatment) -> Iterator[Sound]:
    """The sound with less noise, without what is left out."""
    if treatment.noise_db is not None:
        blocks = denoised(blocks, treatment.noise_db)
    return _without(blocks, treatment.left_out) if treatment.left_out else blocks


def _without(blocks: Iterator[Sound], left_out: Sequence[Span]) -> Iterator[Sound]:
    """Sound without some spans; it fades at the cuts."""
    at = 0
    for block in blocks:
        span = Span(at, at + len(block))
        at = span.end
        gain = np.ones(len(block), np.float32)
        for cut in left_out:
            if cut.first - _BESIDE_CUT < span.end and cut.end + _BESIDE_CUT > span.first:
                away = np.arange(span.first, span.end)
                nearest = np.maximum(cut.first - away, away + 1 - cut.end)
                gain = np.minimum(gain, np.clip(nearest / _BESIDE_CUT, 0, 1))
        yield np.asarray((block * gain)[_outside(span, left_out)], np.float32)


def _outside(span: Span, left_out: Sequence[Span]) -> npt.NDArray[np.bool_]:
    kept = np.ones(len(span), np.bool_)
    for cut in left_out:
        if cut.overlaps(span):
            within = cut.clip(span).shift(-span.first)
            kept[within.first : within.end] = False
    return kept


def _until(cancelled: Callable[[], bool], blocks: Iterator[Sound]) -> Iterator[Sound]:
    for block in blocks:
        if cancelled():
            raise Cancelled
        yield block


def plan_transcript(text: str, language: str, pronunciations: Mapping[str, str] | None = None) -> Plan | None:
    """What is known to be said; ``None`` when there is no text, or none that a voice can say.

    Raises:
        BadInput: unknown ``language``, too long a ``transcript``, or ``pronunciations`` that are none.
    """
    if language:
        voice_for_language(language)
    if len(text) > MAX_TEXT:
        raise BadInput("transcript", f"longer than {MAX_TEXT} characters")
    try:
        plan = plan_speech(Script(text, pronunciations=pronunciations or {}), language)
        return replace(plan, pieces=tuple(plan.pieces))
    except BadInput as error:
        if error.violations[0].field == "pronunciations":
            raise
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
    blocks = _finished(recording, cancelled)
    held: list[Pcm] = []
    count = 0
    for span in recording.pieces:
        while count < len(span):
            block = next(blocks)
            held.append(block)
            count += len(block)
        sound = np.concatenate(held)
        yield Stretch(span, sound[: len(span)], pauses_within(recording.pauses, span))
        held = [sound[len(span) :]]
        count = len(held[0])


def _finished(recording: Recording, cancelled: Callable[[], bool]) -> Iterator[Pcm]:
    """The sound of a recording as it is sent."""
    decoded = decode(recording.path, recording.limit_seconds)
    blocks = _treated(_until(cancelled, decoded), recording.treatment)
    if recording.treatment.limited:
        return (_to_pcm(block) for block in limited(blocks, recording.gain))
    return (_to_pcm(block * recording.gain) for block in blocks)


def _to_pcm(sound: Sound) -> Pcm:
    return np.asarray(np.clip(np.rint(sound * 32768), -32768, 32767), "<i2")


def pauses_within(pauses: Sequence[Span], span: Span) -> tuple[Span, ...]:
    """The parts of ``pauses`` within ``span`` that are still pauses."""
    parts = (pause.clip(span) for pause in pauses if pause.overlaps(span))
    return tuple(part for part in parts if len(part) >= MIN_PAUSE)
