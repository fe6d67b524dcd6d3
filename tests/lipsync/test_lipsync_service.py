"""The lip-sync service as its callers see it, over real gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mouthpiece.errors import BadInput, Busy, DataLoss, MouthpieceError, NotFound, Reason, Unavailable, Unmet
from mouthpiece.media.probe import decode_frames, read_chunk
from mouthpiece.settings import LipSyncSettings
from mouthpiece.v1 import common_pb2
from mouthpiece.v1 import lipsync_pb2 as pb
from services.lipsync import engines
from services.lipsync.engines.timed import read_number
from tests.support.lipsync_media import Picture, scaled, write_picture, write_video
from tests.support.lipsync_worker import (
    PATIENCE,
    SIDE,
    HeldEngine,
    Service,
    chunk_request,
    connected,
    error_of,
    service,
    silence,
    video_format,
    with_portrait,
)
from tests.support.nasty_messages import nasty, with_one_nasty
from tests.support.small_disk import leave_free, small_disk

TIMED = LipSyncSettings(engines="timed", name="worker-7", timed_frames_per_second=1e5)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> HeldEngine:
    engine = HeldEngine()
    monkeypatch.setitem(engines.ENGINES, "held", lambda _: engine)
    return engine


@pytest.fixture
async def timed(tmp_path: Path, portrait_file: Path) -> AsyncIterator[Service]:
    with_portrait(tmp_path, portrait_file)
    async with service(tmp_path, TIMED) as running:
        yield running


@pytest.fixture
async def holding(tmp_path: Path, portrait_file: Path, held: HeldEngine) -> AsyncIterator[Service]:
    with_portrait(tmp_path, portrait_file)
    async with service(tmp_path, LipSyncSettings(engines="held"), 0.2) as running:
        yield running


async def rendered(running: Service, request: pb.RenderChunkRequest) -> list[pb.RenderChunkResponse]:
    return [message async for message in running.stub.RenderChunk(request)]


async def until(event: Any) -> None:
    assert await asyncio.to_thread(event.wait, PATIENCE)


async def when_busy_is(running: Service, slots: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await running.worker()).busy_slots != slots:
            pass


async def test_a_worker_tells_what_it_is(timed: Service) -> None:
    worker = await timed.worker()
    assert worker.name == "worker-7"
    assert [engine.version for engine in worker.engines] == ["timed-1"]
    assert (worker.slots, worker.busy_slots) == (1, 0)
    assert worker.device.name
    assert worker.release
    assert worker.uptime.nanos
    assert list(worker.prepared_avatars) == []
    assert not worker.frames_per_second


async def test_the_default_avatar_is_inspected_without_naming_one(timed: Service) -> None:
    info = (await timed.stub.InspectAvatar(pb.InspectAvatarRequest())).info
    assert info == pb.AvatarInfo(kind=pb.AVATAR_KIND_PORTRAIT, width=720, height=720, frames=1, faces=1)


async def test_a_video_is_inspected(timed: Service, tmp_path: Path, face: Picture) -> None:
    artifact = await timed.store.put_file(write_video(tmp_path / "clip.mp4", [face] * 10))
    info = (await timed.stub.InspectAvatar(pb.InspectAvatarRequest(avatar_sha256=artifact.sha256))).info
    assert (info.kind, info.frames) == (pb.AVATAR_KIND_VIDEO, 10)
    assert (info.fps.numerator, info.fps.denominator) == (25, 1)


async def test_bad_avatars_get_one_clear_answer(timed: Service, tmp_path: Path) -> None:
    async def answer(sha256: str) -> MouthpieceError:
        return await error_of(timed.stub.InspectAvatar(pb.InspectAvatarRequest(avatar_sha256=sha256)))

    text = await timed.store.put_bytes(b"not a face at all")
    error = await answer(text.sha256)
    assert isinstance(error, BadInput)
    assert error.violations[0].field == "avatar"
    wall = write_picture(tmp_path / "wall.png", np.full((99, 99, 3), 150, np.uint8))
    error = await answer((await timed.store.put_file(wall)).sha256)
    assert isinstance(error, Unmet)
    assert error.reason is Reason.NO_FACE
    assert isinstance(await answer("0" * 64), NotFound)
    assert isinstance(await answer("../../etc/passwd"), BadInput)


async def test_a_damaged_artifact_is_data_loss(timed: Service, tmp_path: Path, face: Picture) -> None:
    artifact = await timed.store.put_file(write_picture(tmp_path / "face.png", face))
    (file,) = [path for path in (tmp_path / "artifacts").rglob(artifact.sha256) if path.is_file()]
    file.chmod(0o644)
    file.write_bytes(b"something else")
    call = timed.stub.InspectAvatar(pb.InspectAvatarRequest(avatar_sha256=artifact.sha256))
    assert isinstance(await error_of(call), DataLoss)


async def test_an_avatar_is_prepared_once_however_many_ask(
    holding: Service, held: HeldEngine, tmp_path: Path, face: Picture
) -> None:
    artifact = await holding.store.put_file(write_video(tmp_path / "clip.mp4", [face] * 12))
    request = pb.PrepareAvatarRequest(avatar_sha256=artifact.sha256, format=video_format(), engine="held")
    answers = await asyncio.gather(*(holding.stub.PrepareAvatar(request) for _ in range(4)))
    assert [answer.was_ready for answer in answers] == [False] * 4
    assert len(held.prepared) == 1
    assert (await holding.stub.PrepareAvatar(request)).was_ready
    assert list((await holding.worker()).prepared_avatars) == [artifact.sha256]


async def test_a_chunk_comes_as_accepted_progress_and_result(timed: Service) -> None:
    messages = await rendered(timed, chunk_request("timed", 0, 30))
    kinds = [message.WhichOneof("part") for message in messages]
    assert (kinds[0], kinds[-1]) == ("accepted", "result")
    assert set(kinds[1:-1]) <= {"progress"}
    assert messages[0].accepted.worker == "worker-7"
    done = [message.progress.frames_done for message in messages[1:-1]]
    assert done == sorted(done)
    result = messages[-1].result
    async with timed.store.local(result.chunk.sha256) as path:
        track = read_chunk(path)
        assert (track.frames, track.width, track.height) == (30, SIDE, SIDE)
        assert track.codec_sha256 == result.codec_sha256
        assert path.stat().st_size == result.chunk.size_bytes
    assert result.frames == 30
    assert result.render_time.ToNanoseconds() > 0
    assert result.encode_time.ToNanoseconds() > 0


async def frames_of(running: Service, *spans: tuple[int, int]) -> list[Any]:
    frames: list[Any] = []
    for first, end in spans:
        result = (await rendered(running, chunk_request("timed", first, end)))[-1].result
        async with running.store.local(result.chunk.sha256) as path:
            frames += list(decode_frames(path))
    return frames


async def test_chunks_put_together_are_the_whole_bit_for_bit(timed: Service) -> None:
    whole = await frames_of(timed, (0, 40))
    pieces = await frames_of(timed, (0, 13), (13, 14), (14, 40))
    assert all(np.array_equal(a, b) for a, b in zip(whole, pieces, strict=True))
    assert [read_number(frame) for frame in whole] == list(range(40))


async def test_the_same_request_gives_the_same_chunk(timed: Service) -> None:
    first, again = [(await rendered(timed, chunk_request("timed", 5, 9)))[-1].result.chunk for _ in range(2)]
    assert first == again
    assert (await timed.worker()).frames_per_second["timed"] > 0


async def test_the_embedded_engine_makes_the_face_talk(tmp_path: Path, portrait_file: Path) -> None:
    with_portrait(tmp_path, portrait_file)
    async with service(tmp_path, LipSyncSettings(engines="viseme")) as running:
        request = chunk_request("viseme", 0, 10)
        request.format.CopyFrom(video_format(240, 240))
        said = common_pb2.Phoneme(ipa="a", samples=common_pb2.Span(first=4800, end=19200))
        request.speech.phonemes.append(said)
        request.speech.known.append(common_pb2.Span(first=0, end=96000))
        result = (await rendered(running, request))[-1].result
        async with running.store.local(result.chunk.sha256) as path:
            frames = list(decode_frames(path))
    assert len(frames) == 10
    mouth = np.abs(frames[7][:240].astype(int) - frames[0][:240])[150:200, 90:150]
    assert mouth.max() > 40


async def test_a_full_worker_refuses_and_says_when_to_come_back(holding: Service, held: HeldEngine) -> None:
    first = asyncio.create_task(rendered(holding, chunk_request("held", 0, 3)))
    await until(held.started)
    assert (await holding.worker()).busy_slots == 1
    error = await error_of(holding.stub.RenderChunk(chunk_request("held", 3, 6)))
    assert isinstance(error, Busy)
    assert error.retry_after > 0
    held.permits.release(3)
    assert (await first)[-1].result.frames == 3
    await when_busy_is(holding, 0)


async def test_a_caller_that_goes_away_frees_the_slot_and_leaves_nothing(
    holding: Service, held: HeldEngine
) -> None:
    before = holding.artifacts()
    call = holding.stub.RenderChunk(chunk_request("held", 0, 1000))
    assert (await anext(aiter(call))).HasField("accepted")
    held.permits.release(5)
    await until(held.started)
    call.cancel()
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(held.closed.wait, 0.1):
            held.permits.release()  # it hears of it between two frames
    await when_busy_is(holding, 0)
    assert held.given < 1000
    assert holding.artifacts() == before
    assert list((holding.folder / "cache" / "lipsync" / "chunks").iterdir()) == []
    held.closed.clear()
    held.permits.release(10)
    assert (await rendered(holding, chunk_request("held", 0, 2)))[-1].result.frames == 2


async def test_an_engine_that_fails_is_an_internal_error_and_the_worker_goes_on(
    holding: Service, held: HeldEngine
) -> None:
    held.fail = RuntimeError("cannot draw")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await rendered(holding, chunk_request("held", 0, 4))
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    held.fail = None
    held.permits.release(2)
    assert (await rendered(holding, chunk_request("held", 0, 2)))[-1].result.frames == 2


def changed(**changes: Any) -> pb.RenderChunkRequest:
    request = chunk_request("held", 10, 20)
    for name, value in changes.items():
        if isinstance(value, Message):
            getattr(request, name).CopyFrom(value)
        else:
            setattr(request, name, value)
    return request


@pytest.mark.parametrize(
    ("field", "request_"),
    [
        ("format.fps", changed(format=common_pb2.VideoFormat(width=128, height=128))),
        ("format.fps", changed(format=video_format(fps=500))),
        ("format.width", changed(format=video_format(width=129))),
        ("format.height", changed(format=video_format(height=32))),
        ("format.height", changed(format=video_format(height=8192))),
        ("frames", changed(frames=common_pb2.Span(first=5, end=5))),
        ("frames", changed(frames=common_pb2.Span(first=5, end=4))),
        ("frames", changed(frames=common_pb2.Span(first=0, end=101))),
        ("quality", changed(quality=99)),
        ("avatar_sha256", changed(avatar_sha256="not a hash")),
        ("speech", changed(speech=common_pb2.SpeechSlice(samples=common_pb2.Span(first=0, end=7), pcm=b"1"))),
        ("speech.samples", changed(frames=common_pb2.Span(first=0, end=9), speech=common_pb2.SpeechSlice(
            samples=common_pb2.Span(first=100, end=102), pcm=bytes(4)))),
    ],
)  # fmt: skip
async def test_a_request_that_contradicts_itself_is_refused_by_field(
    holding: Service, held: HeldEngine, field: str, request_: pb.RenderChunkRequest
) -> None:
    held.longest = 100
    error = await error_of(holding.stub.RenderChunk(request_))
    assert isinstance(error, BadInput)
    assert error.violations[0].field == field
    assert not held.started.is_set()


async def test_speech_must_reach_back_as_far_as_the_engine_listens(
    holding: Service, held: HeldEngine
) -> None:
    held.lead = 9600
    request = chunk_request("held", 10, 12)  # begins at sample 19200
    request.speech.samples.first = 9601
    request.speech.pcm = request.speech.pcm[: 2 * (96000 - 9601)]
    assert isinstance(await error_of(holding.stub.RenderChunk(request)), BadInput)
    held.permits.release(2)
    request.speech.CopyFrom(silence())
    assert (await rendered(holding, request))[-1].result.frames == 2


@pytest.mark.parametrize(("engine", "version"), [("wav3lip", ""), ("held", "held-2")])
async def test_another_engine_or_version_is_unknown_here(holding: Service, engine: str, version: str) -> None:
    error = await error_of(holding.stub.RenderChunk(changed(engine=engine, engine_version=version)))
    assert isinstance(error, Unmet)
    assert error.reason is Reason.ENGINE_UNKNOWN


async def test_an_engine_gets_only_faces_that_it_takes(holding: Service, held: HeldEngine) -> None:
    held.takes_portrait = False
    error = await error_of(holding.stub.RenderChunk(chunk_request("held", 0, 2)))
    assert isinstance(error, BadInput)
    assert error.violations[0].field == "avatar"


async def test_missing_face_models_do_not_keep_the_worker_from_answering(
    tmp_path: Path, face: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOUTHPIECE_MODELS", str(tmp_path / "nowhere"))
    async with service(tmp_path, TIMED) as running:
        assert (await running.worker()).slots == 1
        artifact = await running.store.put_file(write_picture(tmp_path / "face.png", scaled(face, 100)))
        call = running.stub.InspectAvatar(pb.InspectAvatarRequest(avatar_sha256=artifact.sha256))
        error = await error_of(call)
    assert isinstance(error, Unmet)
    assert error.reason is Reason.WEIGHTS_MISSING
    assert "fetch_face_models" in error.message


async def test_an_unknown_engine_in_the_settings_keeps_the_worker_from_starting(tmp_path: Path) -> None:
    with pytest.raises(Unmet, match="wav3lip"):
        async with service(tmp_path, LipSyncSettings(engines="timed,wav3lip")):
            pytest.fail("it came up")


async def health(running: Service) -> int:
    async with grpc.aio.insecure_channel(running.running.address) as channel:
        request = health_pb2.HealthCheckRequest(service="mouthpiece.v1.LipSyncService")
        stub: Any = health_pb2_grpc.HealthStub(channel)
        return int((await stub.Check(request)).status)


async def test_draining_lets_the_chunk_end_and_takes_no_other(
    tmp_path: Path, portrait_file: Path, held: HeldEngine
) -> None:
    with_portrait(tmp_path, portrait_file)
    leave = asyncio.Event()
    up: asyncio.Future[Service] = asyncio.get_running_loop().create_future()

    async def serve() -> None:
        async with service(tmp_path, LipSyncSettings(engines="held")) as running:
            up.set_result(running)
            await leave.wait()
            # The channel of `service` closes first, so the calls below have their own.

    serving = asyncio.create_task(serve())
    running = await up
    async with grpc.aio.insecure_channel(running.running.address) as channel:
        outside = Service(running.running, connected(channel), running.store, tmp_path)
        assert await health(running) == health_pb2.HealthCheckResponse.SERVING
        chunk = asyncio.create_task(rendered(outside, chunk_request("held", 0, 2)))
        await until(held.started)
        leave.set()
        async with asyncio.timeout(PATIENCE):
            while await health(running) == health_pb2.HealthCheckResponse.SERVING:
                pass
        assert isinstance(await error_of(outside.stub.RenderChunk(chunk_request("held", 2, 4))), Unavailable)
        assert (await outside.worker()).busy_slots == 1
        held.permits.release(2)
        assert (await chunk)[-1].result.frames == 2
    await serving


async def test_work_that_does_not_end_in_time_is_called_off(holding: Service, held: HeldEngine) -> None:
    call = holding.stub.RenderChunk(chunk_request("held", 0, 1_000_000))
    assert (await anext(aiter(call))).HasField("accepted")
    held.permits.release(100_000)
    await until(held.started)  # leaving the test drains for 0.2 s, and must then come to an end


async def test_a_chunk_that_does_not_fit_leaves_nothing_and_may_come_again(
    tmp_path: Path, portrait_file: Path
) -> None:
    request = chunk_request("timed", 0, 50)
    with small_disk(tmp_path / "disk", 4) as disk:
        with_portrait(disk, portrait_file)
        async with service(disk, TIMED) as running:
            await running.stub.PrepareAvatar(pb.PrepareAvatarRequest(format=video_format()))
            for free in (0, 8192):  # for its file, and for the artifact
                ballast = leave_free(disk, free)
                error = await error_of(running.stub.RenderChunk(request))
                assert isinstance(error, Busy)
                assert error.retry_after > 0
                assert not running.artifacts()
                assert not list((disk / "cache" / "lipsync" / "chunks").iterdir())
                ballast.unlink()
            assert (await rendered(running, request))[-1].result.frames == 50


async def test_requests_with_anything_in_them_are_done_or_refused_in_our_own_words(timed: Service) -> None:
    async def status(call: Any) -> str:
        try:
            if not hasattr(call, "__aiter__"):
                await call
                return "OK"
            async for _ in call:
                pass
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return "OK"

    chunk, avatar = chunk_request("timed", 0, 10), pb.PrepareAvatarRequest(format=video_format())
    found: set[str] = set()
    for seed in range(25):
        for request in (nasty(pb.RenderChunkRequest, seed), with_one_nasty(chunk, seed)):
            found.add(await status(timed.stub.RenderChunk(request, timeout=PATIENCE)))
        for each in (nasty(pb.PrepareAvatarRequest, seed), with_one_nasty(avatar, seed)):
            found.add(await status(timed.stub.PrepareAvatar(each, timeout=PATIENCE)))
    assert found <= {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"}
    assert {"OK", "INVALID_ARGUMENT"} <= found
