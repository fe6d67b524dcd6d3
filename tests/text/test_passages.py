"""A long text is read as it is spoken: a stretch at a time, and yet as if it were read at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.text import passages
from mouthpiece.text.normalize import Token, tokens_of
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


def texts(text: str) -> list[str]:
    return [passage.text for passage in read(Script(text), 600)]


def test_a_speech_opens_with_its_first_clause() -> None:
    clauses = "The harbour wakes before the sun is up over the water", "and small boats leave in the dark;"
    opening, *rest = texts(f"{clauses[0]}, {clauses[1]} nobody is there to see them go. {clauses[0]}.")
    assert opening == f"{clauses[0]},"
    assert rest == [f"{clauses[1]} nobody is there to see them go.", f"{clauses[0]}."]


@pytest.mark.parametrize(
    "text",
    [
        "Yes, of course, she said, and went.",
        "Good morning, everybody, and welcome to the news of today.",
        "Nobody had ever seen the old lighthouse keeper smile before the storm took his only boat away.",
    ],
)
def test_an_ordinary_first_sentence_stays_whole(text: str) -> None:
    assert texts(text) == [text]


def test_a_speech_without_any_clause_opens_between_words() -> None:
    opening, *_ = texts("word " * 300)
    assert set(opening.split()) == {"word"}
    assert 70 < len(opening) <= 150


def test_the_words_of_one_token_stay_together() -> None:
    dates = "We met on May 5, 2024 and May 6, 2024 and May 7, 2024 and May 8, 2024 and May 9, 2024 again " * 4
    found = read(Script(dates), 600)
    assert len(found) >= 4
    assert all(one.source.end <= other.source.first for one, other in pairwise(found))


def test_a_text_that_never_ends_is_read_a_minute_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    def counted(*arguments: Any) -> Iterator[Token]:
        nonlocal asked
        for token in tokens_of(*arguments):
            asked += 1
            yield token

    monkeypatch.setattr(passages, "tokens_of", counted)
    script = Script("it cost $5 and " * 2_000)
    found = iter(Passages(script, script.document(), "en"))
    next(found)
    assert 0 < asked < 400
    assert sum(passage.text.count("five dollars") for passage in found) > 1_980
    assert asked == 2_000


def test_the_guess_of_the_length_is_near() -> None:
    plan = plan_speech((DENSE + "And then nothing of the kind was seen for a while. ") * 100, "en")
    assert plan.roughly_expected_samples == pytest.approx(plan.expected_samples, rel=0.1)
