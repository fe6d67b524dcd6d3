"""Texts become contiguous sentences with exact times, silence at their ends and nothing clipped."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from mouthpiece.core.speech import Sentence
from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.errors import BadInput
from services.tts.articulation import MIN_PAUSE
from services.tts.espeak import Cancelled
from services.tts.synthesis import LEAD_IN, LEAD_OUT, MAX_TEXT, plan_speech, sentences
from tests.support.tts_audio import samples_of

TEXTS = {
    "en": "Bob Palmer bought a map. Really? Yes: it cost $3.50, didn't it!\n\nA new paragraph, at last.",
    "ru": "Папа попал в банк. Опять! Мама мыла раму, а он спал.\n\nНовый абзац.",
    "de": "Die Äpfel sind vom Bodensee. Schön! Zwölf Boxkämpfer jagen Viktor.\n\nEin neuer Absatz.",
    "zh": "你好，世界。今天天气很好！我们去公园散步，好吗？\n\n新的一段。",
}


@pytest.fixture(scope="module", params=TEXTS)
def spoken(request: pytest.FixtureRequest) -> tuple[str, list[Sentence]]:
    text = TEXTS[request.param]
    return text, list(sentences(plan_speech(text, request.param)))


def test_sentences_follow_each_other_without_gap_or_overlap(spoken: tuple[str, list[Sentence]]) -> None:
    _, speech = spoken
    assert [sentence.index for sentence in speech] == list(range(len(speech)))
    assert speech[0].samples.first == 0
    assert all(one.samples.end == other.samples.first for one, other in pairwise(speech))
    assert len(speech) >= 4


def test_phonemes_fill_each_sentence(spoken: tuple[str, list[Sentence]]) -> None:
    for sentence in spoken[1]:
        assert sentence.phonemes is not None
        assert sentence.phonemes[0].samples.first == sentence.samples.first
        assert sentence.phonemes[-1].samples.end == sentence.samples.end
        assert all(one.samples.end == other.samples.first for one, other in pairwise(sentence.phonemes))
        assert sum(bool(part.ipa) for part in sentence.phonemes) >= 3


def test_words_lie_within_their_sentence_and_cover_its_text(spoken: tuple[str, list[Sentence]]) -> None:
    text, speech = spoken
    covered: set[int] = set()
    for sentence in speech:
        assert text[sentence.source.first : sentence.source.end] == sentence.text
        for word in sentence.words:
            assert sentence.samples.contains(word.samples)
            assert text[word.source.first : word.source.end] == word.text
            covered |= set(word.source)
        assert all(one.samples.end <= other.samples.first for one, other in pairwise(sentence.words))
    assert covered >= {at for at, char in enumerate(text) if char.isalnum()}


def test_pauses_are_silent_and_every_sentence_ends_in_one(spoken: tuple[str, list[Sentence]]) -> None:
    for sentence in spoken[1]:
        sound = samples_of(sentence)
        for pause in sentence.pauses:
            assert len(pause) >= MIN_PAUSE
            inside = pause.shift(-sentence.samples.first)
            assert np.abs(sound[inside.first + 480 : inside.end - 480]).max(initial=0) <= 40
        assert sentence.pauses[-1].end == sentence.samples.end


def test_joins_are_silent(spoken: tuple[str, list[Sentence]]) -> None:
    for sentence in spoken[1]:
        sound = samples_of(sentence)
        assert sound[0] == 0
        assert np.abs(np.diff(sound[:48])).max() < 500
        assert not sound[-1000:].any()


def test_nothing_is_clipped_and_the_level_is_that_of_speech(spoken: tuple[str, list[Sentence]]) -> None:
    sound = np.concatenate([samples_of(sentence) for sentence in spoken[1]])
    assert 8_000 < np.abs(sound).max() < 32_000
    assert 1_000 < np.sqrt(np.mean(sound**2)) < 6_000
    assert abs(sound.mean()) < 30


def test_speech_begins_and_ends_at_rest(spoken: tuple[str, list[Sentence]]) -> None:
    _, speech = spoken
    assert speech[0].pauses[0].first == 0
    assert len(speech[0].pauses[0]) >= LEAD_IN
    assert len(speech[-1].pauses[-1]) >= LEAD_OUT


def test_a_paragraph_rests_longer_than_a_sentence(spoken: tuple[str, list[Sentence]]) -> None:
    rests = [len(sentence.pauses[-1]) for sentence in spoken[1]]
    assert rests[-2] > 1.4 * rests[0]


def test_the_estimate_is_near_what_it_takes(spoken: tuple[str, list[Sentence]]) -> None:
    text, speech = spoken
    assert plan_speech(text).expected_samples == pytest.approx(speech[-1].samples.end, rel=0.35)


def test_tones_shape_the_melody_of_chinese() -> None:
    high, falling = (pitch_of(next(sentences(plan_speech(char, "zh")))) for char in "妈骂")
    assert abs(high[-1] / high[0] - 1) < 0.12
    assert falling[-1] / falling[0] < 0.95


def pitch_of(sentence: Sentence) -> list[float]:
    """Pitch in hertz over the vowel of a single syllable, from autocorrelation."""
    vowel = next(part for part in sentence.phonemes or () if part.ipa.strip("ˈˌ") == "ɑ")
    at = vowel.samples.shift(-sentence.samples.first)
    sound = samples_of(sentence)[at.first : at.end].astype(float)
    pitches: list[float] = []
    for first in range(0, len(sound) - 2400, 480):
        window = sound[first : first + 2400]
        match = np.correlate(window, window, "full")[2399:]
        period = 160 + int(np.argmax(match[160:800]))
        pitches.append(SPEECH_RATE / period)
    return pitches


def test_synthesis_may_begin_at_any_sentence() -> None:
    plan = plan_speech(TEXTS["en"])
    late = list(sentences(plan, slice(2, None)))
    assert [sentence.index for sentence in late] == [2, 3]
    assert late[0].samples.first == 0
    assert late[1].samples.first == late[0].samples.end
    assert list(sentences(plan, slice(99, None))) == []


def test_sentences_are_made_one_by_one() -> None:
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return False

    plan = plan_speech("A sentence of the usual length is spoken here. " * 500)
    speech = sentences(plan, cancelled=cancelled)
    assert asked == 0
    next(speech)
    assert 0 < asked < 60
    speech.close()


def test_synthesis_stops_when_it_is_cancelled() -> None:
    with pytest.raises(Cancelled):
        list(sentences(plan_speech(TEXTS["en"]), cancelled=lambda: True))


@pytest.mark.parametrize("name", ["en-us+whisper", "en-us+klatt4", "en-gb+f2", "ru+f3", "cmn+m7"])
def test_variants_are_not_clipped_either(name: str) -> None:
    language = {"e": "en", "r": "ru", "c": "zh"}[name[0]]
    speech = list(sentences(plan_speech(TEXTS[language], "", name)))
    assert all(np.abs(samples_of(sentence)).max() < 32_000 for sentence in speech)


@pytest.mark.parametrize(
    ("text", "field"),
    [("", "text"), (" \n\t", "text"), ("... !?", "text"), ("😀", "text"), ("a" * (MAX_TEXT + 1), "text")],
)
def test_what_cannot_be_spoken_is_refused(text: str, field: str) -> None:
    with pytest.raises(BadInput) as caught:
        plan_speech(text)
    assert caught.value.violations[0].field == field


def test_the_longest_text_is_planned() -> None:
    plan = plan_speech("Hello there. " * (MAX_TEXT // 13))
    assert len(list(plan.pieces)) == MAX_TEXT // 13


def test_emoji_within_a_text_are_spoken() -> None:
    speech = list(sentences(plan_speech("Good 😀. 😀")))
    assert [sentence.text for sentence in speech] == ["Good 😀.", "😀"]
    assert all(len(sentence.phonemes or ()) > 4 for sentence in speech)
