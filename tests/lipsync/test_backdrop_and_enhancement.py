"""Jobs that ask for another background or a better picture, as a worker renders them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import cv2
import grpc.aio
import numpy as np
import pytest

from mouthpiece.errors import BadInput
from mouthpiece.media.probe import decode_frames
from mouthpiece.rpc.status import from_rpc_error
from mouthpiece.settings import LipSyncSettings
from mouthpiece.v1 import common_pb2
from mouthpiece.v1 import lipsync_pb2 as pb
from services.lipsync.avatar.color import bgr_to_i420, i420_to_bgr
from services.lipsync.backdrop import screen_chroma
from tests.support.lipsync_media import Picture, write_picture
from tests.support.lipsync_worker import SIDE, Service, chunk_request, service, with_portrait

BLUE = (150, 60, 30)
HEX = "#1e3c96"


@pytest.fixture
async def worker(tmp_path: Path, portrait_file: Path) -> AsyncIterator[Service]:
    with_portrait(tmp_path, portrait_file)
    async with service(tmp_path, LipSyncSettings(engines="viseme")) as running:
        yield running


def before_screen(portrait: Picture, screen: tuple[int, int, int] = (60, 170, 50)) -> Picture:
    """The default avatar's middle in front of a screen that is not quite even."""
    small = np.asarray(cv2.resize(portrait, (256, 256), interpolation=cv2.INTER_AREA), np.uint8)
    hue = np.random.default_rng(1).normal(0, 2, small.shape) + screen
    mask = np.zeros((256, 256), np.uint8)
    cv2.ellipse(mask, (128, 140), (70, 100), 0, 0, 360, 255, -1)
    return np.where(mask[:, :, None] > 0, small, np.clip(hue, 0, 255)).astype(np.uint8)


async def stored(worker: Service, folder: Path, picture: Picture) -> str:
    path = folder / "picture.png"
    write_picture(path, picture)
    return (await worker.store.put_file(path)).sha256


async def frames_of(worker: Service, folder: Path, request: pb.RenderChunkRequest) -> list[np.ndarray]:
    result = [message async for message in worker.stub.RenderChunk(request)][-1].result
    path = folder / f"{request.frames.first}.mp4"
    path.write_bytes(await worker.store.get_bytes(result.chunk.sha256))
    return [frame.copy() for frame in decode_frames(path)]


def retouched(avatar: str, first: int, end: int) -> pb.RenderChunkRequest:
    request = chunk_request("viseme", first, end, avatar)
    request.background.color = HEX
    request.enhancement.automatic = True
    request.enhancement.deflicker = 1.0
    request.enhancement.smoothing = 0.5
    return request


async def test_one_chunk_and_five_give_the_same_retouched_frames(
    worker: Service, tmp_path: Path, portrait: Picture
) -> None:
    avatar = await stored(worker, tmp_path, before_screen(portrait))
    whole = await frames_of(worker, tmp_path, retouched(avatar, 0, 20))
    cuts = (0, 1, 6, 7, 13, 20)
    pieces: list[np.ndarray] = []
    for first, end in pairwise(cuts):
        pieces += await frames_of(worker, tmp_path, retouched(avatar, first, end))
    assert len(whole) == 20
    assert all(np.array_equal(a, b) for a, b in zip(whole, pieces, strict=True))


async def test_the_screen_is_replaced_by_a_colour_or_a_picture(
    worker: Service, tmp_path: Path, portrait: Picture
) -> None:
    avatar = await stored(worker, tmp_path, before_screen(portrait))
    request = chunk_request("viseme", 0, 2, avatar)
    plain = await frames_of(worker, tmp_path, request)
    request.background.color = HEX
    colored = await frames_of(worker, tmp_path, request)
    corner = np.s_[2:12, 2:12]
    assert np.abs(i420_to_bgr(colored[1])[corner].astype(int) - BLUE).max() <= 4
    middle = np.s_[55:85, 55:75]
    assert np.abs(colored[1][middle].astype(int) - plain[1][middle]).max() <= 2
    request.background.picture_sha256 = await stored(worker, tmp_path, np.full((40, 90, 3), 200, np.uint8))
    pictured = await frames_of(worker, tmp_path, request)
    assert np.abs(i420_to_bgr(pictured[1])[corner].astype(int) - 200).max() <= 4


async def test_a_background_that_cannot_be_is_refused_when_the_avatar_is_inspected(
    worker: Service, tmp_path: Path, portrait: Picture
) -> None:
    async def refusal(avatar: str, **background: str) -> BadInput:
        wanted = common_pb2.Background(**background)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await worker.stub.InspectAvatar(pb.InspectAvatarRequest(avatar_sha256=avatar, background=wanted))
        error = from_rpc_error(caught.value)
        assert isinstance(error, BadInput)
        return error

    avatar = await stored(worker, tmp_path, before_screen(portrait))
    text = (await worker.store.put_bytes(b"no picture")).sha256
    assert (await refusal("", color=HEX)).violations[0].field == "background"
    assert (await refusal(avatar, color="blue")).violations[0].field == "background.color"
    assert (await refusal(avatar, picture_sha256=text)).violations[0].field == "background"
    good = pb.InspectAvatarRequest(avatar_sha256=avatar, background=common_pb2.Background(color=HEX))
    assert (await worker.stub.InspectAvatar(good)).info.faces == 1


async def test_figures_out_of_their_range_are_refused(worker: Service) -> None:
    request = chunk_request("viseme", 0, 2)
    request.enhancement.contrast = 1.5
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        [message async for message in worker.stub.RenderChunk(request)]
    error = from_rpc_error(caught.value)
    assert isinstance(error, BadInput)
    assert error.violations[0].field == "enhancement.contrast"


@pytest.mark.parametrize(
    "screen", [(60, 170, 50), (95, 150, 70), (190, 90, 40)], ids=["green", "dull", "blue"]
)
def test_screens_are_told_from_rooms(portrait: Picture, screen: tuple[int, int, int]) -> None:
    found = screen_chroma(bgr_to_i420(before_screen(portrait, screen)))
    alone = bgr_to_i420(np.full((SIDE, SIDE, 3), screen, np.uint8))[SIDE:].reshape(2, -1)
    assert np.abs(np.array(found) - np.median(alone, axis=1)).max() <= 2
    with pytest.raises(BadInput, match="green or blue screen"):
        screen_chroma(bgr_to_i420(portrait))
