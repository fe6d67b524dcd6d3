"""Marked-up texts through gateway, speech service and merger, and what the command line tells of them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
import webvtt

from mouthpiece.cli.main import main
from mouthpiece.client import Client
from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.errors import BadInput
from mouthpiece.v1 import common_pb2
from mouthpiece.v1 import gateway_pb2 as pb
from mouthpiece.v1.tts_pb2 import MARKUP_SSML
from tests.support.gateway_fakes import FakeSuite, fake_suite
from tests.support.http_suite import SIZE, real_movie

DOCUMENT = (
    "<speak><p>It cost <emphasis level='strong'>$5</emphasis> &amp; more"
    "<break time='700ms'/> on <say-as interpret-as='date' format='dmy'>3/4/2024</say-as>.</p>"
    "<p><prosody rate='80%' pitch='+2st'>Come <sub alias='at once'>a.o.</sub></prosody>, "
    "<say-as interpret-as='time'>soon</say-as>!</p></speak>"
)


@pytest.fixture
async def suite(tmp_path: Path) -> AsyncGenerator[FakeSuite]:
    async with fake_suite(tmp_path, real_merger=True, real_speech=True) as suite:
        for worker in suite.workers:
            worker.movie = real_movie
        yield suite


async def test_a_marked_up_text_becomes_a_video_with_its_pauses_words_and_captions(
    suite: FakeSuite, tmp_path: Path
) -> None:
    spec = pb.JobSpec(
        text=DOCUMENT, language="en", markup=MARKUP_SSML, captions=True, width=SIZE, height=SIZE
    )
    spoken: list[common_pb2.Sentence] = []
    async with Client(suite.address) as client:
        submitted = await client.submit(spec)
        job = await client.follow(
            submitted.id,
            lambda event: spoken.append(event.speech.sentence) if event.HasField("speech") else None,
        )
        await client.download(job.id, tmp_path / "out.vtt", file="captions_vtt")
    assert job.state == pb.JOB_STATE_DONE
    assert [warning for warning in job.warnings if "'soon'" in warning and "time" in warning]
    words = [word for sentence in spoken for word in sentence.words]
    assert " ".join(word.text for word in words) == "It cost $5 &amp; more on 3/4/2024 Come a.o. soon"
    assert all(DOCUMENT[word.source.first : word.source.end] == word.text for word in words)
    assert all(one.samples.end <= other.samples.first for one, other in pairwise(words))
    pause = words[5].samples.first - words[4].samples.end
    assert pause / SPEECH_RATE == pytest.approx(0.7, abs=0.1)
    captions = webvtt.from_buffer(io.StringIO((tmp_path / "out.vtt").read_text(encoding="utf-8"))).captions
    shown = " ".join(caption.text.replace("\n", " ") for caption in captions)
    assert shown == "It cost $5 &amp; more on 3/4/2024. Come a.o., soon!"


async def test_the_gateway_tells_what_would_be_said_and_where_it_stands(suite: FakeSuite) -> None:
    text = "On 2024-05-01 it cost $5."
    async with Client(suite.address) as client:
        found = await client.normalize(text, "en")
        assert found.spoken == "On May first, twenty twenty-four it cost five dollars."
        told = [(token.kind, text[token.source.first : token.source.end]) for token in found.tokens]
        assert told == [("date", "2024-05-01"), ("money", "$5")]
        assert (await client.normalize("5 рублей", "ru")).spoken == "пять рублей"
        marked = await client.normalize(DOCUMENT, "en", ssml=True, pronunciations={"Come": "Go"})
        assert "third of April" in marked.spoken
        assert "Go at once" in marked.spoken
        with pytest.raises(BadInput, match="line 1"):
            await client.normalize("<speak>", "en", ssml=True)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where such a suite is, in a thread: a command wants the main one for itself."""
    stop = asyncio.Event()

    async def serve(told: Future[str]) -> None:
        async with fake_suite(tmp_path, real_speech=True) as suite:
            told.set_result(suite.address)
            await stop.wait()

    loop = asyncio.new_event_loop()
    told: Future[str] = Future()
    with ThreadPoolExecutor(1) as thread:
        serving = thread.submit(loop.run_until_complete, serve(told))
        try:
            yield told.result(60)
        finally:
            loop.call_soon_threadsafe(stop.set)
            serving.result(60)
            loop.close()


def test_the_command_line_says_it_and_warns(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    there = ["--gateway", address]
    assert main(["normalize", "x^2 for $5", *there]) == 0
    assert capsys.readouterr().out.strip() == "x squared for five dollars"
    assert main(["normalize", "--ssml", DOCUMENT, "--language", "en", *there]) == 0
    written = capsys.readouterr()
    assert "five dollars" in written.out
    assert "'soon' is not understood as time" in written.err
    assert main(["normalize", "--ssml", "<speak><blink/>a</speak>", *there]) != 0
    assert "<blink> is not understood" in capsys.readouterr().err
