"""One attempt: a chunk rendered by a worker, from the request to the stored result."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import grpc.aio

from mouthpiece.core.engines import EngineClass
from mouthpiece.core.scheduler.events import (
    ChunkDone,
    ChunkFailed,
    ChunkProgressed,
    Event,
    Fault,
    Render,
    Timings,
)
from mouthpiece.core.timeline import Span
from mouthpiece.errors import (
    BadInput,
    Busy,
    DataLoss,
    MouthpieceError,
    NotFound,
    Reason,
    Unavailable,
    Unmet,
)
from mouthpiece.rpc import tracing
from mouthpiece.rpc.convert import artifact_from_proto, crossing_to_proto, seconds, span_to_proto
from mouthpiece.rpc.speech_codec import slice_to_proto
from mouthpiece.rpc.status import from_rpc_error
from mouthpiece.v1.common_pb2 import ArtifactRef, ChunkReport
from mouthpiece.v1.gateway_pb2 import CHUNK_STATE_CANCELLED, CHUNK_STATE_DONE, CHUNK_STATE_FAILED
from mouthpiece.v1.lipsync_pb2 import ChunkResult, RenderChunkRequest, RenderChunkResponse
from services.gateway.chunks import Chunks, pieces
from services.gateway.database import StoreAway
from services.gateway.fleet import Fleet, Member
from services.gateway.heard import Heard, hear
from services.gateway.records import Attempt, Rendered
from services.gateway.run import JobRun, end_chunk, new_chunk
from services.gateway.speech import SpeechLibrary

log = logging.getLogger(__name__)

MEND_SECONDS = 0.1
"""Until a chain whose link turned out to be damaged is gone on with."""

STALL_SECONDS = 120.0
"""Longest silence of a worker that renders; preparing a long avatar clip is what takes longest."""

KEYFRAMES_APART = Fraction(1, 2)
"""Seconds between keyframes that are there for later edits, at least: each takes the bits of many others."""

RenderCall = grpc.aio.UnaryStreamCall[RenderChunkRequest, RenderChunkResponse]


@dataclass(frozen=True, slots=True)
class _Made:
    """A chunk, what of it other jobs may use, where the time went, and what a chain goes on from."""

    rendered: Rendered
    pieces: tuple[Rendered, ...]
    timings: Timings
    handover: ArtifactRef | None
    report: ChunkReport


class Renderer:
    """Carries out the scheduler's `Render` commands."""

    def __init__(
        self, fleet: Fleet, library: SpeechLibrary, chunks: Chunks, tell: Callable[[Event], None]
    ) -> None:
        self._tell = tell
        self._fleet = fleet
        self._library = library
        self._chunks = chunks

    async def attempt(self, run: JobRun, command: Render) -> list[Event]:
        """Render one chunk. Returns the events that end the attempt; cancelling it calls the worker off.

        Raises `StoreAway`.
        """
        try:
            with self._fleet.hold(command.worker) as member:
                return await self._attempt(run, command, member)
        except StoreAway:
            raise
        except Unavailable as error:
            return [ChunkFailed(run.id, command.attempt, error.message, Fault.NOBODY)]

    async def _attempt(self, run: JobRun, command: Render, member: Member) -> list[Event]:
        chunk = new_chunk(command.attempt, command.span, member.name)
        await run.update_chunk(Attempt(chunk))
        try:
            made = await self._render(run, command, member)
        except asyncio.CancelledError:
            end_chunk(chunk, CHUNK_STATE_CANCELLED)
            raise
        except grpc.aio.AioRpcError as error:
            told = await self._looked_into(run, command, from_rpc_error(error))
            return await self._failed(run, command, told, _is_transport(error))
        except MouthpieceError as error:
            return await self._failed(run, command, error, broken=False)
        if made.handover is not None:
            chunk.handover.CopyFrom(made.handover)
        chunk.report.CopyFrom(made.report)
        end_chunk(chunk, CHUNK_STATE_DONE, frames_done=len(command.span))
        await run.update_chunk(Attempt(chunk, made.rendered, made.pieces))
        return [ChunkDone(run.id, command.attempt, made.timings)]

    async def _render(self, run: JobRun, command: Render, member: Member) -> _Made:
        await self._mend_chain(run, command, member)
        heard = await hear(run, self._library, command.span)
        loop = asyncio.get_running_loop()
        start = loop.time()
        result = await self._call(run, command, member, heard)
        timings = _timings(result, loop.time() - start)
        rendered = _check(run, command, result, heard.digest)
        for warning in result.warnings:
            run.warn(warning)
        try:
            keyframes = await self._chunks.check(rendered)
        except DataLoss as error:
            raise _Distrust(error.message) from None
        parts = await self._pieces(run, rendered, keyframes)
        handover = result.handover if result.HasField("handover") else None
        return _Made(rendered, parts, timings, handover, result.report)

    async def _pieces(self, run: JobRun, rendered: Rendered, keyframes: list[int]) -> tuple[Rendered, ...]:
        """What of a chunk other jobs may use, by its place in the motion.

        Any group of pictures, if frames do not depend on the chunk.
        """
        if not run.reusable:
            return ()
        windowed = run.engine.engine_class is EngineClass.WINDOWED
        found: list[Rendered] = []
        for piece in pieces(rendered, keyframes if windowed else [0]):
            heard = await hear(run, self._library, piece.frames)
            found.append(replace(piece, frames=heard.course.frames, speech=heard.digest))
        return tuple(found)

    async def _mend_chain(self, run: JobRun, command: Render, member: Member) -> None:
        """See to it that what the chunk before handed over is there.

        Where it is not, that chunk is rendered again, and those before it as far as need be. Its frames were
        given out: they stay as they are.
        """
        links: list[Attempt] = []
        at = command.span.first
        while (link := run.link(at)) and not await self._chunks.stored(link.chunk.handover.sha256):
            links.append(link)
            at = link.chunk.frames.first
        for link in reversed(links):
            chunk = link.chunk
            log.warning("job %s: what %s handed over is gone, it is rendered again", run.id, chunk.id)
            again = replace(command, span=Span(chunk.frames.first, chunk.frames.end))
            heard = await hear(run, self._library, again.span)
            result = await self._call(run, again, member, heard)
            if not result.HasField("handover"):
                raise _Distrust("nothing was handed over")
            chunk.handover.CopyFrom(result.handover)
            await run.update_chunk(link)

    async def _looked_into(self, run: JobRun, command: Render, error: MouthpieceError) -> MouthpieceError:
        """Why an attempt failed: if what was handed over to it is damaged, then by nobody's fault."""
        link = run.link(command.span.first)
        if link is None or not isinstance(error, NotFound | DataLoss):
            return error
        if await self._chunks.intact(link.chunk.handover.sha256):
            return error
        return Unavailable(f"what {link.chunk.id} handed over is gone: {error.message}", MEND_SECONDS)

    async def _call(self, run: JobRun, command: Render, member: Member, heard: Heard) -> ChunkResult:
        call = member.stub.RenderChunk(_request(run, command, heard), metadata=tracing.metadata())
        try:
            return await self._follow(run, command, call)
        finally:
            call.cancel()

    async def _follow(self, run: JobRun, command: Render, call: RenderCall) -> ChunkResult:
        chunk = run.attempts[command.attempt].chunk
        mending = chunk.frames.first != command.span.first
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(STALL_SECONDS) as limit:
                async for message in call:
                    limit.reschedule(loop.time() + STALL_SECONDS)
                    if message.HasField("result"):
                        return message.result
                    if mending:
                        continue
                    chunk.frames_done = message.progress.frames_done
                    self._tell(ChunkProgressed(run.id, command.attempt, chunk.frames_done))
                    run.show()
        except TimeoutError:
            raise _Distrust(f"no sign of life for {STALL_SECONDS:g} s") from None
        raise _Distrust("the worker ended the call without a result")

    async def give_up(self, run: JobRun, command: Render, error: MouthpieceError) -> list[Event]:
        """End an attempt that broke for a reason of our own."""
        return await self._failed(run, command, error, broken=False)

    async def _failed(
        self, run: JobRun, command: Render, error: MouthpieceError, broken: bool
    ) -> list[Event]:
        chunk = run.attempts[command.attempt].chunk
        end_chunk(chunk, CHUNK_STATE_FAILED, error=error.message)
        await run.update_chunk(Attempt(chunk))
        if broken:
            self._fleet.lose(command.worker, error.message)
        retry_after = error.retry_after if isinstance(error, Busy | Unavailable) else 0.0
        fault = Fault.ATTEMPT if broken else blame(error)
        return [ChunkFailed(run.id, command.attempt, error.message, fault, retry_after)]


