"""espeak-ng in this process: sound, times of words and phonemes, and many callers at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mouthpiece.errors import MouthpieceError
from services.tts import espeak
from services.tts.espeak import Cancelled, Manner, MarkKind, Utterance, speak

SENTENCES = {
    "gmw/en-US": "Bob Palmer bought three apples.",
    "zle/ru": "Папа попал в банк, опять.",
    "gmw/de": "Zwölf Boxkämpfer jagen Viktor.",
    "sit/cmn": "爸爸跑步不怕困难。",
}


def symbols(utterance: Utterance) -> list[str]:
    return [mark.symbol.strip("ˈˌ") for mark in utterance.marks if mark.kind is MarkKind.PHONEME]


def word_offsets(utterance: Utterance) -> list[int]:
    return [mark.offset for mark in utterance.marks if mark.kind is MarkKind.WORD]


@pytest.mark.parametrize("voice", SENTENCES)
def test_marks_ascend_and_end_with_the_sound(voice: str) -> None:
    utterance = speak(SENTENCES[voice], voice)
    times = [mark.sample for mark in utterance.marks]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= len(utterance.pcm)
    assert utterance.marks[0].kind is MarkKind.WORD
    assert len(utterance.pcm) > espeak.RATE


def test_words_are_found_by_code_points() -> None:
    assert {0, 4, 6, 8} <= set(word_offsets(speak("Да, 😀 é мир", "zle/ru")))
    assert word_offsets(speak("one two", "gmw/en-US")) == [0, 4]


def test_symbols_of_eight_bytes_are_read_whole_and_no_further() -> None:
    assert "ɔːɹ" in symbols(speak("for four doors", "gmw/en-US"))
    marks = speak("for four doors", "gmw/en-US").marks
    assert any(len(mark.symbol.encode()) == 8 for mark in marks)


def test_markup_and_control_characters_have_no_meaning() -> None:
    plain = symbols(speak("one   two", "gmw/en-US"))
    assert symbols(speak("one \x01 two", "gmw/en-US")) == plain
    assert symbols(speak("one \ud800\ue000two", "gmw/en-US")) == plain
    assert len(symbols(speak('one <break time="9s"/> two', "gmw/en-US"))) > len(plain)


def test_a_nul_character_does_not_end_the_text() -> None:
    assert word_offsets(speak("one\0two", "gmw/en-US")) == [0, 4]


def test_manner_changes_pace_and_level() -> None:
    text, voice = SENTENCES["gmw/en-US"], "gmw/en-US"
    slow, quiet = speak(text, voice, Manner(rate=100)), speak(text, voice, Manner(volume=20))
    usual = speak(text, voice)
    assert len(slow.pcm) > 1.4 * len(usual.pcm)
    assert np.abs(quiet.pcm.astype(int)).max() < 0.5 * np.abs(usual.pcm.astype(int)).max()


def test_a_call_that_is_cancelled_stops_soon_and_the_next_one_speaks() -> None:
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked == 3

    with pytest.raises(Cancelled):
        speak("A very long sentence. " * 50, "gmw/en-US", cancelled=cancelled)
    assert asked == 3
    assert symbols(speak("Go.", "gmw/en-US"))[:2] == ["ɡ", "oʊ"]


def test_an_unknown_voice_is_an_error() -> None:
    with pytest.raises(MouthpieceError):
        speak("a", "gmw/nowhere")


def test_many_threads_speak_at_once_and_none_hears_another() -> None:
    expected = {voice: symbols(speak(text, voice)) for voice, text in SENTENCES.items()}
    start = threading.Barrier(8)

    def hammer(number: int) -> bool:
        voice = list(SENTENCES)[number % len(SENTENCES)]
        start.wait(30)
        return all(symbols(speak(SENTENCES[voice], voice)) == expected[voice] for _ in range(12))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(hammer, range(8)))
