"""Who speaks, and who goes on when that one fails."""

from __future__ import annotations

import numpy as np
import pytest

from mouthpiece.core.speech import Sentence
from mouthpiece.errors import BadInput, Reason, Unmet
from services.tts.casting import Cast, Wish, cast
from services.tts.engine import REFERENCE_RATE, Reference, SpeechEngine
from services.tts.engines.embedded import EspeakEngine
from services.tts.espeak import speak
from services.tts.health import FIRST_REST, LONGEST_REST, Health
from services.tts.performance import Fallback, Notice, Studio
from services.tts.references import FIELD
from tests.support.tts_engines import FakeEngine

TEXT = "Bob Palmer bought a map. Maybe people prefer paper. Nobody moved."
ALL = slice(None)


def reference() -> Reference:
    pcm = speak("The old harbour was quiet in the morning, and nobody had seen her.", "gmw/en-US+f3").pcm
    at = np.arange(len(pcm) * 24_000 // 22_050) * 22_050 / 24_000
    return Reference("her", (np.interp(at, np.arange(len(pcm)), pcm) / 32768).astype(np.float32))


def perform(
    studio: Studio, chosen: Cast, fallback: Fallback = Fallback.NEXT_ENGINE
) -> tuple[list[str], list[Sentence]]:
    """The warnings, and the sentences."""
    parts = list(studio.perform(chosen, fallback, ALL, lambda: False))
    notices = [part.warning for part in parts if isinstance(part, Notice)]
    return notices, [part for part in parts if isinstance(part, Sentence)]


def roles(wish: Wish, *engines: SpeechEngine) -> list[str]:
    return [f"{role.engine.name}:{role.voice}" for role in cast(TEXT, wish, (*engines, EspeakEngine())).roles]


# Who speaks ------------------------------------------------------------------------------------------------


def test_the_first_engine_that_speaks_the_language_is_chosen_and_the_others_may_stand_in() -> None:
    german, english = FakeEngine("a", language="de"), FakeEngine("b", language="en-GB")
    assert roles(Wish(), german, english) == ["b:b-voice", "espeak:en-us"]
    assert roles(Wish(language="de"), german, english) == ["a:a-voice", "espeak:de"]


def test_a_reference_is_for_those_who_clone_and_then_for_the_others() -> None:
    plain, cloning = FakeEngine("plain", language="en"), FakeEngine("cloning", clones=True)
    assert roles(Wish(), plain, cloning) == ["plain:plain-voice", "espeak:en-us"]
    assert roles(Wish(reference=reference()), plain, cloning) == [
        "cloning:cloning-voice",
        "plain:plain-voice",
        "espeak:en-us",
    ]


def test_a_named_voice_speaks() -> None:
    one, other = FakeEngine("a", language="en"), FakeEngine("b", language="en")
    assert roles(Wish(voice="b-voice"), one, other) == ["b:b-voice", "a:a-voice", "espeak:en-us"]
    assert roles(Wish(voice="en-gb+f2"), one, other) == ["espeak:en-gb+f2"]


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        (Wish(rate=3), "speaking_rate"),
        (Wish(rate=0.1), "speaking_rate"),
        (Wish(voice="c-voice"), "voice"),
        (Wish(voice="d-voice", language="ru"), "voice"),
        (Wish(voice="nobody"), "voice"),
    ],
)
def test_wishes_that_nobody_can_fulfil_are_refused(wish: Wish, field: str) -> None:
    engines = (FakeEngine("c", clones=True), FakeEngine("d", language="en"), EspeakEngine())
    with pytest.raises(BadInput) as caught:
        cast("Привет." if wish.language == "ru" else TEXT, wish, engines)
    assert caught.value.violations[0].field == field


# Who goes on -----------------------------------------------------------------------------------------------


def test_an_engine_without_times_gets_them_from_its_text() -> None:
    """The fake engine speaks with a voice whose times are known, and does not tell them."""
    fake = FakeEngine("fake", language="en")
    text = "Bob Palmer bought a blue map of the Mississippi, maybe from a simple paper plan. Nobody moved."
    _, found = perform(Studio(), cast(text, Wish(), (fake, EspeakEngine())))
    _, truth = perform(Studio(), cast(text, Wish(voice="en-us+f3"), (EspeakEngine(),)))
    pairs = [
        pair
        for mine, other in zip(found, truth, strict=True)
        for pair in zip(mine.words, other.words, strict=True)
    ]
    assert [mine.text for mine, _ in pairs] == text.replace(".", "").replace(",", "").split()
    assert [mine.source for mine, _ in pairs] == [other.source for _, other in pairs]
    away = [abs(mine.samples.first - other.samples.first) / 48 for mine, other in pairs]
    assert float(np.median(away)) < 25
    assert max(away) < 150
    assert all(sentence.phonemes for sentence in found)