class _Distrust(MouthpieceError):
    """A worker went silent, or its answer cannot be true. It is not to be trusted."""


_UNMET = {
    Reason.NO_FACE: Fault.JOB,
    # The worker was upgraded a moment ago: it will say so.
    Reason.ENGINE_UNKNOWN: Fault.NOBODY,
}


def blame(error: MouthpieceError) -> Fault:
    """Whose fault an attempt's failure was, told from what the worker answered."""
    match error:
        case Busy() | Unavailable():
            return Fault.NOBODY
        case BadInput():
            return Fault.JOB
        case Unmet():
            return _UNMET.get(error.reason, Fault.ATTEMPT)
        case _Distrust():
            return Fault.WORKER
        case _:
            return Fault.ATTEMPT


def _request(run: JobRun, command: Render, heard: Heard) -> RenderChunkRequest:
    return RenderChunkRequest(
        job_id=run.id,
        attempt_id=command.attempt,
        engine=run.engine.name,
        engine_version=run.engine.version,
        avatar_sha256=run.spec.avatar_sha256,
        format=run.job.format,
        quality=run.spec.quality,
        frames=span_to_proto(heard.course.frames),
        speech=slice_to_proto(heard.speech),
        crossings=map(crossing_to_proto, heard.course.crossings),
        seed=run.job.seed,
        prompt=run.spec.prompt,
        handover=run.handover(command.span.first),
        fade_frames=run.fade_frames,
        keyframes=_keyframes(run, command.span),
        encoder=run.job.encoder,
        background=run.spec.background if run.spec.HasField("background") else None,
        label=run.job.provenance.label if run.job.provenance.HasField("label") else None,
        enhancement=run.spec.enhancement if run.spec.HasField("enhancement") else None,
    )


