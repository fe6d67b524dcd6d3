"""The speech service over gRPC, with the real synthesizer and a real store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration

from mouthpiece.artifacts import ArtifactStore
from mouthpiece.core.speech import Sentence
from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.errors import BadInput, Busy, DataLoss, NotFound
from mouthpiece.rpc.channel import dial
from mouthpiece.rpc.server import serving
from mouthpiece.rpc.speech_codec import sentence_from_proto
from mouthpiece.rpc.status import from_rpc_error
from mouthpiece.settings import CommonSettings, TtsSettings
from mouthpiece.v1 import tts_pb2 as pb
from mouthpiece.v1.tts_pb2_grpc import SpeechServiceStub
from services.tts.__main__ import program
from services.tts.espeak import Manner
from services.tts.loudness import loudness
from services.tts.matching import profile
from tests.support.tts_audio import samples_of, silence, speak_aloud, tone, write_wav

LIMIT = 60
SENTENCE = "A sentence of the usual length is spoken here at leisure. "
TWENTY_MINUTES = SENTENCE * 330


@dataclass
class Service:
    """A speech service on loopback and its store."""

    stub: Any
    store: ArtifactStore
    folder: Path
    servicer: Any

    async def speak(self, text: str, **options: Any) -> tuple[pb.SpeechOutline, list[Sentence]]:
        """Outline and sentences of a text. Raises the error that the call ends with."""
        request = pb.SynthesizeRequest(text=text, **options)
        return await _collect(self.stub.Synthesize(request, timeout=LIMIT))

    async def take(self, sha256: str, **options: Any) -> tuple[pb.SpeechOutline, list[Sentence]]:
        """The same of a recording."""
        request = pb.ImportSpeechRequest(audio_sha256=sha256, **options)
        return await _collect(self.stub.ImportSpeech(request, timeout=LIMIT))

    async def store_wav(self, sound: Any) -> str:
        """Put a recording into the store."""
        return (await self.store.put_file(write_wav(self.folder / "sound.wav", sound))).sha256


async def _collect(call: Any) -> tuple[pb.SpeechOutline, list[Sentence]]:
    try:
        messages = [message async for message in call]
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from None
    assert messages[0].HasField("outline")
    assert all(message.HasField("sentence") for message in messages[1:])
    return messages[0].outline, [sentence_from_proto(message.sentence) for message in messages[1:]]


@pytest.fixture
async def service(tmp_path: Path) -> AsyncGenerator[Service]:
    common = CommonSettings(data=tmp_path / "data")
    tts = program(common, TtsSettings(max_calls=6, max_seconds=60))
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(serving(tts, "127.0.0.1", 0, 5))
        stub = SpeechServiceStub(await stack.enter_async_context(dial(running.address)))
        yield Service(stub, ArtifactStore.open(common.artifacts_url), tmp_path, tts.servicer)


@pytest.mark.parametrize(
    ("text", "language", "voice"),
    [
        ("Hello there. How are you?", "en-US", "en-us"),
        ("Привет, мир. Как дела?", "ru", "ru"),
        ("Grüß dich! Schön, dass du da bist.", "de", "de"),
        ("你好。今天天气很好！", "zh", "cmn"),
    ],
)
async def test_a_text_becomes_an_outline_and_its_sentences(
    service: Service, text: str, language: str, voice: str
) -> None:
    outline, speech = await service.speak(text, language=language)
    assert (outline.language, outline.voice) == (language, voice)
    assert len(speech) == 2
    assert outline.expected_samples == pytest.approx(speech[-1].samples.end, rel=0.5)
    assert [text[sentence.source.first : sentence.source.end] for sentence in speech] == [
        sentence.text for sentence in speech
    ]
    assert speech[0].samples.end == speech[1].samples.first
    assert all(sentence.phonemes and sentence.words and sentence.pauses for sentence in speech)


async def test_a_named_variant_speaks(service: Service) -> None:
    outline, _ = await service.speak("Good morning.", voice="en-gb+f3")
    assert (outline.language, outline.voice) == ("en-GB", "en-gb+f3")


async def test_a_check_ends_after_the_outline(service: Service) -> None:
    outline, speech = await service.speak(TWENTY_MINUTES, check_only=True)
    assert outline.sentences == 330
    assert speech == []


async def test_a_broken_stream_is_gone_on_with(service: Service) -> None:
    _, speech = await service.speak("One. Two. Three. Four.", first_sentence=2)
    assert [(sentence.index, sentence.text) for sentence in speech] == [(2, "Three."), (3, "Four.")]
    assert speech[0].samples.first == 0


async def test_the_first_sentence_of_a_long_text_comes_at_once_and_the_rest_is_not_made_ahead(
    service: Service,
) -> None:
    async def first_sound() -> float:
        """Processor time from the call to the first sentence, the client's share included."""
        start = time.process_time()
        call = service.stub.Synthesize(pb.SynthesizeRequest(text=TWENTY_MINUTES), timeout=LIMIT)
        await call.read()
        assert (await call.read()).sentence.pcm
        took = time.process_time() - start
        call.cancel()
        return took

    assert min([await first_sound() for _ in range(5)]) < 0.15
    await asyncio.wait_for(service.servicer.drain(), 10)


