"""A whole job on three containers, of which one dies and one calls black pictures a success."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc.aio import AioRpcError

from mouthpiece.client import Client, JobFailed, VideoOptions
from mouthpiece.core.timeline import clip_index
from mouthpiece.errors import Unavailable
from mouthpiece.media.probe import decode_frames
from mouthpiece.settings import LipSyncSettings
from mouthpiece.v1.gateway_pb2 import CHUNK_STATE_DONE, CHUNK_STATE_FAILED, Job
from mouthpiece.v1.lipsync_pb2 import GetWorkerRequest, Worker
from tests.faults.conftest import recording
from tests.support.faces import clip_file
from tests.support.heygem_cluster import cluster
from tests.support.heygem_video import FakeHeygem, Habits, container
from tests.support.lipsync_worker import Service, chunk_request, service

SIZE = 160
CLIP = 20
LIMIT = 90
OPTIONS = VideoOptions(
    engine="heygem", mode="chunked", chunk_seconds=1, quality="high", width=SIZE, height=SIZE, seed=1
)


def worker(fake: FakeHeygem, name: str) -> LipSyncSettings:
    return LipSyncSettings(
        name=name,
        engines="heygem",
        heygem_url=fake.url,
        heygem_folder=fake.folder,
        heygem_poll_seconds=0.02,
        heygem_silence_seconds=0.2,
    )


def kill_when_it_renders(fake: FakeHeygem) -> threading.Thread:
    def work() -> None:
        if fake.rendering.wait(LIMIT):
            fake.stop()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def assert_plays_on(video: Path, clip: Path) -> None:
    """Every frame shows what the clip shows there, forwards and backwards: nothing of the lies is in it."""
    pictures = [frame.astype(np.float64) for frame in decode_frames(clip)]
    for number, frame in enumerate(decode_frames(video)):
        errors = [float(np.abs(frame - picture).mean()) for picture in pictures]
        assert errors[clip_index(number, CLIP)] < 2
        assert np.argmin(errors) == clip_index(number, CLIP), number


async def render(client: Client, folder: Path, clip: Path) -> Job:
    audio = recording(folder / "speech.wav", 4)
    async with asyncio.timeout(LIMIT):
        return await client.generate(folder / "out.mp4", audio=audio, avatar=clip, options=OPTIONS)


@pytest.mark.asyncio
async def test_a_job_survives_a_container_that_dies_and_one_that_lies(tmp_path: Path) -> None:
    clip = clip_file(tmp_path / "face.mp4", CLIP, Fraction(25), SIZE)
    habits = {"good": Habits(), "dies": Habits(held=threading.Event()), "lies": Habits(lies="black")}
    with ExitStack() as stack:
        fakes = {name: stack.enter_context(container(tmp_path / name, how)) for name, how in habits.items()}
        kill_when_it_renders(fakes["dies"])
        workers = [worker(fake, name) for name, fake in fakes.items()]
        async with cluster(tmp_path / "data", workers) as client:
            job = await render(client, tmp_path, clip)
            chunks = (await client.get_job(job.id)).chunks
    assert job.result.frames == 200
    assert {chunk.worker for chunk in chunks if chunk.state == CHUNK_STATE_DONE} == {"good"}
    failed = {chunk.worker: chunk.error for chunk in chunks if chunk.state == CHUNK_STATE_FAILED}
    assert "does not answer" in failed["dies"]
    assert "is black" in failed["lies"]
    assert_plays_on(tmp_path / "out.mp4", clip)


async def freed(running: Service) -> None:
    """Return when the worker has rendered another chunk."""
    code: grpc.StatusCode | None = None
    while code is not grpc.StatusCode.OK:
        call = running.stub.RenderChunk(chunk_request("heygem", 0, 4))
        with suppress(AioRpcError):
            async for _ in call:
                pass
        code = await call.code()
        assert code in {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}


@pytest.mark.asyncio
async def test_a_worker_says_what_its_container_needs_and_offers_nothing_meanwhile(tmp_path: Path) -> None:
    with container(tmp_path / "shared", Habits(queue_full=True)) as fake:
        async with service(tmp_path / "data", worker(fake, "w")) as running:
            with pytest.raises(AioRpcError, match="must be restarted") as raised:
                async for _ in running.stub.RenderChunk(chunk_request("heygem", 0, 10)):
                    pass
            assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
            told: Worker = (await running.stub.GetWorker(GetWorkerRequest())).worker
    assert "must be restarted" in told.ailments[0]
    assert [(ailment.engine, ailment.reason) for ailment in told.engine_ailments] == [("heygem", "")]
    assert not told.engines


@pytest.mark.asyncio
async def test_ill_containers_put_a_job_off_and_what_all_of_them_fail_at_ends_it(tmp_path: Path) -> None:
    clip = clip_file(tmp_path / "face.mp4", CLIP, Fraction(25), SIZE)
    told: list[str] = []

    def heal(error: Unavailable, _wait: float) -> None:
        told.append(error.message)
        for fake in fakes:
            fake.habits.ill, fake.habits.fails = 0, "format audio error"

    with ExitStack() as stack:
        fakes = [stack.enter_context(container(tmp_path / name, Habits(ill=503))) for name in ("a", "b")]
        workers = [worker(fake, fake.folder.name) for fake in fakes]
        async with cluster(tmp_path / "data", workers, on_retry=heal) as client:
            with pytest.raises(JobFailed, match=r"failed 3 times: .*format audio error"):
                await render(client, tmp_path, clip)
    assert "HTTP status 503" in told[0]


@pytest.mark.asyncio
async def test_a_cancelled_call_ends_at_once_and_the_slot_when_the_container_has_ended(
    tmp_path: Path,
) -> None:
    with container(tmp_path / "shared", Habits(held=threading.Event())) as fake:
        async with service(tmp_path / "data", worker(fake, "w")) as running:
            call = running.stub.RenderChunk(chunk_request("heygem", 0, 10))
            await call.read()
            assert await asyncio.to_thread(fake.rendering.wait, LIMIT)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call.read()
            assert (await running.worker()).busy_slots == 1
            assert fake.habits.held is not None
            fake.habits.held.set()
            async with asyncio.timeout(LIMIT):
                await freed(running)
