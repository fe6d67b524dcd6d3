"""MergerService: messages in, messages out; the work is done elsewhere."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import contextmanager
from typing import Any

from grpc.aio import ServicerContext

from mouthpiece.artifacts import ArtifactStore, check_sha256
from mouthpiece.core.timeline import MAX_FPS, MIN_FPS
from mouthpiece.errors import BadInput, Busy, Unavailable
from mouthpiece.logs import tag_logs
from mouthpiece.media.captions import Cue
from mouthpiece.media.credentials import SigningFailed
from mouthpiece.media.merge import MergeFormat
from mouthpiece.rpc import tracing
from mouthpiece.rpc.convert import artifact_to_proto, rational_from_proto, span_from_proto, span_to_proto
from mouthpiece.rpc.quality import quality_from_proto
from mouthpiece.scratch import sweep
from mouthpiece.settings import CommonSettings, MergerSettings
from mouthpiece.v1 import merger_pb2 as pb
from mouthpiece.v1.common_pb2 import Segment, VideoFormat
from mouthpiece.v1.merger_pb2_grpc import MergerServiceServicer
from services.merger import metrics
from services.merger.signing import CERTIFICATE, Signatory
from services.merger.work import MergeWork, StoredSegment

log = logging.getLogger(__name__)

RETRY_AFTER = 2.0
"""Seconds after which a refused caller may come back: a merge ends with its job."""

MIN_SIZE, MAX_SIZE = 64, 4096


class MergerServicer(MergerServiceServicer):
    """The merger. `load` opens what merges need."""

    def __init__(self, common: CommonSettings, settings: MergerSettings) -> None:
        self._common = common
        self._limit = settings.max_merges
        self._settings = settings
        self._signatory: Signatory | None = None
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    # ------------------------------------------------------------ life

    async def load(self) -> None:
        """Open the artifact store and the folder for unfinished movies, and see that movies can be signed.

        Raises `BadInput` that names the setting when they are to be, and cannot.
        """
        self._signatory = await asyncio.to_thread(_signatory, self._settings)
        self._artifacts = ArtifactStore.open(self._common.artifacts_url)
        self._folder = self._common.cache_folder / "merger"
        self._folder.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(sweep, self._folder.iterdir())

    async def drain(self) -> None:
        """Wait for the merges that run; their callers repeat those that are called off."""
        await self._idle.wait()

    async def close(self) -> None:
        """Nothing is open between calls."""

    # ------------------------------------------------------------ calls

    async def Merge(
        self, request_iterator: AsyncIterator[pb.MergeRequest], context: ServicerContext[Any, Any]
    ) -> AsyncGenerator[pb.MergeResponse]:
        """Merge one job."""
        requests = aiter(request_iterator)
        with self._slot():
            header = await _header(requests)
            tag_logs(job=header.job_id)
            form = _format(header.format)
            fading = quality_from_proto(header.quality, "header.quality") if header.quality else None
            work = MergeWork(
                self._folder,
                self._artifacts,
                form,
                header.title,
                header.language,
                captions=header.captions,
                fragmented=header.fragmented,
                fading=fading,
            )
            async with work:
                async for request in requests:
                    start = time.perf_counter()
                    before = work.frames, work.samples
                    await _take(work, request)
                    async for segment in work.store_segments():
                        yield _segment(segment)
                    if request.HasField("end"):
                        result = await self._finished(work, header.title, request.end)
                        size = result.video.size_bytes
                        tracing.note(frames=result.frames, size_bytes=size)
                        metrics.movie_stored(result.frames, size, time.perf_counter() - start)
                        yield pb.MergeResponse(result=result)
                        return
                    if before != (work.frames, work.samples):
                        yield _progress(work)
                raise BadInput("end", "must be sent last")

    async def _finished(self, work: MergeWork, title: str, end: pb.MergeEnd) -> pb.MergeResult:
        """Sign what a merge has made, and store it."""
        result = pb.MergeResult(frames=end.frames, samples=end.samples)
        if self._signatory is not None:
            await self._sign(self._signatory, work, title, end.provenance_json, result)
        result.video.CopyFrom(artifact_to_proto(await work.store_movie()))
        poster, captions = await work.store_poster(), await work.store_captions()
        if poster is not None:
            result.poster.CopyFrom(artifact_to_proto(poster))
        if captions is not None:
            vtt, srt = captions
            result.captions_vtt.CopyFrom(artifact_to_proto(vtt))
            result.captions_srt.CopyFrom(artifact_to_proto(srt))
        return result

    async def _sign(
        self, signatory: Signatory, work: MergeWork, title: str, provenance: str, result: pb.MergeResult
    ) -> None:
        """Sign a finished movie. Raises `Unavailable` when that fails, and it may not go out without."""
        try:
            result.signed_by = await work.sign(signatory, title, json.loads(provenance or "{}"))
        except SigningFailed as error:
            metrics.movie_signed("failed")
            log.warning("a movie could not be signed: %s", error.message)
            if self._settings.signing_failure == "fail":
                raise Unavailable(f"the video cannot be signed: {error.message}", RETRY_AFTER) from None
            result.warnings.append(f"the video could not be signed: {error.message}")
        else:
            metrics.movie_signed("signed")

    @contextmanager
    def _slot(self) -> Generator[None]:
        if self._running >= self._limit:
            raise Busy(f"{self._limit} merges are under way", RETRY_AFTER)
        self._running += 1
        self._idle.clear()
        metrics.merge_started()
        try:
            yield
        finally:
            metrics.merge_ended()
            self._running -= 1
            if not self._running:
                self._idle.set()


async def _header(requests: AsyncIterator[pb.MergeRequest]) -> pb.MergeHeader:
    first = await anext(requests, None)
    if first is None or not first.HasField("header"):
        raise BadInput("header", "must be sent first")
    return first.header


def _format(message: VideoFormat) -> MergeFormat:
    fps = rational_from_proto(message.fps, "header.format.fps")
    if not MIN_FPS <= fps <= MAX_FPS:
        raise BadInput("header.format.fps", f"{fps} is not between {MIN_FPS} and {MAX_FPS}")
    for name, size in (("width", message.width), ("height", message.height)):
        if not MIN_SIZE <= size <= MAX_SIZE or size % 2:
            raise BadInput(f"header.format.{name}", f"{size} is not even, from {MIN_SIZE} to {MAX_SIZE}")
    return MergeFormat(fps, message.width, message.height)


async def _take(work: MergeWork, request: pb.MergeRequest) -> None:
    match request.WhichOneof("part"):
        case "chunk":
            check_sha256(request.chunk.chunk.sha256, "chunk.chunk.sha256")
            frames = span_from_proto(request.chunk.frames, "chunk.frames")
            left_out = {name: getattr(request.chunk, name) for name in ("skip", "rest", "fade_frames")}
            for name, count in left_out.items():
                if count < 0:
                    raise BadInput(f"chunk.{name}", "negative")
            await work.add_chunk(frames, request.chunk.chunk.sha256, *left_out.values())
        case "speech":
            samples = span_from_proto(request.speech.samples, "speech.samples")
            await work.add_speech(samples, request.speech.pcm)
        case "caption":
            caption = request.caption
            work.add_caption(Cue(span_from_proto(caption.samples, "caption.samples"), caption.text))
        case "end":
            end = request.end
            await work.finish(end.frames, end.samples, end.provenance_json)
        case "header":
            raise BadInput("header", "must be sent once")
        case _:
            raise BadInput("part", "must be set")


def _signatory(settings: MergerSettings) -> Signatory | None:
    certificate, key = settings.signing_certificate, settings.signing_key
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise BadInput(CERTIFICATE, "a certificate and its key are needed together")
    return Signatory(certificate, key, settings.signing_timestamps)


def _segment(stored: StoredSegment) -> pb.MergeResponse:
    return pb.MergeResponse(
        segment=Segment(
            index=stored.index,
            frames=span_to_proto(stored.frames),
            media=artifact_to_proto(stored.media),
            init=artifact_to_proto(stored.init),
        )
    )


def _progress(work: MergeWork) -> pb.MergeResponse:
    return pb.MergeResponse(progress=pb.MergeProgress(frames=work.frames, samples=work.samples))
