"""Where motion goes over to another place: when, how the picture turns, and what may be asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mouthpiece.core.engines import EngineInfo
from mouthpiece.core.motion import Crossing, transition_frames
from mouthpiece.core.speech import SpeechSlice
from mouthpiece.core.timeline import Span, clip_index
from mouthpiece.errors import BadInput
from mouthpiece.settings import LipSyncSettings
from mouthpiece.v1 import common_pb2
from services.lipsync.avatar import Avatar, AvatarKind
from services.lipsync.engine import Frame, RenderTask
from services.lipsync.engines.timed import TimedEngine
from services.lipsync.transition import Motion, moment, morph, render_motion
from tests.support.lipsync_worker import Service, chunk_request, error_of, service, with_portrait

FPS = Fraction(25)
LENGTH = transition_frames(FPS)
SIDE = 96


def picture(x: float) -> Frame:
    """A soft bright spot on dark ground, `x` pixels from the left."""
    columns, rows = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    spot = 40 + 160 * np.exp(-((columns - x) ** 2 + (rows - 48) ** 2) / 60)
    grey = np.full((SIDE // 2, SIDE), 128)
    return np.concatenate([spot, grey]).astype(np.uint8)


def clip(frames: int, drift: float = 2.0) -> Avatar:
    """A spot that drifts to the right."""
    planes = np.stack([picture(16 + drift * at) for at in range(frames)])
    return Avatar("spot", AvatarKind.VIDEO, FPS, np.zeros((frames, 468, 3), np.float32), planes)


class Showing:
    """An engine that shows the avatar as it is."""

    info: EngineInfo = TimedEngine(1.0).info

    def load(self) -> None:
        pass

    def prepare(self, avatar: Avatar) -> Avatar:
        return avatar

    def render(self, prepared: Avatar, task: RenderTask) -> Iterator[Frame]:
        for number in task.frames:
            yield prepared.frame_i420(clip_index(number, prepared.frames))


def shown(avatar: Avatar, frames: Span, crossings: list[Crossing]) -> list[Frame]:
    task = RenderTask(frames, FPS, SpeechSlice(Span(0, 0), b""), 1)
    touched = [crossing for crossing in crossings if crossing.frames.overlaps(frames)]
    return list(render_motion(Showing(), avatar, task, Motion.of(frames, touched, avatar, FPS)))


def place(frame: Frame) -> float:
    """Where the spot is, from the left."""
    light = np.clip(frame[:SIDE].astype(float) - 60, 0, None)
    return float((light.sum(axis=0) * np.arange(SIDE)).sum() / light.sum())


def test_a_picture_half_way_has_things_half_way_and_as_sharp() -> None:
    half = morph(picture(44), picture(52), 0.5)
    assert abs(place(half) - 48) < 0.5
    assert half.max() > 0.95 * picture(48).max()
    assert place(morph(picture(44), picture(52), 0.1)) < 45.5


def test_equal_pictures_stay_as_they_are() -> None:
    assert (morph(picture(40), picture(40), 0.4) == picture(40)).all()


def test_a_clip_changes_over_where_both_of_its_places_meet() -> None:
    """Of 20 frames, motion 20 plays back as motion 10 plays on: they meet in frame 14 of the clip."""
    span = moment(Crossing(Span(5, 30), 10), clip(20), FPS)
    middle = (span.first + span.end - 1) / 2
    assert abs(middle - 14) <= 1


def test_a_portrait_changes_over_at_the_end() -> None:
    still = Avatar("one", AvatarKind.PORTRAIT, FPS, np.zeros((1, 468, 3), np.float32), picture(40)[None])
    assert moment(Crossing(Span(5, 60), 200), still, FPS) == Span(60 - LENGTH, 60)


CROSSINGS = [Crossing(Span(4, 44), 17), Crossing(Span(52, 92), -23)]


@settings(deadline=None, max_examples=6)
@given(st.lists(st.integers(1, 99), max_size=4, unique=True).map(sorted))
def test_frames_are_the_same_however_a_job_is_cut(cuts: list[int]) -> None:
    avatar = clip(24)
    whole = shown(avatar, Span(0, 100), CROSSINGS[:1])
    pieces = [
        frame
        for first, end in zip([0, *cuts], [*cuts, 100], strict=True)
        for frame in (
            shown(avatar, Span(first, end), CROSSINGS[:1])
            if first < 44
            else shown(avatar, Span(first + 17, end + 17), [])
        )
    ]
    assert all((a == b).all() for a, b in zip(whole, pieces, strict=True))


def test_several_crossings_add_up() -> None:
    avatar = clip(24)
    frames = shown(avatar, Span(0, 100), CROSSINGS)
    for number, ahead in ((3, 0), (44, 17), (51, 17), (92, -6), (99, -6)):
        assert (frames[number] == avatar.frame_i420(clip_index(number + ahead, 24))).all()


def test_nothing_jumps_where_motion_changes() -> None:
    """The spot drifts by half a pixel from frame to frame; the two places never meet, nine pixels apart."""
    avatar = clip(24, 0.5)
    short = [Crossing(Span(20, 20 + LENGTH), 18)]
    frames = shown(avatar, Span(0, 60), short)
    places = [place(frame) for frame in frames]
    assert np.abs(np.diff(places)).max() < 1.5
    assert min(frame.max() for frame in frames) > 180


# ---------------------------------------------------------------- what the service takes


@pytest.fixture
async def timed(tmp_path: Path, portrait_file: Path) -> AsyncIterator[Service]:
    with_portrait(tmp_path, portrait_file)
    async with service(tmp_path, LipSyncSettings(engines="timed", timed_frames_per_second=1e5)) as running:
        yield running


def crossing(first: int, end: int, by: int) -> common_pb2.Crossing:
    return common_pb2.Crossing(frames=common_pb2.Span(first=first, end=end), by=by)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ([crossing(10, 24, 5)], "crossings[0]"),
        ([crossing(30, 50, 5)], "crossings[0]"),
        ([crossing(2, 20, -5)], "crossings[0]"),
        ([crossing(20, 2, 5)], "crossings[0].frames"),
        ([crossing(0, 15, 5), crossing(14, 30, 5)], "crossings[1]"),
    ],
    ids=["too short", "elsewhere", "before the beginning", "no span", "overlapping"],
)
async def test_a_crossing_that_cannot_be_is_refused(
    timed: Service, wrong: list[common_pb2.Crossing], field: str
) -> None:
    request = chunk_request("timed", 0, 30)
    request.crossings.extend(wrong)
    error = await error_of(timed.stub.RenderChunk(request))
    assert isinstance(error, BadInput)
    assert error.violations[0].field == field


async def test_a_crossing_needs_whole_samples(timed: Service) -> None:
    request = chunk_request("timed", 0, 30)
    request.format.fps.CopyFrom(common_pb2.Rational(numerator=30000, denominator=1001))
    request.crossings.append(crossing(0, 20, 7))
    assert isinstance(await error_of(timed.stub.RenderChunk(request)), BadInput)
    request.crossings[0].by = 10
    assert [m async for m in timed.stub.RenderChunk(request)][-1].result.frames == 30


async def test_keyframes_are_frames_of_the_chunk(timed: Service) -> None:
    request = chunk_request("timed", 50, 60)
    request.keyframes.append(10)
    error = await error_of(timed.stub.RenderChunk(request))
    assert isinstance(error, BadInput)
    assert error.violations[0].field == "keyframes"


def test_cv2_is_the_same_on_one_thread_and_on_several() -> None:
    before = cv2.getNumThreads()
    try:
        made = []
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            made.append(morph(picture(30), picture(41), 0.3))
    finally:
        cv2.setNumThreads(before)
    assert (made[0] == made[1]).all()
