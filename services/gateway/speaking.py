"""A job's speech: from what was spoken before, and from the speech service, sentence by sentence."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc.aio

from mouthpiece.core.editing import Edit
from mouthpiece.core.scheduler.events import Event
from mouthpiece.core.speech import BYTES_PER_SAMPLE
from mouthpiece.core.timeline import Span
from mouthpiece.errors import Busy, MouthpieceError, Unavailable
from mouthpiece.rpc.status import from_rpc_error
from mouthpiece.v1.gateway_pb2 import JOB_STATE_SPEAKING, Job, JobSpec
from mouthpiece.v1.tts_pb2 import ImportSpeechResponse, PlannedSentence, SynthesizeResponse
from services.gateway.admission import start_speech
from services.gateway.chunks import Chunks
from services.gateway.editing import edit_of
from services.gateway.growth import Growth
from services.gateway.placing import move, placed
from services.gateway.records import StoredSentence
from services.gateway.run import JobRun
from services.gateway.speech import SpeechLibrary

if TYPE_CHECKING:
    from mouthpiece.v1.tts_pb2_grpc import SpeechServiceAsyncStub

log = logging.getLogger(__name__)

REFERENCE_VOICE = "reference"
"""Voice of a job whose voice reference became the speech."""

PATIENCE = 40
"""Times that an absent speech service is asked again, about five minutes in all."""


_NO_END = 1 << 31
_Message = SynthesizeResponse | ImportSpeechResponse


def speech_key(spec: JobSpec) -> str:
    """Names what is said and how: two recordings with equal keys may share one import."""
    said = JobSpec(
        audio_sha256=spec.audio_sha256,
        language=spec.language,
        voice=spec.voice,
        text=spec.text,
        sound=spec.sound,
        pronunciations=spec.pronunciations,
    )
    return hashlib.sha256(said.SerializeToString(deterministic=True)).hexdigest()


def spoken_spec(job: Job) -> JobSpec:
    """What is to be spoken: what the spec says, or the voice reference where it stands in for that."""
    if job.voice != REFERENCE_VOICE:
        return job.spec
    return JobSpec(audio_sha256=job.spec.voice_reference_sha256, sound=job.spec.sound)


class _ReferenceInstead(Exception):
    """The voice failed, and the reference is the speech."""


@dataclass
class _Text:
    """What is to be said, what of it was spoken before, and of which text it is an edit."""

    plan: Sequence[PlannedSentence]
    known: dict[str, StoredSentence] = field(default_factory=dict)
    edit: Edit | None = None

    def is_known(self, index: int) -> bool:
        return index < len(self.plan) and self.plan[index].key in self.known

    def sounds(self) -> list[str | None]:
        """Artifacts with the sentences' sound, as far as there are."""
        return [self.known[planned.key].pcm if planned.key in self.known else None for planned in self.plan]

    def next_known(self, index: int) -> int:
        return next((at for at in range(index, len(self.plan)) if self.is_known(at)), len(self.plan))


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
        growth = Growth(run, self._library, self._chunks, self._tell)
        for stored in run.sentences:
            await growth.hear(stored)
        if not run.job.speech_final:
            async with self._turns:
                await run.enter(JOB_STATE_SPEAKING)
                if not spoken_spec(run.job).audio_sha256:
                    try:
                        await self._say(run, growth)
                    except _ReferenceInstead:
                        run.job.voice = REFERENCE_VOICE
                if spoken_spec(run.job).audio_sha256:
                    await self._hear(run, growth)
        await growth.finish()

    async def _hear(self, run: JobRun, growth: Growth) -> None:
        """Take the recording as the speech, or what an earlier job made of it."""
        known = [] if run.sentences else await run.store.same_speech(speech_key(spoken_spec(run.job)))
        if known and all([await self._library.holds(stored.pcm) for stored in known]):
            run.recalled = len(known)
            for stored in known:
                await _add(run, growth, stored)
            return
        async for message in self._messages(run, Span(len(run.sentences), _NO_END)):
            sentence = message.sentence
            # The recording may be decoded anew after a restart: pieces follow those that are there.
            move(sentence, run.samples, sentence.source.first, sentence.index)
            await _add(run, growth, await self._library.keep(sentence))
            await growth.tell(final=False)

    async def _say(self, run: JobRun, growth: Growth) -> None:
        """Speak the text; what was spoken so before is not spoken again."""
        text = _Text(await self._plan(run))
        await self._recall(run, text)
        text.edit = await edit_of(run, text.sounds())
        async with aclosing(self._spoken(run, text, len(run.sentences))) as sentences:
            async for stored in sentences:
                index = len(run.sentences)
                await _add(run, growth, await self._placed(run, text, stored))
                if not text.is_known(index + 1):
                    # What is known comes at once, and may bring frames that need not be rendered.
                    await growth.tell(final=False)

    async def _plan(self, run: JobRun) -> Sequence[PlannedSentence]:
        async for message in self._messages(run, None):
            if message.HasField("outline"):
                return message.outline.plan
        raise MouthpieceError("the speech service sent no outline")

    async def _recall(self, run: JobRun, text: _Text) -> None:
        """Look up what was spoken before, and is still there."""
        keys = [planned.key for planned in text.plan]
        found = await run.store.cache.spoken(keys)
        there = await asyncio.gather(*(self._library.holds(stored.pcm) for stored in found.values()))
        text.known = {key: stored for (key, stored), held in zip(found.items(), there, strict=True) if held}
        await run.store.cache.forget_spoken([key for key in found if key not in text.known])
        run.recalled = sum(key in text.known for key in keys)

    async def _spoken(self, run: JobRun, text: _Text, first: int) -> AsyncGenerator[StoredSentence]:
        """The sentences of a text from one on, each as if it were alone; asked for where not known."""
        at = first
        while at < len(text.plan):
            if text.is_known(at):
                yield text.known[text.plan[at].key]
                at += 1
                continue
            wanted = Span(at, text.next_known(at))
            async with aclosing(self._newly_spoken(run, text, wanted)) as sentences:
                async for stored in sentences:
                    yield stored
                    at += 1
            if at < wanted.end:
                raise MouthpieceError("the speech service left sentences out")

    async def _newly_spoken(self, run: JobRun, text: _Text, wanted: Span) -> AsyncGenerator[StoredSentence]:
        as_planned = True
        async for message in self._messages(run, wanted):
            if isinstance(message, SynthesizeResponse) and message.HasField("notice"):
                # Another engine speaks: this is not the sound that the keys stand for.
                run.warn(message.notice.warning)
                if not message.notice.engine:
                    raise _ReferenceInstead
                as_planned = False
                continue
            sentence = message.sentence
            key = text.plan[sentence.index].key
            move(sentence, 0, 0, 0)
            stored = await self._library.keep(sentence)
            if as_planned:
                size = BYTES_PER_SAMPLE * await self._library.sounding(stored)
                stored = await run.store.cache.keep_spoken(key, stored, size)
            text.known[key] = stored
            yield stored

    async def _placed(self, run: JobRun, text: _Text, stored: StoredSentence) -> StoredSentence:
        """A sentence as the next one of a run."""
        sounding = await self._library.sounding(stored)
        source = text.plan[len(run.sentences)].source.first
        return StoredSentence(placed(stored.sentence, sounding, source, run.sentences, text.edit), stored.pcm)

    # ------------------------------------------------------------ the speech service

    async def _messages(self, run: JobRun, wanted: Span | None) -> AsyncGenerator[_Message]:
        """Some sentences, or without any the outline; asked again as long as the service is merely away."""
        for _ in range(PATIENCE):
            try:
                async for message in self._stream(run, wanted):
                    if wanted and message.HasField("sentence"):
                        wanted = Span(message.sentence.index + 1, wanted.end)
                    yield message
            except grpc.aio.AioRpcError as error:
                fault = from_rpc_error(error)
                if not isinstance(fault, Unavailable | Busy):
                    raise fault from None
                log.warning("job %s: the speech service is away: %s", run.id, fault.message)
                await asyncio.sleep(min(8.0, max(0.5, fault.retry_after)))
            else:
                return
        raise Unavailable("the speech service stayed away")

    async def _stream(self, run: JobRun, wanted: Span | None) -> AsyncGenerator[_Message]:
        call = start_speech(self._stub, spoken_spec(run.job), sentences=wanted)
        try:
            async for message in call:
                if _is_wanted(message, wanted):
                    yield message
        finally:
            call.cancel()


def _is_wanted(message: _Message, wanted: Span | None) -> bool:
    if wanted is None or message.HasField("outline"):
        return wanted is None
    return not message.HasField("sentence") or wanted.first <= message.sentence.index < wanted.end


async def _add(run: JobRun, growth: Growth, stored: StoredSentence) -> None:
    await run.add_sentence(stored, final=False)
    await growth.hear(stored)
