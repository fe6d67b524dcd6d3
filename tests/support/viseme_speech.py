"""Speech made for tests: phonemes written down with their lengths, and a sound that goes with them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mouthpiece.core.speech import Phoneme, SpeechSlice
from mouthpiece.core.timeline import SPEECH_RATE, Span

DENSE = "b29 ˈɑː139 b133 p33 ˈɑː113 m58 ɚ55 b67 ˈɔː174 t57 f76 ˈaɪ157 v80 b40 ˈɪ60 p45 ə40 m50 ˈoʊ90 p30 i45"
"""Bilabials as close together as speech has them; phonemes with their lengths in milliseconds."""

SENTENCE = f"300 {DENSE} 400 h50 ˈaʊ160 ɑːɹ80 j40 uː120 w60 ˈɛ110 l70 θ80 ˈæ120 ŋ60 k50 s90 350"


def spell(text: str, *, first: int = 0) -> tuple[Phoneme, ...]:
    """Phonemes from words like "ˈɑː139": IPA and milliseconds; a bare number is a pause."""
    phonemes: list[Phoneme] = []
    at = first
    for word in text.split():
        ipa = word.rstrip("0123456789")
        length = int(word[len(ipa) :]) * SPEECH_RATE // 1000
        phonemes.append(Phoneme(ipa, Span(at, at + length)))
        at += length
    return tuple(phonemes)


def speech_of(phonemes: Sequence[Phoneme], *, known: bool = True) -> SpeechSlice:
    """The whole speech of ``phonemes`` with a buzz for every one of them that is not a pause."""
    samples = Span(0, phonemes[-1].samples.end)
    pcm = np.zeros(len(samples))
    for phoneme in phonemes:
        if phoneme.ipa:
            span = phoneme.samples
            pcm[span.first : span.end] = _buzz(np.arange(span.first, span.end))
    sound = np.round(pcm * 32767).astype("<i2").tobytes()
    if not known:
        return SpeechSlice(samples, sound)
    return SpeechSlice(samples, sound, tuple(phonemes), (samples,))


def cut(speech: SpeechSlice, wanted: Span) -> SpeechSlice:
    """The part of a speech that a worker is given for ``wanted`` samples."""
    part = wanted.clip(speech.samples)
    at = part.shift(-speech.samples.first)
    return SpeechSlice(
        part,
        speech.pcm[2 * at.first : 2 * at.end],
        tuple(phoneme for phoneme in speech.phonemes if phoneme.samples.overlaps(part)),
        tuple(known.clip(part) for known in speech.known if known.overlaps(part)),
    )


def _buzz(at: np.ndarray[tuple[int], np.dtype[np.int64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    pitch = 2 * np.pi * 120.0 / SPEECH_RATE * at
    return 0.06 * sum((np.sin(k * pitch) / np.sqrt(k) for k in range(1, 30)), np.zeros(len(at)))
