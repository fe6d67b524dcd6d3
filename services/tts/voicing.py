"""A voice made ready to speak: its loudness known, its times found, moved toward a reference where wanted.

What is fixed once, from a few sentences that every voice of a language says: one gain for all that it says,
and how it is matched. So a sentence sounds the same whatever stands around it, and may be cached.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import uniform_filter1d

from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.text.delivery import SOFTEST, changes_in, without_delivery
from services.tts.alignment import times_within
from services.tts.engine import (
    REFERENCE_RATE,
    EngineFailed,
    Reference,
    Rendition,
    Sound,
    Speaker,
    SpeechEngine,
    Times,
)
from services.tts.loudness import gain_to_target, loudness
from services.tts.matching import Matcher, match, profile
from services.tts.synthesis import Spoken, to_pcm, to_speech_rate
from services.tts.voices import Choice

_SAMPLES = {
    "de": "Jede Stimme hat ihre eigene Farbe. Fünf Kinder springen über den kalten, flachen Bach; ihr Lehrer "
    "lacht und gibt ihnen Brot mit Butter. Ist es noch weit bis zur großen Stadt?",
    "en": "Every voice has its own colour. Five children jump over a cold, shallow brook; their teacher "
    "laughs and gives them bread with butter. Is it far to the big city?",
    "es": "Cada voz tiene su propio color. Cinco niños saltan un arroyo frío y poco hondo; su maestro ríe y "
    "les da pan con mantequilla. ¿Queda lejos la ciudad grande?",
    "fr": "Chaque voix a sa propre couleur. Cinq enfants sautent un ruisseau froid et peu profond ; leur "
    "maître rit et leur donne du pain avec du beurre. La grande ville est-elle loin ?",
    "ru": "У каждого голоса свой цвет. Пятеро детей прыгают через холодный мелкий ручей; учитель смеётся и "
    "даёт им хлеб с маслом. Далеко ли до большого города?",
}
_ANY_LANGUAGE = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"
"""What a voice says to be measured; every voice can read numbers."""

_SHORTEST_PER_LETTER = SPEECH_RATE * 15 // 1000
"""Nobody speaks so fast: an engine that does has left something out."""


@dataclass(frozen=True, slots=True)
class Role:
    """Who speaks: a voice of an engine, the embedded voice of its language, and whom it is to sound like.

    ``choice`` says the text where times must be found by alignment. ``even`` asks for the usual loudness.
    """

    engine: SpeechEngine
    voice: str
    choice: Choice
    speaker: Speaker
    reference: Reference | None = None
    even: bool = True

    @property
    def key(self) -> tuple[str, ...]:
        """Names all that a sentence's sound depends on besides its text."""
        reference = self.reference.name if self.reference else ""
        version = self.engine.version(self.speaker.voice)
        return (
            self.engine.name,
            version,
            self.speaker.voice,
            f"{self.speaker.rate:g}",
            reference,
            f"{self.even}",
        )


@dataclass(frozen=True, slots=True)
class Voicing:
    """A role that is ready to speak."""

    role: Role
    gain: float = 1.0
    matcher: Matcher | None = None

    def say(self, text: str, cancelled: Callable[[], bool]) -> Spoken:
        """Say one piece.

        Raises:
            EngineFailed: the engine failed, or what it said is no speech.
        """
        said = text if self.role.engine.inflects else without_delivery(text)
        rendition = self.render(said, cancelled)
        sound = to_speech_rate(rendition)
        times = rendition.times or self._aligned(said, sound, cancelled)
        return Spoken(to_pcm(at_volume(sound, text, times), self.gain), times)

    def _aligned(self, text: str, sound: Sound, cancelled: Callable[[], bool]) -> Times:
        _check_length(len(sound), text)
        times = times_within(text, self.role.choice, to_pcm(sound, self.gain), cancelled)
        if times is None:
            raise EngineFailed("there is no speech in what it said")
        return times

    def render(self, text: str, cancelled: Callable[[], bool]) -> Rendition:
        """What the engine says, matched."""
        rendition = self.role.engine.speak(text, self.role.speaker, cancelled)
        if self.matcher is None:
            return rendition
        return replace(rendition, sound=self.matcher(rendition.sound, rendition.rate))


_RAMP = SPEECH_RATE * 20 // 1000


def at_volume(sound: Sound, text: str, times: Times) -> Sound:
    """A sound at 48 kHz as loud as the text's changes of delivery ask for, from word to word."""
    changes = list(changes_in(text))
    if all(delivery.volume == 0 for _, delivery in changes):
        return sound
    gains = np.ones(len(sound), np.float32)
    for place, delivery in changes:
        first = next((word.samples.first for word in times.words if word.source.end > place), len(sound))
        gains[first:] = 10 ** (delivery.volume / 20) if delivery.volume > SOFTEST else 0.0
    return np.asarray(sound * uniform_filter1d(gains, _RAMP, mode="nearest"), np.float32)


def get_ready(role: Role, cancelled: Callable[[], bool]) -> Voicing:
    """Let a voice speak a little, and learn how it gets as loud, and as like the reference, as is wanted.

    Raises:
        EngineFailed: the engine failed.
        BadInput: (field ``voice_reference``) nobody speaks in the reference.
    """
    voicing = Voicing(role)
    to_match = role.reference if not role.engine.clones else None
    if to_match is None and not role.even:
        return voicing
    text = _SAMPLES.get(role.choice.voice.language.partition("-")[0], _ANY_LANGUAGE)
    said = voicing.render(text, cancelled)
    if to_match is not None:
        matcher = match(said.sound, said.rate, profile(to_match.sound, REFERENCE_RATE))
        voicing = replace(voicing, matcher=matcher)
        said = replace(said, sound=matcher(said.sound, said.rate))
    if role.even:
        voicing = replace(voicing, gain=gain_to_target(loudness(to_speech_rate(said))))
    return voicing


def _check_length(samples: int, text: str) -> None:
    letters = sum(char.isalpha() for char in text)
    if samples < letters * _SHORTEST_PER_LETTER:
        raise EngineFailed(f"{samples / SPEECH_RATE:.2f} s of sound for {letters} letters")
