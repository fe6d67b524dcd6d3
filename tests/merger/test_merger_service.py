"""The merger over gRPC, with a real store and real chunks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc.aio
import numpy as np
import pytest

from mouthpiece.artifacts import Artifact, ArtifactStore
from mouthpiece.core.timeline import Span
from mouthpiece.errors import BadInput, Busy, DataLoss, MouthpieceError, NotFound
from mouthpiece.media.merge import SYNTHETIC_MARK
from mouthpiece.media.probe import decode_frames, index_comes_first, read_movie
from mouthpiece.rpc.channel import dial
from mouthpiece.rpc.convert import artifact_to_proto, rational_to_proto, span_to_proto
from mouthpiece.rpc.server import serving
from mouthpiece.rpc.status import from_rpc_error
from mouthpiece.settings import CommonSettings, MergerSettings
from mouthpiece.v1 import merger_pb2 as pb
from mouthpiece.v1.common_pb2 import VideoFormat
from mouthpiece.v1.merger_pb2_grpc import MergerServiceStub
from services.merger.__main__ import program
from tests.support.media_chunks import NTSC, encode, pictures, samples_for, spans, tone
from tests.support.media_packets import packets
from tests.support.nasty_messages import nasty, with_one_nasty
from tests.support.small_disk import leave_free, small_disk

CUTS = (0, 25, 26, 60)
SPEECH = tone(samples_for(60, NTSC)).tobytes()
LIMIT = 20


@dataclass
class Service:
    """A merger on loopback, its store and its folder for unfinished movies."""

    stub: Any
    store: ArtifactStore
    folder: Path
    servicer: Any
    chunks: dict[Span, Artifact]

    async def merge(self, requests: Iterable[pb.MergeRequest] | AsyncIterable[pb.MergeRequest]) -> Any:
        """All responses. Raises the error that the call ends with."""
        try:
            return [message async for message in self.stub.Merge(requests, timeout=LIMIT)]
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None


@pytest.fixture
async def service(tmp_path: Path) -> AsyncGenerator[Service]:
    async with merger_with_chunks(CommonSettings(data=tmp_path / "data"), tmp_path) as running:
        yield running


@asynccontextmanager
async def merger_with_chunks(common: CommonSettings, tmp_path: Path) -> AsyncGenerator[Service]:
    merger = program(common, MergerSettings(max_merges=2))
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(serving(merger, "127.0.0.1", 0, 5))
        stub = MergerServiceStub(await stack.enter_async_context(dial(running.address)))
        store = ArtifactStore.open(common.artifacts_url)
        chunks = {
            span: await store.put_file(encode(tmp_path / f"{span.first}.mp4", span, NTSC, height=64))
            for span in spans(CUTS)
        }
        yield Service(stub, store, common.cache_folder / "merger", merger.servicer, chunks)


def header(fps: Fraction = NTSC, width: int = 64, height: int = 64) -> pb.MergeRequest:
    form = VideoFormat(fps=rational_to_proto(fps), width=width, height=height)
    return pb.MergeRequest(header=pb.MergeHeader(job_id="j", format=form, language="de"))


def speech(first: int, end: int) -> pb.MergeRequest:
    samples = span_to_proto(Span(first, end))
    return pb.MergeRequest(speech=pb.MergeSpeech(samples=samples, pcm=SPEECH[2 * first : 2 * end]))


def chunk(span: Span, artifact: Artifact) -> pb.MergeRequest:
    return pb.MergeRequest(chunk=pb.MergeChunk(frames=span_to_proto(span), chunk=artifact_to_proto(artifact)))


def end(frames: int = 60, samples: int = len(SPEECH) // 2, provenance: str = "{}") -> pb.MergeRequest:
    return pb.MergeRequest(end=pb.MergeEnd(frames=frames, samples=samples, provenance_json=provenance))


def whole_job(service: Service) -> list[pb.MergeRequest]:
    chunks = [chunk(span, artifact) for span, artifact in service.chunks.items()]
    return [header(), speech(0, 9), *chunks, speech(9, len(SPEECH) // 2), end()]


async def test_chunks_and_speech_become_a_movie_in_the_store(service: Service, tmp_path: Path) -> None:
    *others, last = await service.merge(whole_job(service))
    assert (last.result.frames, last.result.samples) == (60, len(SPEECH) // 2)
    assert [message.progress.frames for message in others if message.HasField("progress")] == [60]
    path = tmp_path / "movie.mp4"
    path.write_bytes(await service.store.get_bytes(last.result.video.sha256))
    assert path.stat().st_size == last.result.video.size_bytes
    assert index_comes_first(path)
    assert all(map(np.array_equal, decode_frames(path), pictures(range(60), height=64)))
    audio = read_movie(path).audio
    assert audio
    assert (audio.language, audio.duration) == ("deu", Fraction(len(SPEECH) // 2, 48000))


async def test_a_movie_comes_with_a_picture_of_it_that_says_what_it_is(service: Service) -> None:
    poster = await service.store.get_bytes((await service.merge(whole_job(service)))[-1].result.poster.sha256)
    assert poster.startswith(b"\xff\xd8")
    assert SYNTHETIC_MARK.encode() in poster


async def test_merging_again_gives_the_same_movie(service: Service) -> None:
    first, again = [(await service.merge(whole_job(service)))[-1] for _ in range(2)]
    assert first.result == again.result


async def test_segments_in_order_are_one_movie_of_the_same_packets(service: Service) -> None:
    *others, last = await service.merge(whole_job(service))
    segments = [message.segment for message in others if message.HasField("segment")]
    assert [(segment.frames.first, segment.frames.end) for segment in segments] == list(pairwise(CUTS))
    assert [segment.index for segment in segments] == [0, 1, 2]
    assert len({segment.init.sha256 for segment in segments}) == 1
    parts = [segments[0].init, *(segment.media for segment in segments)]
    grown = b"".join([await service.store.get_bytes(part.sha256) for part in parts])
    movie = await service.store.get_bytes(last.result.video.sha256)
    assert packets(grown) == packets(movie)


async def test_a_merge_that_is_repeated_gives_the_same_segments(service: Service) -> None:
    whole = whole_job(service)
    speech_first = [whole[0], whole[1], whole[-2], *whole[2:-2], whole[-1]]
    first, again = [await service.merge(requests) for requests in (whole, speech_first)]
    chosen = [[m.segment for m in messages if m.HasField("segment")] for messages in (first, again)]
    assert len(chosen[0]) == 3
    assert chosen[0] == chosen[1]


async def test_progress_is_told_while_the_rest_is_not_there_yet(service: Service) -> None:
    call = service.stub.Merge(timeout=LIMIT)
    for request in (header(), speech(0, len(SPEECH) // 2)):
        await call.write(request)
    last = max(span.end for span in service.chunks)
    for span, artifact in service.chunks.items():
        await call.write(chunk(span, artifact))
        if span.end < last:  # the last segment waits for the end of the sound
            assert (await call.read()).segment.frames.end == span.end
        assert (await call.read()).progress.frames == span.end
    await call.write(end())
    assert (await call.read()).segment.frames.end == last
    assert (await call.read()).HasField("result")


async def test_a_finished_merge_leaves_no_files_behind(service: Service) -> None:
    await service.merge(whole_job(service))
    await service.servicer.drain()
    assert not list(service.folder.iterdir())


async def test_a_merge_that_is_called_off_leaves_nothing_behind(service: Service) -> None:
    call = service.stub.Merge(timeout=LIMIT)
    for request in whole_job(service)[:-1]:
        await call.write(request)
    assert [(await call.read()).segment.index for _ in range(2)] == [0, 1]
    assert (await call.read()).progress.frames == 60
    assert list(service.folder.iterdir())
    call.cancel()
    await asyncio.wait_for(service.servicer.drain(), LIMIT)
    assert not list(service.folder.iterdir())
    kept = [path for path in (service.folder.parents[1] / "artifacts").rglob("*") if path.is_file()]
    assert len(kept) == len(service.chunks) + 3  # two segments, and what goes in front of them


async def test_one_merge_too_many_is_told_when_to_come_back(service: Service) -> None:
    calls = [service.stub.Merge(timeout=LIMIT) for _ in range(2)]
    for call in calls:
        for request in whole_job(service)[:-1]:
            await call.write(request)
        await call.read()
    with pytest.raises(Busy) as caught:
        await service.merge(whole_job(service))
    assert caught.value.retry_after > 0
    await calls[0].write(end())
    rest = [(await calls[0].read()).WhichOneof("part") for _ in range(4)]
    assert rest == ["segment", "progress", "segment", "result"]
    assert await calls[0].read() is grpc.aio.EOF
    assert (await service.merge(whole_job(service)))[-1].HasField("result")


async def refusal(service: Service, *requests: pb.MergeRequest) -> MouthpieceError:
    with pytest.raises(MouthpieceError) as caught:
        await service.merge(requests)
    await service.servicer.drain()
    assert not list(service.folder.iterdir())
    return caught.value


def field_of(error: MouthpieceError) -> str:
    assert isinstance(error, BadInput)
    return error.violations[0].field


async def test_messages_out_of_order_are_refused(service: Service) -> None:
    assert field_of(await refusal(service)) == "header"
    assert field_of(await refusal(service, speech(0, 9), header())) == "header"
    assert field_of(await refusal(service, header(), header())) == "header"
    assert field_of(await refusal(service, header(), pb.MergeRequest())) == "part"
    assert field_of(await refusal(service, header(), speech(0, 9))) == "end"


async def test_a_format_that_no_chunk_can_have_is_refused(service: Service) -> None:
    assert field_of(await refusal(service, header(width=63))) == "header.format.width"
    assert field_of(await refusal(service, header(width=-2))) == "header.format.width"
    assert field_of(await refusal(service, header(height=8192))) == "header.format.height"
    assert field_of(await refusal(service, header(fps=Fraction(4)))) == "header.format.fps"
    assert field_of(await refusal(service, header(fps=Fraction(0)))) == "header.format.fps"


async def test_gaps_and_wrong_spans_are_refused(service: Service) -> None:
    span, artifact = next(iter(service.chunks.items()))
    late = chunk(Span(1, 26), artifact)
    assert field_of(await refusal(service, header(), late)) == "chunk.frames"
    negative = chunk(span, artifact)
    negative.chunk.frames.first = -1
    assert field_of(await refusal(service, header(), negative)) == "chunk.frames"
    assert field_of(await refusal(service, header(), speech(1, 9))) == "speech.samples"
    longer = chunk(Span(0, 26), artifact)
    everything = speech(0, len(SPEECH) // 2)
    assert field_of(await refusal(service, header(), everything, longer)) == "chunk.chunk"


async def test_totals_that_were_not_reached_are_refused(service: Service) -> None:
    *job, _ = whole_job(service)
    assert field_of(await refusal(service, *job, end(frames=61))) == "end.frames"
    assert field_of(await refusal(service, *job, end(samples=5))) == "end.samples"
    assert field_of(await refusal(service, *job, end(provenance="nonsense"))) == "end.provenance_json"


async def test_a_chunk_that_is_not_in_the_store_is_not_found(service: Service) -> None:
    unknown = chunk(Span(0, 25), Artifact("0" * 64, 1))
    assert isinstance(await refusal(service, header(), unknown), NotFound)
    unnamed = chunk(Span(0, 25), Artifact("../../etc/passwd", 1))
    assert field_of(await refusal(service, header(), unnamed)) == "chunk.chunk.sha256"


async def test_a_damaged_chunk_is_data_loss(service: Service) -> None:
    span, artifact = next(iter(service.chunks.items()))
    stored = service.folder.parents[1] / "artifacts" / artifact.sha256[:2] / artifact.sha256
    stored.write_bytes(stored.read_bytes()[:-1] + b"!")
    assert isinstance(await refusal(service, header(), chunk(span, artifact)), DataLoss)


async def test_what_is_in_the_store_but_no_chunk_is_refused(service: Service) -> None:
    text = await service.store.put_bytes(b"hello")
    error = await refusal(service, header(), speech(0, len(SPEECH) // 2), chunk(Span(0, 25), text))
    assert field_of(error) == "chunk.chunk"


async def test_a_merge_that_does_not_fit_leaves_nothing_and_may_come_again(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        common = CommonSettings(data=tmp_path / "data", cache=disk)
        async with merger_with_chunks(common, tmp_path) as service:
            ballast = leave_free(disk, 150_000)
            error = await refusal(service, *whole_job(service))
            assert isinstance(error, Busy)
            assert error.retry_after > 0
            ballast.unlink()
            assert (await service.merge(whole_job(service)))[-1].HasField("result")


async def test_messages_with_anything_in_them_are_refused_in_our_own_words(service: Service) -> None:
    asked = [[header(), *(nasty(pb.MergeRequest, 5 * seed + at) for at in range(5))] for seed in range(30)]
    asked += [[with_one_nasty(header(), seed), speech(0, 9), end()] for seed in range(30)]
    for requests in asked:
        with pytest.raises((BadInput, NotFound)):
            await service.merge(requests)
    await service.servicer.drain()
    assert not list(service.folder.iterdir())