async def test_calls_side_by_side_take_turns(service: Service) -> None:
    heard: asyncio.Queue[int] = asyncio.Queue()

    async def listen(number: int) -> None:
        request = pb.SynthesizeRequest(text=SENTENCE * 12)
        async for message in service.stub.Synthesize(request, timeout=LIMIT):
            if message.HasField("sentence"):
                heard.put_nowait(number)

    await asyncio.gather(*(listen(number) for number in range(3)))
    order = [heard.get_nowait() for _ in range(36)]
    assert set(order[:18]) == {0, 1, 2}
    assert all(order[:24].count(number) >= 4 for number in range(3))


async def test_a_call_too_many_is_told_when_to_come_back(service: Service) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(6):
            call = service.stub.Synthesize(pb.SynthesizeRequest(text=TWENTY_MINUTES), timeout=LIMIT)
            stack.callback(call.cancel)
            await call.read()
        with pytest.raises(Busy) as caught:
            await service.speak("Hello.")
        assert 0 < caught.value.retry_after <= 10
    await asyncio.wait_for(service.servicer.drain(), 10)
    assert (await service.speak("Hello."))[1]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": "...!?"}, "text"),
        ({"text": "x" * 10_000_000}, "text"),
        ({"text": "你好", "language": "en"}, "text"),
        ({"text": "Hello", "language": "xx"}, "language"),
        ({"text": "Hello", "voice": "nobody"}, "voice"),
        ({"text": "Hello", "voice": "en-us", "language": "ru"}, "voice"),
        ({"text": "Hello", "first_sentence": -1}, "first_sentence"),
    ],
)
async def test_what_cannot_be_spoken_is_refused_with_the_field(
    service: Service, options: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadInput) as caught:
        await service.speak(**options)
    assert [violation.field for violation in caught.value.violations] == [field]


async def test_a_recording_becomes_pieces_of_exactly_its_length(service: Service) -> None:
    sound = speak_aloud(SENTENCE * 5, "gmw/en-US").sound
    outline, speech = await service.take(await service.store_wav(sound))
    assert outline.expected_samples == len(sound)
    assert outline.sentences == len(speech)
    assert speech[-1].samples.end == len(sound)
    assert all(one.samples.end == other.samples.first for one, other in pairwise(speech))
    assert all(sentence.phonemes is None for sentence in speech)


async def test_a_recording_with_its_words_has_phonemes(service: Service) -> None:
    text = "Bob Palmer bought a blue map of the Mississippi. Maybe people prefer a simple paper plan."
    sha256 = await service.store_wav(speak_aloud(text, "gmw/en-US+f3").sound)
    outline, speech = await service.take(sha256, transcript=text)
    assert outline.language == "en-US"
    assert [word.text for sentence in speech for word in sentence.words] == text.replace(".", "").split()
    assert all(sentence.phonemes for sentence in speech)


async def test_a_recording_is_checked_without_being_sent(service: Service) -> None:
    outline, speech = await service.take(await service.store_wav(tone(3)), check_only=True)
    assert outline.expected_samples == 3 * SPEECH_RATE
    assert speech == []


async def test_recordings_that_are_none_are_refused(service: Service) -> None:
    bad = {
        "silence": await service.store_wav(silence(5)),
        "too long": await service.store_wav(tone(61)),
        "text": (await service.store.put_bytes(b"hello " * 100)).sha256,
        "no name": "abc",
    }
    for sha256 in bad.values():
        with pytest.raises(BadInput) as caught:
            await service.take(sha256)
        assert [violation.field for violation in caught.value.violations] == ["audio"]
    with pytest.raises(BadInput) as caught:
        await service.take(await service.store_wav(tone(1)), language="xx")
    assert [violation.field for violation in caught.value.violations] == ["language"]


async def test_recordings_that_are_missing_or_damaged_are_told_apart(service: Service) -> None:
    with pytest.raises(NotFound):
        await service.take("0" * 64)
    sha256 = await service.store_wav(tone(1))
    (service.folder / "data" / "artifacts" / sha256[:2] / sha256).write_bytes(b"other")
    with pytest.raises(DataLoss):
        await service.take(sha256)


