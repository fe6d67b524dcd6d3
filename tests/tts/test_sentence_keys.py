"""Keys of sentences, by which callers keep their sound."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from mouthpiece.rpc.channel import dial
from mouthpiece.rpc.server import serving
from mouthpiece.settings import CommonSettings, TtsSettings
from mouthpiece.v1 import tts_pb2 as pb
from mouthpiece.v1.tts_pb2_grpc import SpeechServiceStub
from services.tts.__main__ import program

TEXT = "The first one. A second one! Is this the third? Here is the last."


@pytest.fixture
async def stub(tmp_path: Path) -> AsyncGenerator[Any]:
    tts = program(CommonSettings(data=tmp_path), TtsSettings())
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(serving(tts, "127.0.0.1", 0, 5))
        yield SpeechServiceStub(await stack.enter_async_context(dial(running.address)))


async def plan_of(stub: Any, text: str = TEXT, **options: Any) -> list[pb.PlannedSentence]:
    call = stub.Synthesize(pb.SynthesizeRequest(text=text, check_only=True, **options), timeout=60)
    return list((await anext(aiter(call))).outline.plan)


async def keys_of(stub: Any, text: str = TEXT, **options: Any) -> list[str]:
    return [sentence.key for sentence in await plan_of(stub, text, **options)]


async def test_a_plan_says_where_every_sentence_stands(stub: Any) -> None:
    spans = [sentence.source for sentence in await plan_of(stub)]
    assert [TEXT[span.first : span.end] for span in spans] == [
        "The first one.",
        "A second one!",
        "Is this the third?",
        "Here is the last.",
    ]


async def test_an_edited_sentence_has_another_key_and_its_neighbours_keep_theirs(stub: Any) -> None:
    before = await keys_of(stub)
    after = await keys_of(stub, TEXT.replace("second", "further"))
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True, True]


async def test_keys_do_not_depend_on_where_a_text_came_from_or_what_is_wanted_of_it(stub: Any) -> None:
    spelled_out = await keys_of(stub, language="en-US", voice="en-us", first_sentence=2, end_sentence=3)
    assert await keys_of(stub) == spelled_out
    assert len(set(spelled_out)) == 4


async def test_another_voice_or_pace_means_other_keys(stub: Any) -> None:
    kinds = [
        await keys_of(stub),
        await keys_of(stub, voice="en-gb"),
        await keys_of(stub, voice="en-us+f3"),
        await keys_of(stub, speaking_rate=1.25),
    ]
    assert len({key for keys in kinds for key in keys}) == 4 * len(kinds)


async def test_a_sentence_that_comes_to_stand_last_sounds_different(stub: Any) -> None:
    before, after = await keys_of(stub), await keys_of(stub, TEXT.removesuffix(" Here is the last."))
    assert before[:2] == after[:2]
    assert before[2] != after[2]


async def test_only_the_wanted_sentences_are_spoken(stub: Any) -> None:
    request = pb.SynthesizeRequest(text=TEXT, first_sentence=1, end_sentence=3)
    messages = [message async for message in stub.Synthesize(request, timeout=60)]
    assert [message.sentence.index for message in messages[1:]] == [1, 2]
    assert messages[1].sentence.samples.first == 0
