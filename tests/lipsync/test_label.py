"""Labels on frames: where they are, what they leave alone, and that chunking does not show."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.errors import BadInput
from mouthpiece.media.probe import decode_frames
from mouthpiece.rpc.status import from_rpc_error
from mouthpiece.settings import LipSyncSettings
from mouthpiece.v1 import common_pb2
from mouthpiece.v1 import lipsync_pb2 as pb
from services.lipsync.label import Corner, Label, check_drawable, labelled
from tests.support.lipsync_worker import Service, chunk_request, service, with_portrait


def flat(width: int, height: int, luma: int, chroma: int = 90) -> np.ndarray:
    frame = np.full((height * 3 // 2, width), luma, np.uint8)
    frame[height:] = chroma
    return frame


def drawn(frame: np.ndarray, label: Label) -> np.ndarray:
    return next(labelled([frame], label))


def changed(before: np.ndarray, after: np.ndarray, width: int, height: int) -> tuple[int, int, int, int]:
    """Rows and columns of what a label covers: first and last."""
    rows, columns = np.nonzero(before[:height] != after[:height])
    return rows.min(), rows.max(), columns.min(), columns.max()


@given(
    width=st.integers(32, 500).map(lambda half: 2 * half),
    height=st.integers(32, 500).map(lambda half: 2 * half),
    corner=st.sampled_from(Corner),
)
def test_it_stands_in_its_corner_and_touches_nothing_else(width: int, height: int, corner: Corner) -> None:
    before = flat(width, height, 120)
    after = drawn(before, Label("AI", corner))
    assert (before == flat(width, height, 120)).all()
    top, bottom, left, right = changed(before, after, width, height)
    assert 0 <= top < bottom < height
    assert 0 <= left < right < width
    from_bottom, from_right = corner.value
    assert (top > height - bottom) == from_bottom
    assert (left > width - right) == from_right
    colored = after[height:].reshape(2, height // 2, width // 2) != 90
    rows, columns = np.nonzero(colored.any(0))
    assert top // 2 <= rows.min()
    assert rows.max() <= bottom // 2
    assert left // 2 <= columns.min()
    assert columns.max() <= right // 2


@pytest.mark.parametrize("luma", [16, 128, 235])
@pytest.mark.parametrize("size", [(64, 64), (256, 256), (640, 360), (1920, 1080)])
def test_letters_stand_out_on_any_picture(size: tuple[int, int], luma: int) -> None:
    width, height = size
    before = flat(width, height, luma)
    after = drawn(before, Label("AI"))
    top, bottom, left, right = changed(before, after, width, height)
    levels = after[top : bottom + 1, left : right + 1].astype(int)
    middle = levels[len(levels) // 4 : -len(levels) // 4]
    assert middle.max() - middle.min() > 90
    assert bottom - top >= 7


def test_a_long_label_is_made_to_fit() -> None:
    before = flat(256, 144, 60)
    _, _, left, right = changed(before, drawn(before, Label("x" * 64)), 256, 144)
    assert 0 <= left < right < 256


def test_opacity_tells_how_much_of_the_picture_is_left() -> None:
    before = flat(320, 180, 40)
    covered = [
        np.abs(drawn(before, Label("AI", opacity=part)).astype(int) - before).sum() for part in (0.2, 0.6, 1)
    ]
    assert covered[0] < covered[1] < covered[2]


@pytest.mark.parametrize(
    "text", ["AI generated", "Сделано ИИ", "KI-generiert?", "人工智能生成", "AIによる生成", "Généré"]
)
def test_words_in_many_scripts_can_be_drawn(text: str) -> None:
    check_drawable(text, "label.text")


@pytest.mark.parametrize(
    ("text", "name"), [("مولد", "ARABIC"), ("AI 🤖", "ROBOT FACE"), ("नमः", "DEVANAGARI")]
)
def test_what_the_font_cannot_draw_is_named(text: str, name: str) -> None:
    with pytest.raises(BadInput, match=name):
        check_drawable(text, "label.text")


# ---------------------------------------------------------------- the worker


@pytest.fixture
async def worker(tmp_path: Path, portrait_file: Path) -> AsyncIterator[Service]:
    with_portrait(tmp_path, portrait_file)
    async with service(tmp_path, LipSyncSettings(engines="timed")) as running:
        yield running


async def frames_of(
    worker: Service, folder: Path, first: int, end: int, text: str = "AI"
) -> list[np.ndarray]:
    request = chunk_request("timed", first, end)
    if text:
        request.label.CopyFrom(common_pb2.Label(text=text, corner=common_pb2.CORNER_TOP_LEFT))
    result = [message async for message in worker.stub.RenderChunk(request)][-1].result
    path = folder / f"{first}.mp4"
    path.write_bytes(await worker.store.get_bytes(result.chunk.sha256))
    return [frame.copy() for frame in decode_frames(path)]


async def test_every_frame_has_it_however_the_job_was_cut(worker: Service, tmp_path: Path) -> None:
    whole = await frames_of(worker, tmp_path, 0, 9)
    pieces = [frame for cut in ((0, 1), (1, 5), (5, 9)) for frame in await frames_of(worker, tmp_path, *cut)]
    assert len(whole) == len(pieces) == 9
    assert all(map(np.array_equal, whole, pieces))
    plain = await frames_of(worker, tmp_path, 0, 9, "")
    label = Label("AI", Corner.TOP_LEFT)
    assert all(np.array_equal(frame, drawn(bare, label)) for frame, bare in zip(whole, plain, strict=True))


async def test_a_label_that_cannot_be_drawn_is_refused_when_the_avatar_is_inspected(worker: Service) -> None:
    request = pb.InspectAvatarRequest(label=common_pb2.Label(text="نص"))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await worker.stub.InspectAvatar(request)
    error = from_rpc_error(caught.value)
    assert isinstance(error, BadInput)
    assert error.violations[0].field == "label.text"
