"""espeak-ng as an engine: every language, no weights, exact times, a thousandth of real time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.tts import articulation, espeak
from services.tts.engine import Cancelled, EngineVoice, Rendition, Speaker, Times
from services.tts.tone import warmed

_SLOWEST, _FASTEST = 80, 450


class EspeakEngine:
    """The embedded engine. Its voices are those of `services.tts.voices`."""

    name = "espeak"
    clones = False
    inflects = True

    def load(self) -> None:
        """Start the library."""
        espeak.speak("a", "gmw/en-US")

    def voices(self) -> Sequence[EngineVoice]:
        """None: the table of voices has them."""
        return ()

    def version(self, voice: str) -> str:  # noqa: ARG002 - the same for every voice
        """The library's, and ours of what is made of it."""
        return f"{espeak.version()}-2"

    def speak(self, text: str, speaker: Speaker, cancelled: Cancelled) -> Rendition:
        """Say one sentence in a voice file."""
        words_per_minute = min(max(_SLOWEST, round(espeak.Manner().rate * speaker.rate)), _FASTEST)
        utterance = espeak.speak(text, speaker.voice, espeak.Manner(rate=words_per_minute), cancelled)
        phonemes = articulation.phonemes(utterance)
        sound = warmed(utterance.pcm.astype(np.float32) / np.float32(32768))
        times = Times(phonemes, articulation.words(text, utterance, phonemes))
        return Rendition(sound, espeak.RATE, times)
