"""Prepared avatars: right colours, right frames, right size, landmarks on the face."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from mouthpiece.errors import BadInput, Reason, Unmet
from services.lipsync.avatar import Avatar, AvatarKind
from services.lipsync.avatar.inspection import AvatarInfo
from services.lipsync.avatar.landmarks import FaceTracker
from services.lipsync.avatar.limits import Limits
from services.lipsync.avatar.preparation import Format, Stopped, avatar_key, load, prepare
from services.lipsync.avatar.smoothing import jitter
from tests.support.lipsync_media import Picture, Shape, pasted, scaled, turned, write_picture, write_video

SQUARE = Format(Fraction(25), 240, 240)
LIMITS = Limits()


class Preparer:
    def __init__(self, tracker: FaceTracker, folder: Path) -> None:
        self._tracker = tracker
        self._folder = folder
        self._count = 0

    def all_of(
        self, path: Path, wanted: Format = SQUARE, limits: Limits = LIMITS
    ) -> tuple[Avatar, AvatarInfo]:
        self._count += 1
        folder = self._folder / f"prepared-{self._count}"
        folder.mkdir()
        prepare(path, folder, wanted, self._tracker, limits)
        return load(folder, "key")

    def of(self, path: Path, wanted: Format = SQUARE, limits: Limits = LIMITS) -> Avatar:
        return self.all_of(path, wanted, limits)[0]


@pytest.fixture
def preparer(tracker: FaceTracker, tmp_path: Path) -> Preparer:
    return Preparer(tracker, tmp_path)


def difference(a: Picture, b: Picture) -> float:
    """Mean difference of two pictures in levels."""
    return float(np.abs(a.astype(int) - b).mean())


def grey(picture: Picture) -> Picture:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)


def test_a_portrait_becomes_one_frame_with_landmarks(
    preparer: Preparer, tmp_path: Path, face: Picture, tracker: FaceTracker
) -> None:
    avatar, info = preparer.all_of(write_picture(tmp_path / "face.png", face))
    assert (avatar.kind, avatar.frames, avatar.width, avatar.height) == (AvatarKind.PORTRAIT, 1, 240, 240)
    assert (info.width, info.height, info.fps) == (240, 240, None)
    assert difference(avatar.frame_bgr(0), face) < 1.5
    seen = tracker.landmarks(face, tracker.detect(face)[0])
    assert np.abs(avatar.landmarks[0] - seen.points).max() < 1.5
    assert not avatar.landmarks.flags.writeable
    assert not avatar.frame_i420(0).flags.writeable


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "tiff", "webp"])
def test_every_picture_format_shows_the_same(
    preparer: Preparer, tmp_path: Path, face: Picture, ending: str
) -> None:
    avatar = preparer.of(write_picture(tmp_path / f"face.{ending}", face))
    assert difference(avatar.frame_bgr(0), face) < 2.5


def test_sixteen_bits_and_grey_are_scaled_right(preparer: Preparer, tmp_path: Path, face: Picture) -> None:
    deep = preparer.of(write_picture(tmp_path / "deep.png", face.astype(np.uint16) * 257))
    assert difference(deep.frame_bgr(0), face) < 1.5
    colourless = np.asarray(cv2.cvtColor(grey(face), cv2.COLOR_GRAY2BGR), np.uint8)
    for name, picture in (
        ("grey.png", grey(face)),
        ("grey.jpg", grey(face)),
        ("deep-grey.png", grey(face).astype(np.uint16) * 257),
    ):
        shown = preparer.of(write_picture(tmp_path / name, picture)).frame_bgr(0)
        assert difference(shown, colourless) < 2.5, name


def test_a_palette_is_looked_up(preparer: Preparer, tmp_path: Path, face: Picture) -> None:
    path = tmp_path / "palette.png"
    with av.open(str(path), "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.height, stream.width, stream.pix_fmt = 240, 240, "pal8"
        quantised = av.VideoFrame.from_ndarray(face, format="bgr24").reformat(format="rgb8")
        levels = np.frombuffer(bytes(quantised.planes[0]), np.uint8).reshape(240, -1)[:, :240]
        codes = np.arange(256)
        colors = np.stack([codes >> 5, codes >> 2 & 7, codes & 3], axis=1) * [255 / 7, 255 / 7, 85]
        table = np.hstack([np.full((256, 1), 255), colors]).astype(np.uint8)
        indexed: Any = (np.ascontiguousarray(levels), table)  # PyAV's types do not know this format
        frame = av.VideoFrame.from_ndarray(indexed, format="pal8")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert difference(preparer.of(path).frame_bgr(0), face) < 20


def test_transparent_parts_show_a_grey_backdrop(preparer: Preparer, tmp_path: Path, face: Picture) -> None:
    alpha = np.full((240, 240, 1), 255, np.uint8)
    alpha[:20], alpha[20:24] = 0, 128
    avatar = preparer.of(write_picture(tmp_path / "cut.png", np.dstack([face, alpha])))
    shown = avatar.frame_bgr(0).astype(int)
    assert np.abs(shown[:18] - 208).max() <= 2
    mixed = (face[21:23].astype(int) + 208) / 2
    assert np.abs(shown[21:23] - mixed).mean() < 6
    assert difference(avatar.frame_bgr(0)[26:], face[26:]) < 1.5
    assert "transparent parts are shown on grey" in avatar.warnings


@pytest.mark.parametrize(
    "shape",
    [
        Shape(matrix=1),
        Shape(matrix=5),
        Shape(matrix=1, full_range=True),
        Shape(matrix=5, full_range=True, pixel_format="yuvj420p"),
        Shape(matrix=1, pixel_format="yuv444p"),
        Shape(matrix=1, pixel_format="yuv420p10le"),
    ],
    ids=["709", "601", "709-full", "601-full", "444", "10-bit"],
)
def test_every_matrix_and_range_shows_the_same_colours(
    preparer: Preparer, tmp_path: Path, face: Picture, shape: Shape
) -> None:
    avatar = preparer.of(write_video(tmp_path / "clip.mp4", [face] * 3, shape=shape))
    shown = avatar.frame_bgr(1)
    assert difference(shown, face) < 3
    assert np.abs(shown.astype(int).mean(axis=(0, 1)) - face.mean(axis=(0, 1))).max() < 1


def test_a_bt709_video_of_the_right_size_goes_to_the_encoder_untouched(
    preparer: Preparer, tmp_path: Path, face: Picture
) -> None:
    path = write_video(tmp_path / "clip.mp4", [face, face[:, ::-1]], shape=Shape(matrix=1))
    with av.open(str(path)) as container:
        decoded = [frame.to_ndarray() for frame in container.decode(video=0)]
    avatar = preparer.of(path)
    assert all(np.array_equal(avatar.frame_i420(n), planes) for n, planes in enumerate(decoded))


def shaded(face: Picture, number: int) -> Picture:
    """The face with its number as the level of a stripe."""
    stripe = np.full((24, face.shape[1], 3), 20 + 8 * number, np.uint8)
    return pasted(face, stripe, 0, face.shape[0] - 24)


def numbers(avatar: Avatar) -> list[int]:
    levels = [avatar.frame_bgr(n)[-16:, 20:-20].mean() for n in range(avatar.frames)]
    return [round((float(level) - 20) / 8) for level in levels]


def test_frames_of_a_varying_rate_stand_at_their_times_on_the_grid(
    preparer: Preparer, tmp_path: Path, face: Picture
) -> None:
    times = [Fraction(n, 100) for n in (0, 4, 20, 24, 28, 40)]
    pictures = [shaded(face, number) for number in range(6)]
    avatar = preparer.of(write_video(tmp_path / "vfr.mp4", pictures, times=times))
    assert numbers(avatar)[:11] == [0, 1, 1, 1, 1, 2, 3, 4, 4, 4, 5]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("clip.mkv", Shape()),
        ("clip.ts", Shape()),
        ("clip.m2ts", Shape()),
        ("clip.flv", Shape()),
        ("clip.avi", Shape("mjpeg", "yuvj420p", options=(("qscale", "2"),))),
        ("clip.mov", Shape("prores", "yuv422p10le", options=())),
        ("fragments.mp4", Shape(container=(("movflags", "frag_keyframe+empty_moov"),))),
    ],
)
def test_every_frame_of_every_container_stands_in_its_place(
    preparer: Preparer, tmp_path: Path, face: Picture, name: str, shape: Shape
) -> None:
    pictures = [shaded(face, number) for number in range(15)]
    assert numbers(preparer.of(write_video(tmp_path / name, pictures, shape=shape))) == list(range(15))


def test_another_rate_repeats_and_leaves_out_evenly(
    preparer: Preparer, tmp_path: Path, face: Picture
) -> None:
    path = write_video(tmp_path / "clip.mp4", [shaded(face, n) for n in range(10)], Fraction(20))
    assert numbers(preparer.of(path, Format(Fraction(40), 240, 240))) == [n // 2 for n in range(20)]
    assert numbers(preparer.of(path, Format(Fraction(10), 240, 240))) == [0, 2, 4, 6, 8]


def test_only_the_first_seconds_and_bytes_are_used(preparer: Preparer, tmp_path: Path, face: Picture) -> None:
    path = write_video(tmp_path / "clip.mp4", [face] * 50)
    assert preparer.of(path, limits=Limits(max_clip_seconds=1)).frames == 25
    few = preparer.of(path, limits=Limits(max_clip_bytes=SQUARE.frame_bytes * 7))
    assert few.frames == 7
    assert any("7 of 50 frames" in warning for warning in few.warnings)


def test_a_turned_video_is_upright(preparer: Preparer, tmp_path: Path, face: Picture) -> None:
    path = write_video(tmp_path / "phone.mp4", [np.rot90(face)] * 3, shape=Shape(rotation=-90))
    assert difference(preparer.of(path).frame_bgr(0), face) < 3


def test_the_picture_is_scaled_to_cover_and_cut_around_the_face(
    preparer: Preparer, tmp_path: Path, portrait: Picture
) -> None:
    tall = pasted(np.full((720, 300, 3), 120, np.uint8), scaled(portrait, 260), 20, 10)
    avatar = preparer.of(write_picture(tmp_path / "tall.png", tall), Format(Fraction(25), 320, 180))
    x, y = avatar.landmarks[0, :, 0], avatar.landmarks[0, :, 1]
    assert (avatar.width, avatar.height) == (320, 180)
    assert x.min() > 0
    assert x.max() < 320
    assert y.min() > 0
    assert y.max() < 180


def test_odd_sizes_lose_one_row_and_nothing_else(preparer: Preparer, tmp_path: Path, face: Picture) -> None:
    path = write_picture(tmp_path / "odd.png", face[:, :-1])
    avatar = preparer.of(path, Format(Fraction(25), 238, 240))
    assert difference(avatar.frame_bgr(0), face[:, :238]) < 1.5


def test_landmarks_of_a_clip_follow_the_face_smoothly(
    preparer: Preparer, tmp_path: Path, face: Picture, tracker: FaceTracker
) -> None:
    pictures = [turned(face, 6 * np.sin(n / 5)) for n in range(30)]
    avatar = preparer.of(write_video(tmp_path / "clip.mp4", pictures))
    raw = np.stack([found.points for found in tracker.track(pictures) if found])
    assert jitter(avatar.landmarks) < jitter(raw) * 0.7
    assert np.abs(avatar.landmarks - raw).mean() < 0.6


def test_frames_without_a_face_are_filled_and_counted(
    preparer: Preparer, tmp_path: Path, face: Picture
) -> None:
    pictures = [face] * 10 + [np.full_like(face, 90)] * 4 + [face] * 16
    avatar = preparer.of(write_video(tmp_path / "clip.mp4", pictures))
    assert "no face in 4 of 30 frames: its place is estimated there" in avatar.warnings
    assert np.ptp(avatar.landmarks[:, 1, 0]) < 1.5
    assert avatar.empty == frozenset()


def test_stretches_in_which_nobody_is_seen_are_told_from_a_look_that_failed(
    preparer: Preparer, tmp_path: Path, face: Picture
) -> None:
    title = np.full_like(face, 90)
    pictures = [face] * 6 + [title] * 8 + [face] * 4 + [title] * 2 + [face] * 4
    avatar = preparer.of(write_video(tmp_path / "clip.mp4", pictures))
    assert avatar.empty == frozenset(range(6, 14))
    assert avatar.warnings == (
        "nobody is seen in 8 of 24 frames: they are shown as they are",
        "no face in 2 of 24 frames: its place is estimated there",
    )


def test_an_interlaced_video_is_prepared(preparer: Preparer, tmp_path: Path, face: Picture) -> None:
    shape = Shape(options=(("crf", "12"), ("preset", "fast"), ("x264-params", "interlaced=1")))
    avatar = preparer.of(write_video(tmp_path / "tape.mp4", [face] * 12, shape=shape))
    assert "interlaced: lines are interpolated" in avatar.warnings
    assert avatar.frames == 12
    assert difference(avatar.frame_bgr(5), face) < 4


def test_a_bright_video_for_bright_screens_is_toned_down(
    preparer: Preparer, tmp_path: Path, face: Picture
) -> None:
    dim = (face * 0.6).astype(np.uint8)
    shape = Shape("libx265", "yuv420p10le", matrix=9, transfer=18, options=(("x265-params", "log-level=0"),))
    avatar = preparer.of(write_video(tmp_path / "phone.mov", [dim] * 3, shape=shape))
    assert any("high dynamic range" in warning for warning in avatar.warnings)
    shown = avatar.frame_bgr(1)
    assert 60 < shown.mean() < 200
    assert np.corrcoef(grey(shown).ravel(), grey(dim).ravel())[0, 1] > 0.98


def test_a_video_of_which_half_is_damaged_is_refused(
    preparer: Preparer, tmp_path: Path, face: Picture
) -> None:
    noisy = np.random.default_rng(0).integers(0, 60, (60, *face.shape), dtype=np.uint8)
    path = write_video(
        tmp_path / "clip.mp4",
        [face // 2 + noise for noise in noisy],
        shape=Shape(
            options=(("crf", "20"), ("preset", "ultrafast"), ("g", "1")),
        ),
    )
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        entries = container.streams.video[0].index_entries
        broken = [(entries[n].pos, entries[n].size) for n in range(20, 60)]
    for at, size in broken:
        content[at : at + size] = bytes(size)
    path.write_bytes(content)
    with pytest.raises(BadInput, match="damaged"):
        preparer.of(path)


def test_a_clip_whose_face_is_never_seen_is_unusable(preparer: Preparer, tmp_path: Path) -> None:
    path = write_video(tmp_path / "wall.mp4", [np.full((240, 240, 3), 120, np.uint8)] * 5)
    with pytest.raises(Unmet) as caught:
        preparer.of(path)
    assert caught.value.reason is Reason.NO_FACE


def test_a_preparation_stops_when_it_is_told_to(tmp_path: Path, face: Picture, tracker: FaceTracker) -> None:
    path = write_video(tmp_path / "clip.mp4", [face] * 50)
    folder = tmp_path / "prepared"
    folder.mkdir()
    answers = iter([True] * 5)
    with pytest.raises(Stopped):
        prepare(path, folder, SQUARE, tracker, LIMITS, lambda: next(answers, False))


def test_preparing_again_gives_the_same(preparer: Preparer, tmp_path: Path, face: Picture) -> None:
    path = write_video(tmp_path / "clip.mp4", [turned(face, n) for n in range(8)])
    first, second = preparer.of(path), preparer.of(path)
    assert np.array_equal(first.planes, second.planes)
    assert np.array_equal(first.landmarks, second.landmarks)


def test_keys_tell_apart_whatever_shapes_an_avatar() -> None:
    keys = {
        avatar_key(content, Format(fps, width, 240), Limits(max_clip_seconds=seconds))
        for content in ("a", "b")
        for fps in (Fraction(25), Fraction(30000, 1001))
        for width in (240, 320)
        for seconds in (30.0, 60.0)
    }
    assert len(keys) == 16


@pytest.mark.parametrize(("width", "height"), [(241, 240), (240, 0), (240, -2)])
def test_formats_have_even_sizes(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="not a format"):
        Format(Fraction(25), width, height)
