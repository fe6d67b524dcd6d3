"""A job's chunks and speech become one file, while chunks are still being rendered."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import grpc.aio

from mouthpiece.core.speech import BYTES_PER_SAMPLE, Sentence
from mouthpiece.core.timeline import Span
from mouthpiece.errors import BadInput, Busy, DataLoss, MouthpieceError, NotFound, Unavailable
from mouthpiece.media.captions import Cue, cues
from mouthpiece.rpc import tracing
from mouthpiece.rpc.convert import artifact_to_proto, span_to_proto
from mouthpiece.rpc.speech_codec import sentence_from_proto
from mouthpiece.rpc.status import from_rpc_error
from mouthpiece.text.shown import as_shown
from mouthpiece.v1 import common_pb2
from mouthpiece.v1.merger_pb2 import (
    MergeCaption,
    MergeChunk,
    MergeEnd,
    MergeHeader,
    MergeRequest,
    MergeResult,
    MergeSpeech,
)
from mouthpiece.v1.tts_pb2 import MARKUP_SSML
from services.gateway.chunks import Chunks
from services.gateway.database import StoreAway
from services.gateway.provenance import as_json, completed
from services.gateway.records import Rendered, StoredSentence
from services.gateway.run import JobRun
from services.gateway.speech import SpeechLibrary

if TYPE_CHECKING:
    from mouthpiece.v1.merger_pb2_grpc import MergerServiceAsyncStub

log = logging.getLogger(__name__)

PATIENCE = 40
"""Times that an absent merger is asked again once all chunks are there, about five minutes in all."""


class Merging:
    """Feeds the merger."""

    def __init__(
        self,
        stub: MergerServiceAsyncStub,
        library: SpeechLibrary,
        chunks: Chunks,
        take_back: Callable[[JobRun, Sequence[Span]], Awaitable[None]],
    ) -> None:
        self._stub = stub
        self._library = library
        self._chunks = chunks
        self._take_back = take_back

    async def merge(self, run: JobRun) -> MergeResult:
        """Merge a run that is being rendered. Begins at its first segment; a broken call is begun anew."""
        while not (run.segments or run.complete):
            await run.moved.wait()
        tries = 0
        while True:
            try:
                return await self._once(run)
            except StoreAway:
                raise
            except (Unavailable, Busy) as error:
                tries += run.complete
                if tries > PATIENCE:
                    raise
                log.warning("job %s: the merger is away: %s", run.id, error.message)
                await asyncio.sleep(min(8.0, max(0.5, error.retry_after)))
            except MouthpieceError as error:
                # A broken stream may show as INTERNAL, whatever broke it; what is wrong will show again.
                lost = await self._lost(run)
                tries += PATIENCE // 3
                final = isinstance(error, BadInput | NotFound | DataLoss)
                if tries > PATIENCE or (final and not lost):
                    raise
                log.warning(
                    "job %s: the merge broke, %d chunks are lost: %s", run.id, len(lost), error.message
                )
                if lost:
                    await self._take_back(run, lost)

    async def _lost(self, run: JobRun) -> list[Span]:
        """Segments whose artifacts are damaged or gone."""
        lost: list[Span] = []
        for span in list(run.segments):
            try:
                await self._chunks.check(run.rendered[span])
            except DataLoss:
                lost.append(span)
        return lost

    async def _once(self, run: JobRun) -> MergeResult:
        call = self._stub.Merge(self._requests(run), metadata=tracing.metadata())
        try:
            async for message in call:
                if message.HasField("segment"):
                    await run.publish(message.segment)
                if message.HasField("result"):
                    return message.result
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # gRPC calls a stream off when what makes its requests fails, and logs why.
            raise MouthpieceError("what is to be merged cannot be sent") from None
        finally:
            call.cancel()
        raise MouthpieceError("the merger ended the call without a result")

    async def _requests(self, run: JobRun) -> AsyncGenerator[MergeRequest]:
        yield MergeRequest(
            header=MergeHeader(
                job_id=run.id,
                format=run.job.format,
                title=run.spec.title,
                language=run.job.language,
                captions=run.spec.captions,
                quality=_fading(run),
                fragmented=run.spec.optimize_streaming,
            )
        )
        sent, sentences, complete, speech = 0, 0, False, hashlib.sha256()
        while not complete:
            moved, complete = run.moved, run.complete
            async for request in self._speech(run, sentences):
                sentences += 1
                speech.update(request.speech.pcm)
                yield request
            for frames in run.segments[sent:]:
                sent += 1
                yield MergeRequest(chunk=_chunk(run.rendered[frames], run.lead(frames)))
            if not complete:
                await moved.wait()
        for cue in await asyncio.to_thread(_captions, run) if run.spec.captions else ():
            yield MergeRequest(caption=MergeCaption(samples=span_to_proto(cue.samples), text=cue.text))
        shown = [(span, run.rendered[span].chunk.sha256) for span in run.segments]
        record = completed(run.job, run.sentences, shown, speech.hexdigest(), approximate=run.fade_frames > 0)
        run.job.provenance.CopyFrom(record)
        yield MergeRequest(
            end=MergeEnd(frames=run.job.frames, samples=run.samples, provenance_json=as_json(record))
        )

    async def _speech(self, run: JobRun, first: int) -> AsyncGenerator[MergeRequest]:
        """Sentences from one on, as far as there are."""
        for stored in run.sentences[first:]:
            sentence = await self._library.sentence(stored)
            yield MergeRequest(speech=MergeSpeech(samples=stored.sentence.samples, pcm=sentence.pcm))


def _captions(run: JobRun) -> list[Cue]:
    is_ssml = run.spec.markup == MARKUP_SSML
    return cues((_as_read(stored, is_ssml=is_ssml) for stored in run.sentences), run.job.language)


def _as_read(stored: StoredSentence, *, is_ssml: bool) -> Sentence:
    """A sentence of which only the times are wanted, and the text without its markup."""
    sentence = _soundless(stored)
    return replace(sentence, text=as_shown(sentence.text)) if is_ssml else sentence


def _soundless(stored: StoredSentence) -> Sentence:
    """A sentence of which only text and times are wanted."""
    message = common_pb2.Sentence()
    message.CopyFrom(stored.sentence)
    message.pcm = bytes(BYTES_PER_SAMPLE * (message.samples.end - message.samples.first))
    return sentence_from_proto(message)


def _fading(run: JobRun) -> common_pb2.Quality.ValueType:
    """Quality of what the merger encodes; unspecified when it encodes nothing."""
    exact = not run.fade_frames
    return common_pb2.QUALITY_UNSPECIFIED if exact else run.spec.quality or common_pb2.QUALITY_MEDIUM


def _chunk(rendered: Rendered, fade: int) -> MergeChunk:
    return MergeChunk(
        frames=span_to_proto(rendered.frames),
        chunk=artifact_to_proto(rendered.chunk),
        skip=rendered.skip,
        rest=rendered.rest,
        fade_frames=fade,
    )
