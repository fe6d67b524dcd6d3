"""Captions of three minutes that the real speech service spoke."""

from __future__ import annotations

import asyncio
import io
from itertools import pairwise

import pytest
import webvtt

from mouthpiece.core.speech import Sentence
from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.media.captions import LINE_COLUMNS, SHORTEST, Cue, cues, to_vtt, width
from mouthpiece.rpc.channel import dial
from mouthpiece.rpc.server import serving
from mouthpiece.rpc.speech_codec import sentence_from_proto
from mouthpiece.settings import CommonSettings, TtsSettings
from mouthpiece.v1 import tts_pb2 as pb
from mouthpiece.v1.tts_pb2_grpc import SpeechServiceStub
from services.tts.__main__ import program
from services.tts.synthesis import plan_speech, sentences

FRAME = 1 / 25
STORY = (
    "The harbour wakes before the sun is up over the water, and small boats leave in the dark. "
    "On the quay a woman sells coffee and warm bread; she has stood there for almost thirty years. "
    '"Yes," she said. No! On 2024-05-01 a cup cost $5.50, which is 10-15% more than in 1999, because H2O and '
    "beans at 3.5 kg a sack are dear these days: nobody believes it. So it goes. "
    "He asked: why? Dr. Smith of 12 Main St. knew that E=mc^2, but not where his keys were at 10:30. "
)


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> list[Sentence]:
    async def spoken() -> list[Sentence]:
        tts = program(CommonSettings(data=tmp_path_factory.mktemp("speech")), TtsSettings())
        async with serving(tts, "127.0.0.1", 0, 5) as running, dial(running.address) as channel:
            request = pb.SynthesizeRequest(text=STORY * 6, language="en")
            messages = [
                message async for message in SpeechServiceStub(channel).Synthesize(request, timeout=120)
            ]
            return [sentence_from_proto(message.sentence) for message in messages[1:]]

    return asyncio.run(spoken())


@pytest.fixture(scope="module")
def shown(speech: list[Sentence]) -> list[Cue]:
    return cues(speech, "en")


def test_they_are_valid_and_say_what_was_written(speech: list[Sentence], shown: list[Cue]) -> None:
    assert speech[-1].samples.end > 180 * SPEECH_RATE
    read = webvtt.from_buffer(io.StringIO(to_vtt(shown))).captions
    assert len(read) == len(shown) > 40
    text = " ".join(cue.text.replace("\n", " ") for cue in shown)
    assert text == (STORY * 6).strip()
    for caption, cue in zip(read, shown, strict=True):
        assert seconds(caption.start) == pytest.approx(cue.samples.first / SPEECH_RATE, abs=0.001)
        assert seconds(caption.end) == pytest.approx(cue.samples.end / SPEECH_RATE, abs=0.001)


def seconds(clock: str) -> float:
    hours, minutes, rest = clock.split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(rest)


def test_they_can_be_read(shown: list[Cue]) -> None:
    assert all(one.samples.end <= other.samples.first for one, other in pairwise(shown))
    for cue in shown:
        lines = cue.text.split("\n")
        assert len(lines) <= 2
        assert max(map(width, lines)) <= LINE_COLUMNS
        assert len(cue.samples) >= SHORTEST


def test_each_begins_within_a_frame_of_its_first_word(speech: list[Sentence], shown: list[Cue]) -> None:
    starts = {word.samples.first: word.text for sentence in speech for word in sentence.words}
    for cue in shown:
        start = min(starts, key=lambda start: abs(start - cue.samples.first))
        assert abs(cue.samples.first - start) / SPEECH_RATE <= FRAME
        assert cue.text.lstrip('"').split("\n")[0].startswith(starts[start].split("\n")[0])


def test_a_formula_that_takes_longer_than_a_sentence_is_shown_once() -> None:
    terms = " + ".join(r"\frac{x^2+1}{\sqrt{x}}" for _ in range(14))
    text = f"Then ${terms}$ holds, and more."
    speech = list(sentences(plan_speech(text, "en")))
    assert len(speech) > 1
    shown = "".join(cue.text for cue in cues(speech, "en"))
    assert "".join(shown.split()) == "".join(text.split())
