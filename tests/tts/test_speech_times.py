"""Phonemes and words of what espeak-ng says are where a mouth has to be."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.core.speech import Phoneme
from mouthpiece.core.timeline import SPEECH_RATE, Span
from services.tts import articulation
from services.tts.articulation import ipa, is_vowel, phonemes, to_speech_grid
from services.tts.espeak import RATE, Mark, MarkKind, Utterance, speak

TEXTS = {
    "gmw/en-US": "Bob Palmer put the apple on the map, one of the best (really), at 10:30!",
    "zle/ru": "Папа попал в банк, опять 999 рублей.",
    "gmw/de": "Die Äpfel vom „Bodensee“ mag Viktor.",
    "sit/cmn": "爸爸跑步，2024年不怕困难。",
    "jpx/ja": "これはペンです。",
    "gmw/en-US+f3": "Apple pie and pepper.",
}


@pytest.fixture(scope="module", params=TEXTS)
def said(request: pytest.FixtureRequest) -> tuple[str, Utterance]:
    text = TEXTS[request.param]
    return text, speak(text, request.param)


def test_phonemes_fill_the_utterance_without_gap_or_overlap(said: tuple[str, Utterance]) -> None:
    sounds = phonemes(said[1])
    assert sounds[0].samples.first == 0
    assert sounds[-1].samples.end == to_speech_grid(len(said[1].pcm))
    assert all(one.samples.end == other.samples.first for one, other in pairwise(sounds))
    assert all(sound.samples for sound in sounds)


def test_symbols_are_ipa(said: tuple[str, Utterance]) -> None:
    for sound in phonemes(said[1]):
        assert not set(sound.ipa) & set("0123456789()?:.\"'`^_#-+[]g")


def test_words_cover_every_letter_and_digit_in_order(said: tuple[str, Utterance]) -> None:
    text, utterance = said
    sounds = phonemes(utterance)
    words = articulation.words(text, utterance, sounds)
    covered = {at for word in words for at in word.source}
    assert covered >= {at for at, char in enumerate(text) if char.isalnum()}
    for one, other in pairwise(words):
        assert one.source.end <= other.source.first
        assert one.samples.first <= one.samples.end <= other.samples.first
    assert words[-1].samples.end <= sounds[-1].samples.end


def test_words_are_written_without_the_punctuation_around_them() -> None:
    text = TEXTS["gmw/en-US"]
    utterance = speak(text, "gmw/en-US")
    words = articulation.words(text, utterance, phonemes(utterance))
    spelled = [text[word.source.first : word.source.end] for word in words]
    assert spelled[-4:] == ["best", "really", "at", "10:30"]
    assert all(len(word.samples) > SPEECH_RATE // 50 for word in words)


def test_a_stop_includes_the_silence_in_which_the_lips_are_closed() -> None:
    utterance = speak("apple upper map", "gmw/en-US")
    bursts = [mark.sample for mark in utterance.marks if mark.symbol == "p"]
    starts = [sound.samples.first for sound in phonemes(utterance) if sound.ipa == "p"]
    assert len(bursts) == 3
    for burst, start in zip(bursts, starts, strict=True):
        closed = start * RATE // SPEECH_RATE
        assert 0.03 * RATE < burst - closed < 0.06 * RATE
        vowel = level(utterance, closed - RATE // 20, closed)
        assert level(utterance, closed, burst) < 0.1 * vowel


def level(utterance: Utterance, first: int, end: int) -> float:
    return float(np.abs(utterance.pcm[first:end]).mean())


def test_lips_are_quiet_while_closed_and_loud_after() -> None:
    utterance = speak("mama papa", "gmw/en-US")
    levels = {
        sound.ipa: level(
            utterance, *(at * RATE // SPEECH_RATE for at in (sound.samples.first, sound.samples.end))
        )
        for sound in phonemes(utterance)
    }
    vowels = [loudness for symbol, loudness in levels.items() if is_vowel(symbol)]
    assert levels["p"] < min(vowels)
    assert levels["m"] < min(vowels)


def test_commas_make_pauses() -> None:
    sounds = phonemes(speak("One, two, three.", "gmw/en-US"))
    inner = [pause for pause in articulation.pauses(sounds) if pause.end < sounds[-1].samples.end]
    assert len(inner) == 2


def test_words_of_another_language_do_not_show_as_symbols() -> None:
    sounds = phonemes(speak("Это iPhone и Windows.", "zle/ru"))
    assert all(len(sound.samples) >= SPEECH_RATE // 50 for sound in sounds if not sound.ipa)
    assert all("(" not in sound.ipa for sound in sounds)
    assert any(sound.ipa.endswith("aɪ") for sound in sounds)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("ˈɔːɹ", "ˈɔːɹ"),
        ("(en-us-n", ""),
        ("s.", "ʂ"),
        ("ts.h", "ʈʂʰ"),
        ("tɕh", "tɕʰ"),
        ("h", "h"),
        ("ˈh", "ˈh"),
        ("ʲ", "j"),
        ("mʲ", "mʲ"),
        ("t-", "t"),
        ("ˈi:", "ˈiː"),
        ("g", "ɡ"),
        ("r̝̊", "r̝̊"),
        ("t͡ʃ", "t͡ʃ"),
        ("ˈo̞", "ˈo̞"),
        ("1", ""),
    ],
)
def test_symbols_are_spelled_as_the_ipa_has_them(written: str, meant: str) -> None:
    assert ipa(written) == meant


@given(st.integers(0, 10**9))
def test_times_are_mapped_to_the_nearest_sample(sample: int) -> None:
    assert abs(to_speech_grid(sample) * RATE - sample * SPEECH_RATE) * 2 <= RATE


@given(
    st.lists(
        st.tuples(st.integers(0, 30_000), st.sampled_from(["", "p", "a", "ˈoʊ", "(en)", "ʲ"])), max_size=30
    ),
    st.integers(0, 30_000),
    st.integers(0, 2**32 - 1),
)
def test_whatever_the_marks_are_phonemes_fill_the_sound(
    events: list[tuple[int, str]], length: int, seed: int
) -> None:
    noise = np.random.default_rng(seed).integers(-3000, 3000, length).astype(np.int16)
    noise[length // 3 : length // 2] = 0
    marks = tuple(Mark(MarkKind.PHONEME, at, 0, symbol) for at, symbol in sorted(events))
    sounds = phonemes(Utterance(noise, marks))
    assert sum(len(sound.samples) for sound in sounds) == to_speech_grid(length)
    assert all(one.samples.end == other.samples.first for one, other in pairwise(sounds))


def test_only_long_silences_count_as_pauses() -> None:
    short, long = Span(0, articulation.MIN_PAUSE - 1), Span(4000, 4000 + articulation.MIN_PAUSE)
    sounds = [Phoneme("", short), Phoneme("a", Span(short.end, 4000)), Phoneme("", long)]
    assert articulation.pauses(sounds) == (long,)
