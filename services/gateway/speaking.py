"""A job's speech: from the cache, or from the speech service, sentence by sentence."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING

import grpc.aio

from mouthpiece.core.scheduler.events import Event, SpeechGrew
from mouthpiece.core.speech import CutMark, cut_marks, ready_frames
from mouthpiece.core.timeline import Span, frame_count
from mouthpiece.errors import Busy, DataLoss, MouthpieceError, Unavailable
from mouthpiece.rpc.status import from_rpc_error
from mouthpiece.v1 import common_pb2
from mouthpiece.v1.gateway_pb2 import (
    CHUNK_STATE_DONE,
    JOB_STATE_RENDERING,
    JOB_STATE_SPEAKING,
    JobSpec,
)
from services.gateway.admission import start_speech
from services.gateway.chunks import Chunks
from services.gateway.run import JobRun, end_chunk, new_chunk
from services.gateway.speech import SpeechLibrary, digest
from services.gateway.store import Attempt, Rendered, StoredSentence

if TYPE_CHECKING:
    from mouthpiece.v1.tts_pb2_grpc import SpeechServiceAsyncStub

log = logging.getLogger(__name__)

PATIENCE = 40
"""Times that an absent speech service is asked again, about five minutes in all."""


def speech_key(spec: JobSpec) -> str:
    """Names what is said and how: two jobs with equal keys may share one synthesis."""
    parts = (spec.audio_sha256, spec.language, spec.voice, spec.text)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class Speaker:
    """Makes the speech of jobs."""

    def __init__(
        self,
        stub: SpeechServiceAsyncStub,
        library: SpeechLibrary,
        chunks: Chunks,
        tell: Callable[[Event], None],
    ) -> None:
        self._stub = stub
        self._library = library
        self._chunks = chunks
        self._tell = tell
        self._turns = asyncio.Semaphore(8)

    async def speak(self, run: JobRun) -> None:
        """Go on from the sentences that a run already has, to the end."""
        growth = _Growth(run, self._library, self._chunks, self._tell)
        for stored in run.sentences:
            await growth.hear(stored)
        if not run.job.speech_final:
            async with self._turns:
                await run.enter(JOB_STATE_SPEAKING)
                await self._speak(run, growth)
        await growth.finish()

    async def _speak(self, run: JobRun, growth: _Growth) -> None:
        if not run.sentences:
            known = await run.store.same_speech(speech_key(run.spec))
            there = all([await self._library.holds(stored.pcm) for stored in known])
            for stored in known if there else ():
                await run.add_sentence(stored, final=False)
                await growth.hear(stored)
            if run.sentences:
                return
        async for sentence in self._sentences(run):
            stored = await self._library.keep(sentence)
            await run.add_sentence(stored, final=False)
            await growth.hear(stored)
            await growth.tell(final=False)

    async def _sentences(self, run: JobRun) -> AsyncGenerator[common_pb2.Sentence]:
        """What is still to be said, asking again as long as the service is merely away."""
        for _ in range(PATIENCE):
            try:
                async for sentence in self._stream(run):
                    yield sentence
            except grpc.aio.AioRpcError as error:
                fault = from_rpc_error(error)
                if not isinstance(fault, Unavailable | Busy):
                    raise fault from None
                log.warning("job %s: the speech service is away: %s", run.id, fault.message)
                await asyncio.sleep(min(8.0, max(0.5, fault.retry_after)))
            else:
                return
        raise Unavailable("the speech service stayed away")

    async def _stream(self, run: JobRun) -> AsyncGenerator[common_pb2.Sentence]:
        """Sentences after those that the run has; the same text need not give the same samples twice, so
        they are moved to where the speech so far ends."""
        call = start_speech(self._stub, run.spec, first_sentence=len(run.sentences))
        try:
            async for message in call:
                sentence = message.sentence
                if not message.HasField("sentence") or sentence.index < len(run.sentences):
                    continue
                _shift(sentence, run.samples - sentence.samples.first)
                yield sentence
        finally:
            call.cancel()


def _shift(sentence: common_pb2.Sentence, by: int) -> None:
    spans = [sentence.samples, *sentence.pauses]
    spans += [word.samples for word in sentence.words]
    spans += [phoneme.samples for phoneme in sentence.phonemes]
    for span in spans:
        span.first += by
        span.end += by


class _Growth:
    """Tells the scheduler how a speech grows, and which chunks of it exist already."""

    def __init__(
        self, run: JobRun, library: SpeechLibrary, chunks: Chunks, tell: Callable[[Event], None]
    ) -> None:
        self._run = run
        self._library = library
        self._chunks = chunks
        self._tell = tell
        self._samples = 0
        self._marks: list[CutMark] = []
        self._reused = max((span.end for span in run.rendered), default=0)
        self._hits = sum(attempt.chunk.cached for attempt in run.attempts.values())

    async def hear(self, stored: StoredSentence) -> None:
        """One more sentence is there."""
        sentence = await self._library.sentence(stored)
        self._samples = sentence.samples.end
        self._marks += cut_marks(sentence, self._run.fps)

    async def tell(self, *, final: bool) -> None:
        """Let the scheduler know of all that was heard since the last time."""
        run = self._run
        ready = ready_frames(self._samples, run.fps, run.engine.tail_samples, final=final)
        marks, self._marks = tuple(self._marks), []
        cached = await self._find_cached(ready)
        self._tell(SpeechGrew(run.id, ready, marks, final, 0, cached))

    async def finish(self) -> None:
        """There are no more sentences."""
        run = self._run
        if not run.sentences:
            raise MouthpieceError("the speech service had nothing to say")
        if not run.job.speech_final:
            run.job.speech_final = True
            run.job.samples = self._samples
            run.job.frames = frame_count(self._samples, run.fps)
            await run.enter(JOB_STATE_RENDERING)
        await self.tell(final=True)

    async def _find_cached(self, ready: int) -> tuple[Span, ...]:
        """Chunks that were rendered before to the same speech at the same place, without overlap."""
        run = self._run
        if run.spec.ignore_cache or self._reused >= ready:
            return ()
        found: list[Span] = []
        for rendered in await run.store.rendered(run.recipe, Span(self._reused, ready)):
            fits = rendered.frames.first >= self._reused and not run.attempted(rendered.frames)
            if fits and await self._matches(rendered):
                await self._reuse(rendered)
                found.append(rendered.frames)
        return tuple(found)

    async def _matches(self, rendered: Rendered) -> bool:
        speech = await self._library.cut(self._run.sentences, self._run.heard(rendered.frames))
        if digest(speech) != rendered.speech:
            return False
        try:
            await self._chunks.check(rendered)
        except DataLoss:
            return False
        return True

    async def _reuse(self, rendered: Rendered) -> None:
        self._hits += 1
        self._reused = rendered.frames.end
        chunk = new_chunk(f"c{self._hits}", rendered.frames, "")
        chunk.cached = True
        await self._run.store.touch(self._run.recipe, rendered)
        end_chunk(chunk, CHUNK_STATE_DONE, frames_done=len(rendered.frames))
        await self._run.update_chunk(Attempt(chunk, rendered))
