"""SpeechService: messages in, messages out; the work is done elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, contextmanager
from typing import Any

from grpc.aio import ServicerContext

from mouthpiece.artifacts import ArtifactStore, check_sha256
from mouthpiece.errors import BadInput, Busy
from mouthpiece.rpc.speech_codec import sentence_to_proto
from mouthpiece.settings import CommonSettings, TtsSettings
from mouthpiece.v1 import tts_pb2 as pb
from mouthpiece.v1.tts_pb2_grpc import SpeechServiceServicer
from services.tts import metrics, recording, synthesis, voices
from services.tts.keys import planned
from services.tts.streaming import in_background, in_thread

RETRY_AFTER = 1.0
"""Seconds after which a refused caller may come back."""


class SpeechServicer(SpeechServiceServicer):
    """The speech service. `load` starts the synthesizer and opens the artifact store."""

    def __init__(self, common: CommonSettings, settings: TtsSettings) -> None:
        self._common = common
        self._settings = settings
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    # ------------------------------------------------------------ life

    async def load(self) -> None:
        """Start what calls need."""
        self._artifacts = ArtifactStore.open(self._common.artifacts_url)
        await asyncio.to_thread(synthesis.warm_up)

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
            plan = await asyncio.to_thread(
                synthesis.plan_speech, request.text, request.language, request.voice
            )
            yield pb.SynthesizeResponse(outline=_outline(request, plan))
            if request.check_only:
                return
            wanted = slice(request.first_sentence, request.end_sentence or None)
            spoken = in_thread(lambda stopped: synthesis.sentences(plan, wanted, stopped), metrics.TEXT)
            async with aclosing(spoken):
                async for sentence in spoken:
                    yield pb.SynthesizeResponse(sentence=sentence_to_proto(sentence))

    async def ImportSpeech(
        self, request: pb.ImportSpeechRequest, context: ServicerContext[Any, Any]
    ) -> AsyncGenerator[pb.ImportSpeechResponse]:
        """Take a recording as the speech."""
        with self._slot():
            check_sha256(request.audio_sha256, "audio")
            plan = await asyncio.to_thread(recording.plan_transcript, request.transcript, request.language)
            async with self._artifacts.local(request.audio_sha256) as path:
                limit = self._settings.max_seconds
                found = await in_background(lambda stopped: recording.survey(path, limit, stopped))
                yield pb.ImportSpeechResponse(outline=_outline_of_recording(found, plan))
                if request.check_only:
                    return
                pieces = in_thread(
                    lambda stopped: recording.sentences(found, plan, stopped), metrics.RECORDING
                )
                async with aclosing(pieces):
                    async for sentence in pieces:
                        yield pb.ImportSpeechResponse(sentence=sentence_to_proto(sentence))

    async def ListVoices(
        self, request: pb.SpeechServiceListVoicesRequest, context: ServicerContext[Any, Any]
    ) -> pb.SpeechServiceListVoicesResponse:
        """List the voices."""
        return pb.SpeechServiceListVoicesResponse(
            voices=[_voice(choice, line) for choice, line in voices.listed(request.language)]
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


def _outline(request: pb.SynthesizeRequest, plan: synthesis.Plan) -> pb.SpeechOutline:
    outline = pb.SpeechOutline(
        sentences=len(plan.pieces),
        expected_samples=plan.expected_samples,
        language=plan.choice.voice.language,
        voice=plan.choice.name,
    )
    outline.plan.extend(planned(request, outline, plan.pieces))
    return outline


def _outline_of_recording(found: recording.Recording, plan: synthesis.Plan | None) -> pb.SpeechOutline:
    return pb.SpeechOutline(
        sentences=len(found.pieces),
        expected_samples=found.samples,
        language=plan.choice.voice.language if plan else "",
    )


def _voice(choice: voices.Choice, description: str) -> pb.Voice:
    return pb.Voice(
        name=choice.name,
        language=choice.voice.language,
        description=description,
        engine=voices.ENGINE,
        is_default=not choice.variant and voices.is_default(choice.voice),
    )
