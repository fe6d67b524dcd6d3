"""A long text is read as it is spoken: a stretch at a time, and yet as if it were read at once."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.text import passages
from mouthpiece.text.passages import Passage, Passages
from mouthpiece.text.script import Script
from services.tts.casting import Wish, cast
from services.tts.engines.embedded import EspeakEngine
from services.tts.performance import Fallback, Studio
from services.tts.synthesis import plan_speech

PARTS = [
    "It cost $5.50 on 2024-05-01.",
    "Dr. Smith came at 5 p.m.",
    "Really?",
    "A line that is long enough to have been broken by hand, i.e.",
    "Then $x^2 = 4. 5$ came",
    "See example.com.",
    "$$a = 1.\n\nb = 2.$$",
    "J. R. Hartley wrote e.g. on pp. 10-15.",
    "und so weiter",
    "***",
    "«No», he said.",
    "Then",
]
DENSE = "It cost $5.50 on 2024-05-01, i.e. 10-15% more, and 1,234,567 people saw H2O at 10:30. "


def described(found: list[Passage]) -> list[tuple[object, ...]]:
    return [
        (passage.text, passage.written, passage.source, passage.ending, passage.pause_ms) for passage in found
    ]


def read(script: Script, stretch: int) -> list[Passage]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passages, "_STRETCH", stretch)
        return list(Passages(script, script.document(), "en"))


@given(
    st.lists(st.tuples(st.sampled_from(PARTS), st.sampled_from([" ", "\n", "\n\n", "  \n"])), max_size=25),
    st.integers(1, 200),
)
def test_a_text_in_stretches_is_that_text_as_a_whole(parts: list[tuple[str, str]], stretch: int) -> None:
    script = Script("".join(part + gap for part, gap in parts))
    in_stretches, at_once = (described(read(script, size)) for size in (stretch, 1_000_000))
    assert in_stretches == at_once


@given(st.text(alphabet="aB5$. \n!?…", max_size=120), st.integers(1, 30))
def test_noise_in_stretches_is_the_same_noise(noise: str, stretch: int) -> None:
    script = Script(noise)
    assert described(read(script, stretch)) == described(read(script, 1_000_000))


def test_breaks_are_found_in_every_stretch() -> None:
    inside = "One two <break time='700ms'/> three. Four five. <break time='900ms'/>" * 20
    script = Script(f"<speak>{inside}</speak>", is_ssml=True)
    found = read(script, 10)
    assert described(found) == described(read(script, 1_000_000))
    assert [passage.pause_ms for passage in found] == [700, None, 900] * 20


def test_the_first_sentence_of_twenty_minutes_waits_for_no_other() -> None:
    studio, engines = Studio(), (EspeakEngine(),)

    def seconds_to_the_first_sound(text: str) -> float:
        start = time.process_time()
        chosen = cast(text, Wish("en"), engines)
        assert chosen.roughly_expected_samples > 0
        next(studio.perform(chosen, Fallback.NONE, slice(None), lambda: False))
        return time.process_time() - start

    twenty_minutes = DENSE * (20_000 // len(DENSE))
    seconds_to_the_first_sound(DENSE)
    alone = min(seconds_to_the_first_sound(DENSE) for _ in range(3))
    in_front = min(seconds_to_the_first_sound(twenty_minutes) for _ in range(3))
    assert in_front < alone + 0.1


def test_the_guess_of_the_length_is_near() -> None:
    plan = plan_speech((DENSE + "And then nothing of the kind was seen for a while. ") * 100, "en")
    assert plan.roughly_expected_samples == pytest.approx(plan.expected_samples, rel=0.1)
