"""Markup changes how words are said, from word to word; who cannot follow says so."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
import pyworld
from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.core.speech import HIDDEN, Sentence
from mouthpiece.core.timeline import SPEECH_RATE, Span
from mouthpiece.media.captions import cues
from mouthpiece.text.delivery import (
    FASTEST,
    HIGHEST,
    LOUDEST,
    LOWEST,
    MARK_LENGTH,
    SLOWEST,
    SOFTEST,
    Delivery,
    Emphasis,
    changes_in,
    place_in_text,
    with_delivery,
    without_delivery,
)
from mouthpiece.text.script import Script
from mouthpiece.text.shown import as_shown
from services.tts.casting import Wish, cast
from services.tts.engines.embedded import EspeakEngine
from services.tts.performance import Fallback, Notice, Studio
from tests.support.tts_audio import samples_of
from tests.support.tts_engines import FakeEngine

Sound = npt.NDArray[np.float64]

STUDIO = Studio()


def perform(inside: str, language: str = "en", *engines: FakeEngine) -> list[Sentence | Notice]:
    script = Script(f"<speak>{inside}</speak>", is_ssml=True)
    chosen = cast(script, Wish(language), (*engines, EspeakEngine()))
    return list(STUDIO.perform(chosen, Fallback.NEXT_ENGINE, slice(None), lambda: False))


def sounds(inside: str) -> dict[str, Sound]:
    """The sound of each word of one sentence."""
    (sentence,) = perform(inside)
    assert isinstance(sentence, Sentence)
    sound = samples_of(sentence).astype(float)
    spans = {word.text: word.samples.shift(-sentence.samples.first) for word in sentence.words}
    return {text: sound[span.first : span.end] for text, span in spans.items()}


PLAIN = "The red house stood alone"


@pytest.fixture(scope="module")
def plain() -> dict[str, Sound]:
    return sounds(PLAIN)


def marked(element: str) -> dict[str, Sound]:
    return sounds(PLAIN.replace("red", f"<{element}>red</{element.split()[0]}>"))


def decibels(sound: Sound) -> float:
    return float(10 * np.log10(np.mean(sound**2) + 1e-9))


def pitch_of(sound: Sound) -> float:
    """Median pitch in hertz."""
    pitch, _ = pyworld.dio(sound / 32768, SPEECH_RATE)
    return float(np.median(pitch[pitch > 0]))


def test_a_slower_word_lasts_longer_and_the_others_do_not(plain: dict[str, Sound]) -> None:
    slow = marked("prosody rate='50%'")
    assert len(slow["red"]) > 1.6 * len(plain["red"])
    for word in ("The", "stood", "alone"):
        assert len(slow[word]) == pytest.approx(len(plain[word]), rel=0.15)


def test_a_higher_word_is_higher_and_the_others_are_not(plain: dict[str, Sound]) -> None:
    high = marked("prosody pitch='+5st'")
    assert 12 * np.log2(pitch_of(high["red"]) / pitch_of(plain["red"])) == pytest.approx(5, abs=1.2)
    assert 12 * np.log2(pitch_of(high["alone"]) / pitch_of(plain["alone"])) == pytest.approx(0, abs=1)


def test_a_softer_word_is_softer_and_a_silent_one_takes_its_time(plain: dict[str, Sound]) -> None:
    soft, silent = marked("prosody volume='-10dB'"), marked("prosody volume='silent'")
    assert decibels(soft["red"]) - decibels(plain["red"]) == pytest.approx(-10, abs=2)
    assert decibels(soft["stood"]) == pytest.approx(decibels(plain["stood"]), abs=1)
    assert decibels(silent["red"]) < decibels(plain["red"]) - 30
    assert len(silent["red"]) == pytest.approx(len(plain["red"]), rel=0.15)


def test_weight_of_words(plain: dict[str, Sound]) -> None:
    strong, reduced = marked("emphasis level='strong'"), marked("emphasis level='reduced'")
    assert len(strong["red"]) > 1.15 * len(plain["red"])
    assert decibels(reduced["red"]) < decibels(plain["red"]) - 2


def test_every_word_is_found_whatever_is_done_to_it() -> None:
    inside = (
        "The <prosody rate='fast' volume='soft'>red <emphasis>house</emphasis></prosody> stood. "
        "It cost <emphasis level='strong'>$5</emphasis>, <prosody pitch='low'>so un<emphasis>b</emphasis>"
        "elievable. Did he go?</prosody> End."
    )
    text = f"<speak>{inside}</speak>"
    speech = [part for part in perform(inside) if isinstance(part, Sentence)]
    words = [word for sentence in speech for word in sentence.words]
    assert [word.text for word in words][:8] == ["The", "red", "house", "stood", "It", "cost", "$5", "so"]
    assert all(text[word.source.first : word.source.end] == word.text for word in words)
    assert all(word.samples for word in words)
    assert all(one.samples.end <= other.samples.first for one, other in pairwise(words))


def test_what_begins_within_a_number_holds_for_all_of_it() -> None:
    (sentence,) = perform("It is <prosody rate='50%'>5</prosody> km long")
    (usual,) = perform("It is 5 km long")
    assert isinstance(sentence, Sentence)
    assert isinstance(usual, Sentence)
    assert len(sentence.words[2].samples) > 1.6 * len(usual.words[2].samples)


def test_captions_show_the_words_and_no_markup() -> None:
    inside = (
        "Cats &amp; <emphasis level='strong'>big dogs</emphasis><!-- a note --> cost "
        "<sub alias='five > four'>5</sub> <break time='100ms'/> here"
    )
    speech = [part for part in perform(inside) if isinstance(part, Sentence)]
    shown = [
        Sentence(
            part.index,
            as_shown(part.text),
            part.source,
            part.samples,
            part.pcm,
            part.words,
            part.phonemes,
            part.pauses,
        )
        for part in speech
    ]
    assert all(len(one.text) == len(other.text) for one, other in zip(shown, speech, strict=True))
    assert " ".join(cue.text.replace("\n", " ") for cue in cues(shown)) == "Cats & big dogs cost 5 here"
    assert HIDDEN in shown[0].text


def test_who_cannot_inflect_is_not_asked_to_and_that_is_told() -> None:
    flat = FakeEngine("flat", language="en", fails_from=2)
    script = Script("<speak>One <emphasis>two</emphasis>. Three.</speak>", is_ssml=True)
    chosen = cast(script, Wish("en"), (flat, EspeakEngine()))
    assert chosen.warnings == ("flat leaves out rate, pitch and emphasis of the markup",)
    assert cast(script, Wish("en"), (EspeakEngine(),)).warnings == ()
    (sentence,) = STUDIO.perform(chosen, Fallback.NONE, slice(1), lambda: False)
    assert [" ".join(said.split()) for said in flat.said[1:]] == ["One two."]
    assert isinstance(sentence, Sentence)
    assert [word.text for word in sentence.words] == ["One", "two"]


def test_who_cannot_inflect_can_be_softer() -> None:
    flat = FakeEngine("soft", language="en")
    (sentence,) = perform("One two <prosody volume='silent'>three</prosody>", "en", flat)
    assert isinstance(sentence, Sentence)
    last = sentence.words[-1].samples.shift(-sentence.samples.first)
    assert np.abs(samples_of(sentence)[last.first + SPEECH_RATE // 50 : last.end]).max() == 0


deliveries = st.builds(
    Delivery,
    st.floats(SLOWEST, FASTEST).map(lambda rate: round(rate, 2)),
    st.floats(LOWEST, HIGHEST).map(lambda pitch: round(pitch, 1)),
    st.floats(SOFTEST, LOUDEST).map(lambda volume: round(volume, 1)),
    st.sampled_from(Emphasis),
)


@given(st.text("ab ", max_size=20), st.lists(st.tuples(st.integers(0, 20), deliveries), max_size=4))
def test_marks_carry_what_they_say_and_places_survive(text: str, changes: list[tuple[int, Delivery]]) -> None:
    ordered = sorted({min(place, len(text)): delivery for place, delivery in changes}.items())
    said = with_delivery(text, ordered)
    found = [delivery for _, delivery in changes_in(said)]
    for one, (_, other) in zip(found, ordered, strict=True):
        assert one.emphasis is other.emphasis
        assert (one.rate, one.pitch, one.volume) == pytest.approx((other.rate, other.pitch, other.volume))
    blank = without_delivery(said)
    assert len(blank) == len(said) == len(text) + MARK_LENGTH * len(ordered)
    plain = [at for at in Span(0, len(said)) if said[at] in "ab "]
    assert [place_in_text(at, ordered) for at in plain] == list(range(len(text)))