async def test_what_would_be_said_is_told(service: Service) -> None:
    request = pb.SpeechServiceNormalizeTextRequest(
        text="<speak>It cost <sub alias='a lot'>$5</sub> on 5 May.</speak>", markup=pb.MARKUP_SSML
    )
    found = (await service.stub.NormalizeText(request, timeout=LIMIT)).normalized
    assert found.spoken == "It cost a lot on the fifth of May."
    assert [token.kind for token in found.tokens] == ["alias", "date"]


async def test_markup_that_is_not_understood_is_refused_with_its_place(service: Service) -> None:
    request = pb.SynthesizeRequest(text="<speak><audio/></speak>", markup=pb.MARKUP_SSML)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await anext(aiter(service.stub.Synthesize(request, timeout=LIMIT)))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "line 1, column 8" in (caught.value.details() or "")


async def test_voices_are_listed_by_language(service: Service) -> None:
    everything = (await service.stub.ListVoices(pb.SpeechServiceListVoicesRequest(), timeout=LIMIT)).voices
    german = (
        await service.stub.ListVoices(pb.SpeechServiceListVoicesRequest(language="de"), timeout=LIMIT)
    ).voices
    assert (german[0].name, german[0].is_default) == ("de", True)
    assert len(german) > 5
    assert all(voice.engine == "espeak" and voice.description for voice in everything)
    assert {voice.language for voice in everything if voice.is_default} >= {"en-US", "ru", "de", "zh"}
    outline, _ = await service.speak("Eins zwei.", voice=german[-1].name)
    assert outline.voice == german[-1].name


async def test_a_caller_who_goes_away_frees_the_synthesizer(service: Service) -> None:
    for _ in range(8):
        call = service.stub.Synthesize(pb.SynthesizeRequest(text=TWENTY_MINUTES), timeout=LIMIT)
        await call.read()
        await call.read()
        call.cancel()
    await asyncio.wait_for(service.servicer.drain(), 10)
    assert (await service.speak("Still here."))[1]


async def test_a_voice_is_moved_toward_a_reference(service: Service) -> None:
    her = await service.store_wav(speak_aloud(SENTENCE * 3, "gmw/en-US+f3", Manner(pitch=70)).sound)
    wanted = profile(speak_aloud(SENTENCE * 3, "gmw/en-US+f3", Manner(pitch=70)).sound, SPEECH_RATE)
    _, plain = await service.speak(SENTENCE)
    _, matched = await service.speak(SENTENCE, voice_reference_sha256=her)
    pitches = [
        profile((samples_of(speech[0]) / 32768).astype(np.float32), SPEECH_RATE).pitch
        for speech in (plain, matched)
    ]
    assert abs(pitches[0] - wanted.pitch) > 10
    assert abs(pitches[1] - wanted.pitch) < 1
    assert [word.text for word in plain[0].words] == [word.text for word in matched[0].words]


async def test_references_that_hold_no_voice_are_refused(service: Service) -> None:
    for sha256 in ("abc", await service.store_wav(silence(3)), (await service.store.put_bytes(b"no")).sha256):
        with pytest.raises(BadInput) as caught:
            await service.speak("Hello.", voice_reference_sha256=sha256)
        assert caught.value.violations[0].field == "voice_reference"
    with pytest.raises(NotFound):
        await service.speak("Hello.", voice_reference_sha256="0" * 64)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"speaking_rate": 5.0}, "speaking_rate"),
        ({"voice_fallback": 9}, "voice_fallback"),
        ({"sound": pb.SoundOptions(loudness=9)}, "sound.loudness"),  # type: ignore[arg-type]
        ({"sound": pb.SoundOptions(longest_pause=Duration(seconds=100))}, "sound.longest_pause"),
    ],
)
async def test_manners_of_speaking_are_checked(service: Service, options: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as caught:
        await service.speak("Hello.", **options)
    assert caught.value.violations[0].field == field


async def test_speech_is_as_loud_as_agreed_unless_it_is_to_be_kept(service: Service) -> None:
    levels: list[float] = []
    for wanted in (pb.LOUDNESS_UNSPECIFIED, pb.LOUDNESS_KEEP):
        _, speech = await service.speak(SENTENCE * 4, sound=pb.SoundOptions(loudness=wanted))
        sound = np.concatenate([samples_of(sentence) for sentence in speech])
        levels.append(loudness((sound / 32768).astype(np.float32)))
    assert levels[0] == pytest.approx(-16, abs=2)
    assert levels[1] < -19
