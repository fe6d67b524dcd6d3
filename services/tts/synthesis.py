"""A text as speech: planned as a whole, spoken sentence by sentence."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import soxr

from mouthpiece.core.speech import Phoneme, Sentence, Word
from mouthpiece.core.timeline import SPEECH_RATE, Span
from mouthpiece.errors import BadInput
from mouthpiece.text.scripts import is_readable
from mouthpiece.text.sentences import Ending, Piece, split_sentences, weight
from services.tts import articulation, espeak
from services.tts.tone import warmed
from services.tts.voices import Choice, choose_voice

MAX_TEXT = 200_000
"""Code points of the longest text."""

LEAD_IN = SPEECH_RATE * 150 // 1000
LEAD_OUT = SPEECH_RATE * 300 // 1000
"""Samples of silence before and after a speech: the mouth starts and ends at rest."""

_PAUSES = {
    Ending.PARAGRAPH: SPEECH_RATE * 650 // 1000,
    Ending.SENTENCE: SPEECH_RATE * 350 // 1000,
    Ending.CLAUSE: SPEECH_RATE * 150 // 1000,
    Ending.WORD: SPEECH_RATE * 30 // 1000,
}
"""Samples of silence after a piece that another one follows."""

_FADE_IN = SPEECH_RATE * 2 // 1000
_FADE_OUT = SPEECH_RATE * 5 // 1000
_HIGHEST_PEAK = 31_000
_SAMPLES_PER_WEIGHT = 3_400


@dataclass(frozen=True, slots=True)
class Plan:
    """A text that can be spoken: its pieces, who reads it, and about how many samples that takes."""

    text: str
    pieces: tuple[Piece, ...]
    choice: Choice
    expected_samples: int


def plan_speech(text: str, language: str = "", voice: str = "") -> Plan:
    """Check a text and decide who reads it and in which pieces; no sound is made yet.

    Raises:
        BadInput: ``text`` is too long, holds nothing that can be said, or is in a script that the voice
            cannot read; ``language`` or ``voice`` is unknown.
    """
    if len(text) > MAX_TEXT:
        raise BadInput("text", f"longer than {MAX_TEXT} characters")
    if not is_readable(text):
        raise BadInput("text", "nothing to say: there is no letter and no digit" if text.strip() else "empty")
    choice = choose_voice(text, language, voice)
    pieces = tuple(split_sentences(text, choice.voice.language))
    return Plan(text, pieces, choice, sum(_expected(piece) for piece in pieces) + LEAD_IN + LEAD_OUT)


def _expected(piece: Piece) -> int:
    return sum(weight(char) for char in piece.text) * _SAMPLES_PER_WEIGHT + _PAUSES[piece.ending]


def sentences(
    plan: Plan, wanted: slice = slice(None), cancelled: Callable[[], bool] = lambda: False
) -> Generator[Sentence]:
    """Speak the ``wanted`` pieces of a plan; each sentence is made when it is asked for.

    Samples count from the start of the first sentence made; each begins where the one before ended.

    Raises:
        espeak.Cancelled: ``cancelled`` returned true.
    """
    at = 0
    for index in range(*wanted.indices(len(plan.pieces))):
        sentence = _speak(plan, index, at, cancelled)
        yield sentence
        at = sentence.samples.end


def warm_up() -> None:
    """Start the synthesizer and read the list of voices, so that the first call need not."""
    espeak.speak("a", plan_speech("a").choice.file)


def _speak(plan: Plan, index: int, first: int, cancelled: Callable[[], bool]) -> Sentence:
    """One piece as the sentence that begins at sample ``first``, with the silence around it."""
    piece = plan.pieces[index]
    lead = LEAD_IN if index == 0 else 0
    pause = LEAD_OUT if index == len(plan.pieces) - 1 else _PAUSES[piece.ending]
    utterance = espeak.speak(piece.text, plan.choice.file, cancelled=cancelled)
    sounds = articulation.phonemes(utterance)
    sound = to_speech_rate(utterance.pcm)
    samples = Span(first, first + lead + len(sound) + pause)
    shift = first + lead
    phonemes = _with_silence(samples, [replace(part, samples=part.samples.shift(shift)) for part in sounds])
    return Sentence(
        index=index,
        text=piece.text,
        source=piece.source,
        samples=samples,
        pcm=np.pad(sound, (lead, pause)).astype("<i2").tobytes(),
        words=tuple(
            Word(
                piece.text[word.source.first : word.source.end],
                word.samples.shift(shift),
                word.source.shift(piece.source.first),
            )
            for word in articulation.words(piece.text, utterance, sounds)
        ),
        phonemes=phonemes,
        pauses=articulation.pauses(phonemes),
    )


def _with_silence(samples: Span, sounds: Sequence[Phoneme]) -> tuple[Phoneme, ...]:
    """The sounds with pauses that fill the rest of ``samples``."""
    voiced = [sound for sound in sounds if sound.ipa]
    if not voiced:
        return (Phoneme("", samples),)
    inner = [
        sound for sound in sounds if voiced[0].samples.first <= sound.samples.first < voiced[-1].samples.end
    ]
    before = Phoneme("", Span(samples.first, inner[0].samples.first))
    after = Phoneme("", Span(inner[-1].samples.end, samples.end))
    return tuple(sound for sound in (before, *inner, after) if sound.samples)


def to_speech_rate(pcm: espeak.Pcm) -> npt.NDArray[np.int16]:
    """Warmed sound at 48 kHz, as long as the same stretch on the grid, faded at both ends, never clipped."""
    wanted = articulation.to_speech_grid(len(pcm))
    sound = soxr.resample(warmed(pcm.astype(np.float32)), espeak.RATE, SPEECH_RATE, quality="HQ")[:wanted]
    sound = np.pad(sound, (0, wanted - len(sound)))
    rise, fall = min(_FADE_IN, wanted // 2), min(_FADE_OUT, wanted // 2)
    sound[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)
    sound[wanted - fall :] *= np.linspace(1, 0, fall, dtype=np.float32)
    peak = float(np.abs(sound).max(initial=0))
    return np.rint(sound * min(1.0, _HIGHEST_PEAK / max(peak, 1.0))).astype(np.int16)
