"""Cloned voices of a speech container, on its good days and its bad ones."""

from __future__ import annotations

import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.errors import Unmet
from services.tts.engine import REFERENCE_RATE, EngineFailed, Reference, Rendition, Speaker
from services.tts.engines.heygem import HeyGemEngine
from services.tts.espeak import Cancelled
from tests.support.tts_audio import tone
from tests.support.tts_heygem import FakeHeyGem, serving_heygem

TEXT = "Bob Palmer bought a blue map of the Mississippi."


@pytest.fixture
def fake(tmp_path: Path) -> Generator[FakeHeyGem]:
    with serving_heygem(FakeHeyGem(tmp_path)) as running:
        yield running


class Clock:
    """Time passes when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def reference(seconds: float = 8.0) -> Reference:
    sound = tone(seconds, REFERENCE_RATE)
    return Reference("a" * 64, sound)


def speak(
    fake: FakeHeyGem, clock: Clock | None = None, *, seconds: float = 8.0, rate: float = 1.0, urls: str = ""
) -> Rendition:
    clock = clock or Clock()
    engine = HeyGemEngine(urls or fake.url, fake.data, 20, clock, clock.wait)
    engine.load()
    return engine.speak(TEXT, Speaker("heygem", rate, reference(seconds)), lambda: False)


def test_a_sentence_is_spoken_like_the_reference(fake: FakeHeyGem) -> None:
    said = speak(fake)
    assert said.rate == SPEECH_RATE
    assert 2 < len(said.sound) / said.rate < 5
    assert said.times is None
    (_, shown), (_, asked) = fake.calls
    assert shown["reference_audio"] == f"mouthpiece/{'a' * 64}.wav"
    assert (asked["text"], asked["reference_text"]) == (TEXT, "what is said in part 0")


def test_a_reference_is_shown_once(fake: FakeHeyGem) -> None:
    engine = HeyGemEngine(fake.url, fake.data, 20)
    for _ in range(3):
        engine.speak(TEXT, Speaker("heygem", 1, reference()), lambda: False)
    assert (fake.count("/v1/preprocess_and_tran"), fake.count("/v1/invoke")) == (1, 3)


def test_a_long_reference_is_handed_on_as_lists(fake: FakeHeyGem) -> None:
    assert len(speak(fake, seconds=45).sound)
    asked = fake.calls[-1][1]
    assert asked["reference_audio"].count("|||") == asked["reference_text"].count("|||") == 2


def test_speech_gets_faster_at_the_same_pitch(fake: FakeHeyGem) -> None:
    usual, fast = speak(fake).sound, speak(fake, rate=1.5).sound
    assert len(fast) == pytest.approx(len(usual) / 1.5, rel=0.05)


@pytest.mark.parametrize("status", [503, 429, 200])
def test_a_busy_container_is_asked_again(fake: FakeHeyGem, status: int) -> None:
    fake.busy_times, fake.busy_status = 3, status
    clock = Clock()
    assert len(speak(fake, clock).sound)
    assert clock.waits == [1, 1, 1]


def test_a_container_that_stays_busy_fails_when_time_is_up(fake: FakeHeyGem) -> None:
    fake.busy_times = 1000
    clock = Clock()
    with pytest.raises(EngineFailed, match="busy"):
        speak(fake, clock)
    assert clock.now <= 20


def test_a_refused_reference_is_a_failure_with_its_reason(fake: FakeHeyGem) -> None:
    fake.preprocess_code = -1
    with pytest.raises(EngineFailed, match="code -1: no such file"):
        speak(fake)
    assert fake.count("/v1/invoke") == 0


def test_a_code_where_sound_belongs_is_a_failure(fake: FakeHeyGem) -> None:
    fake.invoke_code = -1
    with pytest.raises(EngineFailed, match="code -1: out of memory"):
        speak(fake)


def test_a_few_bytes_are_a_failure(fake: FakeHeyGem) -> None:
    fake.tiny = True
    with pytest.raises(EngineFailed, match="only 4004 bytes"):
        speak(fake)


def test_a_container_that_dies_on_the_way_is_asked_again(fake: FakeHeyGem) -> None:
    fake.die_after, fake.die_times = 20_000, 1
    assert len(speak(fake).sound)
    assert fake.count("/v1/preprocess_and_tran") == 2  # what it knew may be lost


def test_a_container_that_keeps_dying_fails(fake: FakeHeyGem) -> None:
    fake.die_after = 20_000
    with pytest.raises(EngineFailed, match="broke"):
        speak(fake)


def test_a_slow_container_is_not_waited_for_longer_than_said(fake: FakeHeyGem) -> None:
    fake.hold = threading.Event()
    engine = HeyGemEngine(fake.url, fake.data, 0.3)
    with pytest.raises(EngineFailed, match="in time"):
        engine.speak(TEXT, Speaker("heygem", 1, reference()), lambda: False)


def test_the_next_container_takes_over_from_one_that_is_gone(fake: FakeHeyGem) -> None:
    assert len(speak(fake, urls=f"http://127.0.0.1:9,{fake.url}").sound)


def test_a_caller_who_goes_away_is_not_served(fake: FakeHeyGem) -> None:
    engine = HeyGemEngine(fake.url, fake.data, 20)
    with pytest.raises(Cancelled):
        engine.speak(TEXT, Speaker("heygem", 1, reference()), lambda: True)


def test_without_containers_the_engine_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unmet, match="MOUTHPIECE_TTS_HEYGEM"):
        HeyGemEngine("", tmp_path, 20).load()