def _keyframes(run: JobRun, frames: Span) -> list[int]:
    """Frames, counted from a chunk's first, up to which and from which an edit of one sentence changes it."""
    if run.engine.engine_class is not EngineClass.WINDOWED:
        return []
    ends = [stored.sentence.samples.end for stored in run.sentences]
    borders = {
        frame for end in ends for frame in (run.reach.first_to_hear(end), run.reach.first_not_to_hear(end))
    }
    found: list[int] = []
    last = frames.first
    for frame in sorted(borders):
        if last + run.fps * KEYFRAMES_APART <= frame < frames.end:
            found.append(frame - frames.first)
            last = frame
    return found


def _check(run: JobRun, command: Render, result: ChunkResult, speech: str) -> Rendered:
    """Refuse a result that cannot be part of the job."""
    lead = run.lead(command.span)
    if result.frames != lead + len(command.span):
        raise _Distrust(f"{result.frames} frames came back for {lead + len(command.span)}")
    known = next(iter(run.rendered.values()), None)
    if known is not None and known.codec != result.codec_sha256:
        raise _Distrust("its encoder does not fit the job's other chunks")
    artifact = artifact_from_proto(result.chunk)
    return Rendered(command.span, speech, artifact, result.codec_sha256, skip=lead)


def _timings(result: ChunkResult, wall: float) -> Timings:
    prep = seconds(result.prepare_time)
    work = seconds(result.render_time) + seconds(result.encode_time)
    return Timings(prep, max(0.0, wall - prep - work), work)


def _is_transport(error: grpc.aio.AioRpcError) -> bool:
    """Whether the connection broke, as opposed to a worker that said it is not available."""
    return error.code() is grpc.StatusCode.UNAVAILABLE and not error.trailing_metadata()