def test_the_next_engine_goes_on_and_says_so() -> None:
    fake = FakeEngine("fake", language="en", fails_from=2)  # the first call makes it ready
    notices, speech = perform(Studio(), cast(TEXT, Wish(), (fake, EspeakEngine())))
    assert [sentence.index for sentence in speech] == [0, 1, 2]
    assert notices == ["fake: out of memory; espeak speaks from here on (en-us)"]
    assert fake.said[1:] == ["Bob Palmer bought a map."]


def test_an_engine_that_failed_is_left_alone_for_a_while_and_then_asked_again() -> None:
    now = [0.0]
    studio = Studio(lambda: now[0])
    fake = FakeEngine("fake", language="en", fails_from=0, fail_times=1)
    chosen = cast(TEXT, Wish(), (fake, EspeakEngine()))
    assert perform(studio, chosen)[0] == ["fake: out of memory; espeak speaks instead (en-us)"]
    notices, _ = perform(studio, chosen)
    assert notices == ["fake: failed a moment ago: out of memory; espeak speaks instead (en-us)"]
    assert fake.asked == 1
    now[0] += FIRST_REST
    assert perform(studio, chosen)[0] == []
    assert len(fake.said) == 4


def test_without_leave_to_fall_back_the_speech_fails_with_the_reason() -> None:
    fake = FakeEngine("fake", language="en", fails_from=2)
    spoken = Studio().perform(cast(TEXT, Wish(), (fake, EspeakEngine())), Fallback.NONE, ALL, lambda: False)
    assert isinstance(next(spoken), Sentence)
    with pytest.raises(Unmet, match="fake failed: out of memory") as caught:
        next(spoken)
    assert caught.value.reason is Reason.VOICE_FAILED


def test_the_reference_itself_may_be_the_speech_as_long_as_nothing_was_said() -> None:
    broken = FakeEngine("fake", clones=True, fails_from=0)
    chosen = cast(TEXT, Wish(reference=reference()), (broken, EspeakEngine()))
    parts = list(Studio().perform(chosen, Fallback.REFERENCE, ALL, lambda: False))
    assert parts == [Notice("fake: out of memory; the voice reference itself is the speech", None)]
    late = FakeEngine("fake", clones=True, fails_from=2)
    chosen = cast(TEXT, Wish(reference=reference()), (late, EspeakEngine()))
    spoken = Studio().perform(chosen, Fallback.REFERENCE, ALL, lambda: False)
    next(spoken)
    with pytest.raises(Unmet):
        next(spoken)


def test_a_reference_without_a_voice_is_refused() -> None:
    rng = np.random.default_rng(1)
    noise = Reference("noise", rng.normal(0, 0.01, 3 * REFERENCE_RATE).astype(np.float32))
    with pytest.raises(BadInput) as caught:
        perform(Studio(), cast(TEXT, Wish(reference=noise), (EspeakEngine(),)))
    assert caught.value.violations[0].field == FIELD


def test_a_rest_doubles_with_each_failure_up_to_ten_minutes() -> None:
    health = Health()
    rests: list[float] = []
    for _ in range(8):
        health.failed("a", "broken", 100)
        rests.append(health.resting["a"].until - 100)
    assert rests[:3] == [FIRST_REST, 2 * FIRST_REST, 4 * FIRST_REST]
    assert rests[-1] == LONGEST_REST
    assert health.why_not("a", 100 + LONGEST_REST - 1)
    assert not health.why_not("a", 100 + LONGEST_REST)
    health.worked("a")
    assert not health.why_not("a", 100)


def test_speaking_faster_takes_less_time() -> None:
    lengths = [
        perform(Studio(), cast(TEXT, Wish(rate=rate), (EspeakEngine(),)))[1][-1].samples.end
        for rate in (0.7, 1, 1.6)
    ]
    assert lengths[0] > 1.2 * lengths[1] > 1.44 * lengths[2]
