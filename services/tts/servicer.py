"""SpeechService: messages in, messages out; the work is done elsewhere."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from grpc.aio import ServicerContext

from mouthpiece.artifacts import ArtifactStore, check_sha256
from mouthpiece.core.speech import Sentence
from mouthpiece.errors import BadInput, Busy, Unmet
from mouthpiece.rpc.speech_codec import sentence_to_proto
from mouthpiece.settings import CommonSettings, TtsSettings
from mouthpiece.v1 import tts_pb2 as pb
from mouthpiece.v1.tts_pb2_grpc import SpeechServiceServicer
from services.tts import metrics, normalization, recording, references, synthesis, wire
from services.tts.casting import Cast, Wish, cast
from services.tts.confinement import open_confinement, read_reference_confined, survey_confined
from services.tts.engine import Reference, SpeechEngine
from services.tts.engines import create_engines
from services.tts.performance import Fallback, Notice, Studio
from services.tts.recording import Care
from services.tts.streaming import in_background, in_thread

log = logging.getLogger(__name__)

RETRY_AFTER = 1.0
"""Seconds after which a refused caller may come back."""


class SpeechServicer(SpeechServiceServicer):
    """The speech service. `load` starts the synthesizer and opens the artifact store."""

    def __init__(self, common: CommonSettings, settings: TtsSettings) -> None:
        self._common = common
        self._settings = settings
        self._engines: tuple[SpeechEngine, ...] = ()
        self._studio = Studio()
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    # ------------------------------------------------------------ life

    async def load(self) -> None:
        """Start what calls need."""
        self._artifacts = ArtifactStore.open(self._common.artifacts_url)
        self._engines = await asyncio.to_thread(_loaded, create_engines(self._settings))
        await asyncio.to_thread(self._warm_up)
        await asyncio.to_thread(open_confinement)

    def _warm_up(self) -> None:
        """Have the default voice ready, so that the first call need not."""
        chosen = cast("a", Wish(), self._engines[-1:])
        self._studio.say(chosen.roles[0], "a", lambda: False)

    async def drain(self) -> None:
        """Wait for the calls that run."""
        await self._idle.wait()

    async def close(self) -> None:
        """Nothing is open between calls; the synthesizer lives as long as the process."""

    # ------------------------------------------------------------ calls

    async def Synthesize(
        self, request: pb.SynthesizeRequest, context: ServicerContext[Any, Any]
    ) -> AsyncGenerator[pb.SynthesizeResponse]:
        """Speak a text."""
        with self._slot():
            for name in ("first_sentence", "end_sentence"):
                if getattr(request, name) < 0:
                    raise BadInput(name, "negative")
            wanted = slice(request.first_sentence, request.end_sentence or None)
            fallback = wire.fallback(request.voice_fallback)
            care = wire.care(request.sound, even=True)
            async with self._reference(request.voice_reference_sha256, care) as reference:
                wish = Wish(request.language, request.voice, reference, request.speaking_rate, care.even)
                chosen = await asyncio.to_thread(cast, wire.script(request), wish, self._engines)
                yield pb.SynthesizeResponse(outline=wire.outline(request, chosen))
                if request.check_only:
                    return
                async for part in self._spoken(chosen, fallback, wanted):
                    yield part

    async def _spoken(
        self, chosen: Cast, fallback: Fallback, wanted: slice
    ) -> AsyncGenerator[pb.SynthesizeResponse]:
        role = chosen.roles[0]
        spoken = in_thread(
            lambda stopped: self._studio.perform(chosen, fallback, wanted, stopped), metrics.TEXT
        )
        async with aclosing(spoken):
            async for part in spoken:
                if isinstance(part, Notice):
                    role = part.role or role
                    yield wire.notice(part)
                else:
                    yield wire.sentence(part, role)

    @asynccontextmanager
    async def _reference(self, sha256: str, care: Care) -> AsyncGenerator[Reference | None]:
        """The voice of a reference, if one is named."""
        if not sha256:
            yield None
            return
        check_sha256(sha256, references.FIELD)
        async with self._artifacts.local(sha256) as path:
            limit, denoise = self._settings.max_seconds, care.denoise
            yield await in_background(
                lambda stopped: read_reference_confined(
                    path, sha256, limit, denoise=denoise, cancelled=stopped
                )
            )

    async def ImportSpeech(
        self, request: pb.ImportSpeechRequest, context: ServicerContext[Any, Any]
    ) -> AsyncGenerator[pb.ImportSpeechResponse]:
        """Take a recording as the speech."""
        with self._slot():
            check_sha256(request.audio_sha256, "audio")
            care = wire.care(request.sound, even=False)
            plan = await asyncio.to_thread(
                recording.plan_transcript,
                request.transcript,
                request.language,
                wire.pronunciations(request.pronunciations),
            )
            async with self._artifacts.local(request.audio_sha256) as path:
                found = await self._survey(path, care)
                yield pb.ImportSpeechResponse(outline=wire.outline_of_recording(found, plan))
                if request.check_only:
                    return
                async for sentence in _pieces(found, plan):
                    yield pb.ImportSpeechResponse(sentence=sentence_to_proto(sentence))

    async def _survey(self, path: Path, care: Care) -> recording.Recording:
        limit = self._settings.max_seconds
        return await in_background(lambda stopped: survey_confined(path, limit, stopped, care))

    async def NormalizeText(
        self, request: pb.SpeechServiceNormalizeTextRequest, context: ServicerContext[Any, Any]
    ) -> pb.SpeechServiceNormalizeTextResponse:
        """Tell what would be said."""
        with self._slot():
            found = await asyncio.to_thread(normalization.normalized, request)
            return pb.SpeechServiceNormalizeTextResponse(normalized=found)

    async def ListVoices(
        self, request: pb.SpeechServiceListVoicesRequest, context: ServicerContext[Any, Any]
    ) -> pb.SpeechServiceListVoicesResponse:
        """List the voices."""
        return pb.SpeechServiceListVoicesResponse(
            voices=list(wire.listed_voices(self._engines, request.language))
        )

    @contextmanager
    def _slot(self) -> Generator[None]:
        limit = self._settings.max_calls
        if self._running >= limit:
            raise Busy(f"{limit} calls are being answered", RETRY_AFTER)
        self._running += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()


async def _pieces(found: recording.Recording, plan: synthesis.Plan | None) -> AsyncGenerator[Sentence]:
    pieces = in_thread(lambda stopped: recording.sentences(found, plan, stopped), metrics.RECORDING)
    async with aclosing(pieces):
        async for sentence in pieces:
            yield sentence


def _loaded(engines: Sequence[SpeechEngine]) -> tuple[SpeechEngine, ...]:
    """Load the engines; those that lack something are left out, except the embedded one."""
    ready: list[SpeechEngine] = []
    for engine in engines:
        try:
            engine.load()
        except Unmet as error:
            log.warning("the speech engine %s is left out: %s", engine.name, error.message)
            continue
        ready.append(engine)
    return tuple(ready)
