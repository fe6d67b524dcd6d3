"""A text as speech: planned as a whole, spoken sentence by sentence."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, pairwise

import numpy as np
import numpy.typing as npt
import soxr

from mouthpiece.core.speech import Phoneme, Sentence, Word
from mouthpiece.core.timeline import SPEECH_RATE, Span
from mouthpiece.errors import BadInput
from mouthpiece.text.passages import Passage, Passages
from mouthpiece.text.phonemes import PRONOUNCED
from mouthpiece.text.script import Script
from mouthpiece.text.scripts import is_readable
from mouthpiece.text.sentences import Ending, weight
from services.tts import articulation, espeak
from services.tts.engine import Rendition, Sound, Speaker, Times
from services.tts.engines.embedded import EspeakEngine
from services.tts.loudness import limit
from services.tts.pronouncing import Unpronounceable
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
_INAUDIBLE = 16
"""Samples of up to this size, of 32 768, are silence: -66 dB of full scale."""
_SAMPLES_PER_WEIGHT = 3_400
_ENOUGH_TO_GUESS = 400
"""Code points of a text from which the length of all of it is guessed."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A piece as it is said: samples at 48 kHz, and what sounds when from its first sample on."""

    pcm: npt.NDArray[np.int16]
    times: Times


Say = Callable[[str, Callable[[], bool]], Spoken]
"""Says one piece; gives up, raising `espeak.Cancelled`, when the second argument tells so."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A text that can be spoken: its pieces, which may be found on the way, and who reads it."""

    text: str
    pieces: Iterable[Passage]
    choice: Choice
    is_inflected: bool = False
    """Whether its markup changes rate, pitch or emphasis."""
    unheeded: Callable[[], Iterator[str]] = lambda: iter(())
    """Goes over all of its markup."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its markup asks for and cannot be done."""
        return tuple(self.unheeded())

    @property
    def expected_samples(self) -> int:
        """About how long it takes at the usual speed, from all of its pieces."""
        return sum(expected_samples(piece) for piece in self.pieces) + LEAD_IN + LEAD_OUT

    @property
    def roughly_expected_samples(self) -> int:
        """The same, guessed from the beginning, so that nobody waits for the rest of a long text."""
        samples = end = 0
        for piece in self.pieces:
            samples += expected_samples(piece)
            end = piece.source.end
            if end > _ENOUGH_TO_GUESS:
                return samples * len(self.text) // end
        return samples + LEAD_IN + LEAD_OUT


def check_length(text: str) -> None:
    """Raise `BadInput` for a text that is too long."""
    if len(text) > MAX_TEXT:
        raise BadInput("text", f"longer than {MAX_TEXT} characters")


def plan_speech(said: Script | str, language: str = "", voice: str = "") -> Plan:
    """Check what is to be ``said`` and decide who reads it and in which pieces; no sound is made yet.

    Raises:
        BadInput: the ``text`` is too long, holds nothing that can be said, or is in a script that the voice
            cannot read; ``language`` or ``voice`` is unknown.
    """
    script = Script(said) if isinstance(said, str) else said
    check_length(script.text)
    document = script.document()
    text = document.text
    if not is_readable(text):
        raise BadInput("text", "nothing to say: there is no letter and no digit" if text.strip() else "empty")
    choice = choose_voice(text, language, voice)
    _check_sounds("text", (said.ipa for said in document.said if said.ipa), choice)
    given = map(PRONOUNCED.fullmatch, script.pronunciations.values())
    _check_sounds("pronunciations", (found["ipa"] for found in given if found), choice)
    language = choice.voice.language
    return Plan(
        script.text,
        Passages(script, document, language),
        choice,
        any(delivery.is_inflected for _, delivery in document.changes),
        lambda: script.unheeded(document, language),
    )


def _check_sounds(field: str, sounds: Iterable[str], choice: Choice) -> None:
    for ipa in sounds:
        try:
            espeak.check_sounds(ipa, choice.file)
        except Unpronounceable as error:
            raise BadInput(field, f"{ipa!r} cannot be pronounced: {error}") from None


def expected_samples(piece: Passage) -> int:
    """About how long a piece takes with the pause after it, at the usual speed."""
    return sum(weight(char) for char in piece.text) * _SAMPLES_PER_WEIGHT + pause_after(piece)


def pause_after(piece: Passage) -> int:
    """Samples of silence after a piece that another one follows."""
    return _PAUSES[piece.ending] if piece.pause_ms is None else SPEECH_RATE * piece.pause_ms // 1000


def sentences(
    plan: Plan,
    wanted: slice = slice(None),
    cancelled: Callable[[], bool] = lambda: False,
    say: Say | None = None,
) -> Generator[Sentence]:
    """Speak the ``wanted`` pieces of a plan; each sentence is made when it is asked for.

    ``say`` speaks; without it the embedded engine does, as loud as it is. Samples count from the start of
    the first sentence made; each begins where the one before ended.

    Raises:
        espeak.Cancelled: ``cancelled`` returned true.
    """
    at = 0
    for place in islice(_places(plan.pieces), wanted.start, wanted.stop):
        spoken = (say or plain(plan.choice))(place.piece.said, cancelled)
        sentence = _sentence(plan, place, at, spoken)
        yield sentence
        at = sentence.samples.end


@dataclass(frozen=True, slots=True)
class _Place:
    """A piece, and whether another one follows."""

    index: int
    piece: Passage
    is_last: bool


def _places(pieces: Iterable[Passage]) -> Iterator[_Place]:
    for index, (piece, following) in enumerate(pairwise(chain(pieces, (None,)))):
        assert piece is not None
        yield _Place(index, piece, following is None)


def plain(choice: Choice) -> Say:
    """The embedded engine in a voice of its own."""
    engine, speaker = EspeakEngine(), Speaker(choice.file)

    def say(text: str, cancelled: Callable[[], bool]) -> Spoken:
        rendition = engine.speak(text, speaker, cancelled)
        return Spoken(to_pcm(to_speech_rate(rendition)), rendition.times or Times((), ()))

    return say


def _sentence(plan: Plan, place: _Place, first: int, spoken: Spoken) -> Sentence:
    """One piece as the sentence that begins at sample ``first``, with the silence around it."""
    piece = place.piece
    lead = LEAD_IN if place.index == 0 else 0
    pause = LEAD_OUT if place.is_last and piece.pause_ms is None else pause_after(piece)
    if piece.pause_ms is not None:  # that much silence, and not more
        pause = max(0, pause - _quiet_at_the_end(spoken.pcm))
    samples = Span(first, first + lead + len(spoken.pcm) + pause)
    shift = first + lead
    sounds = [replace(part, samples=part.samples.shift(shift)) for part in spoken.times.phonemes]
    phonemes = _with_silence(samples, sounds)
    return Sentence(
        index=place.index,
        text=piece.written,
        source=piece.source,
        samples=samples,
        pcm=np.pad(spoken.pcm, (lead, pause)).astype("<i2").tobytes(),
        words=tuple(
            replace(word, samples=word.samples.shift(shift))
            for word in written_words(plan, piece, spoken.times.words)
        ),
        phonemes=phonemes,
        pauses=articulation.pauses(phonemes),
    )


def _quiet_at_the_end(pcm: npt.NDArray[np.int16]) -> int:
    """Samples after the last one that is heard."""
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > _INAUDIBLE)
    return len(pcm) - int(loud[-1]) - 1 if len(loud) else 0


def written_words(plan: Plan, piece: Passage, spoken: Sequence[articulation.TimedWord]) -> Iterator[Word]:
    """The words of the source that spoken ones stand for: "$5" lasts as long as "five dollars"."""
    merged: list[articulation.TimedWord] = []
    for word in spoken:
        source = piece.source_of(word.source)
        if merged and merged[-1].source.overlaps(source):
            last = merged.pop()
            source = Span(last.source.first, max(last.source.end, source.end))
            word = replace(word, samples=Span(last.samples.first, word.samples.end))  # noqa: PLW2901
        merged.append(replace(word, source=source))
    for word in merged:
        yield Word(plan.text[word.source.first : word.source.end], word.samples, word.source)


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


def to_speech_rate(rendition: Rendition) -> Sound:
    """The sound of a rendition at 48 kHz, exactly as long as it is on the grid."""
    count, rate = len(rendition.sound), rendition.rate
    wanted = (2 * count * SPEECH_RATE + rate) // (2 * rate)
    sound = soxr.resample(rendition.sound, rate, SPEECH_RATE, quality="HQ")[:wanted]
    return np.asarray(np.pad(sound, (0, wanted - len(sound))), np.float32)


def to_pcm(sound: Sound, gain: float = 1.0) -> npt.NDArray[np.int16]:
    """A sound at 48 kHz times ``gain``, its peaks limited, faded at both ends."""
    sound = limit(np.asarray(sound * gain, np.float32)).copy()
    rise, fall = min(_FADE_IN, len(sound) // 2), min(_FADE_OUT, len(sound) // 2)
    sound[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)
    sound[len(sound) - fall :] *= np.linspace(1, 0, fall, dtype=np.float32)
    return np.asarray(np.rint(sound * 32767), np.int16)
