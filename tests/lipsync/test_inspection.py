"""What is said about pictures and videos, and about what is neither."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mouthpiece.errors import BadInput, Reason, Unmet
from services.lipsync.avatar import AvatarKind
from services.lipsync.avatar.inspection import AvatarInfo, inspect
from services.lipsync.avatar.landmarks import FaceTracker
from services.lipsync.avatar.limits import Limits
from tests.support.lipsync_media import (
    Picture,
    Shape,
    pasted,
    scaled,
    write_picture,
    write_sound,
    write_video,
)

LIMITS = Limits()


@pytest.fixture
def look(tracker: FaceTracker) -> Look:
    return Look(tracker)


class Look:
    def __init__(self, tracker: FaceTracker) -> None:
        self.tracker = tracker

    def at(self, path: Path, limits: Limits = LIMITS) -> AvatarInfo:
        return inspect(path, self.tracker, limits).info

    def refuses(self, path: Path, limits: Limits = LIMITS) -> str:
        with pytest.raises(BadInput) as caught:
            self.at(path, limits)
        assert caught.value.violations[0].field == "avatar"
        return caught.value.violations[0].description


@pytest.fixture
def clip(tmp_path: Path, face: Picture) -> Path:
    return write_video(
        tmp_path / "clip.mp4", [face] * 30, shape=Shape(container=(("movflags", "faststart"),))
    )


def test_a_portrait_is_a_portrait_whatever_its_name(tmp_path: Path, look: Look, face: Picture) -> None:
    path = write_picture(tmp_path / "face.png", face)
    named = path.rename(tmp_path / "face.mp4")
    assert look.at(named) == AvatarInfo(AvatarKind.PORTRAIT, 240, 240, None, 1, 1, ())


def test_a_video_has_frames_and_a_rate(look: Look, clip: Path) -> None:
    assert look.at(clip) == AvatarInfo(AvatarKind.VIDEO, 240, 240, Fraction(25), 30, 1, ())


def test_a_moving_gif_is_a_video_and_a_still_one_a_portrait(
    tmp_path: Path, look: Look, face: Picture
) -> None:
    gif = Shape("gif", "rgb8", options=())
    moving = write_video(tmp_path / "a.gif", [face, face[:, ::-1]] * 3, Fraction(10), shape=gif)
    assert (look.at(moving).kind, look.at(moving).fps) == (AvatarKind.VIDEO, Fraction(10))
    still = write_video(tmp_path / "b.gif", [face], Fraction(10), shape=gif)
    assert (look.at(still).kind, look.at(still).frames) == (AvatarKind.PORTRAIT, 1)


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    tiff = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHH", 1, 0x112, 3, 1, orientation, 0) + b"\0\0\0\0"
    segment = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


def test_the_size_is_as_shown_when_a_photo_says_it_is_turned(
    tmp_path: Path, look: Look, face: Picture
) -> None:
    upright = np.ascontiguousarray(face[:, 20:-20])
    path = write_picture(tmp_path / "phone.jpg", np.rot90(upright))
    path.write_bytes(with_orientation(path.read_bytes(), 6))
    info = look.at(path)
    assert (info.width, info.height, info.faces) == (200, 240, 1)


def test_the_size_is_as_shown_when_a_video_says_it_is_turned(
    tmp_path: Path, look: Look, face: Picture
) -> None:
    upright = np.ascontiguousarray(face[:, 20:-20])
    path = write_video(tmp_path / "phone.mp4", [np.rot90(upright)] * 4, shape=Shape(rotation=-90))
    info = look.at(path)
    assert (info.width, info.height, info.faces) == (200, 240, 1)


def test_pixels_that_are_not_square_are_shown_as_wide_as_they_are(
    tmp_path: Path, look: Look, face: Picture
) -> None:
    narrow = np.ascontiguousarray(face[:, ::2])
    path = write_video(tmp_path / "dv.mp4", [narrow] * 4, shape=Shape(aspect=Fraction(2)))
    info = look.at(path)
    assert (info.width, info.height, info.faces) == (240, 240, 1)


def test_a_rate_of_29_97_in_milliseconds_is_still_29_97(tmp_path: Path, look: Look, face: Picture) -> None:
    fps = Fraction(30000, 1001)
    webm = Shape("libvpx-vp9", options=(("deadline", "realtime"), ("cpu-used", "8")))
    path = write_video(tmp_path / "a.webm", [face] * 40, fps, shape=webm)
    assert look.at(path).fps == fps


def test_a_varying_rate_is_averaged_and_said(tmp_path: Path, look: Look, face: Picture) -> None:
    times = [Fraction(n, 60) + Fraction(n % 2, 80) for n in range(0, 120, 2)]
    times = [time + Fraction(n % 3, 90) for n, time in enumerate(times)]
    info = look.at(write_video(tmp_path / "vfr.mp4", [face] * 60, Fraction(30), times))
    assert info.fps in (Fraction(30), Fraction(30000, 1001))
    (warning,) = info.warnings
    assert "varies" in warning


def test_of_a_long_video_the_first_seconds_are_used(tmp_path: Path, look: Look, face: Picture) -> None:
    path = write_video(tmp_path / "long.mp4", [face] * 60)
    info = look.at(path, Limits(max_clip_seconds=0.4))
    assert info.frames == 10
    assert info.warnings == ("only the first 0.4 s of 2 s are used",)


def test_several_faces_are_counted_and_the_largest_is_announced(
    tmp_path: Path, look: Look, portrait: Picture
) -> None:
    room = np.full((500, 1300, 3), 130, np.uint8)
    for side, x in ((300, 20), (480, 350), (240, 900)):
        room = pasted(room, scaled(portrait, side), x, 10)
    info = look.at(write_picture(tmp_path / "three.png", room))
    assert info.faces == 3
    assert info.warnings == ("3 faces found: the largest is animated",)


def test_a_small_face_is_announced(tmp_path: Path, look: Look, portrait: Picture) -> None:
    room = pasted(np.full((400, 400, 3), 130, np.uint8), scaled(portrait, 130), 100, 100)
    (warning,) = look.at(write_picture(tmp_path / "small.png", room)).warnings
    assert "pixels wide" in warning


def test_transparency_is_announced(tmp_path: Path, look: Look, face: Picture) -> None:
    alpha = np.full((240, 240, 1), 255, np.uint8)
    whole = write_picture(tmp_path / "whole.png", np.dstack([face, alpha]))
    assert look.at(whole).warnings == ()
    alpha[:30] = 0
    cut = write_picture(tmp_path / "cut.png", np.dstack([face, alpha]))
    assert look.at(cut).warnings == ("transparent parts are shown on grey",)


def test_a_picture_without_a_face_is_not_wrong_but_unusable(tmp_path: Path, look: Look) -> None:
    path = write_picture(tmp_path / "wall.png", np.full((200, 300, 3), 180, np.uint8))
    with pytest.raises(Unmet) as caught:
        look.at(path)
    assert caught.value.reason is Reason.NO_FACE


def test_a_face_that_comes_later_in_a_video_is_found(tmp_path: Path, look: Look, face: Picture) -> None:
    dark = np.zeros_like(face)
    assert look.at(write_video(tmp_path / "fade.mp4", [dark] * 10 + [face] * 30)).faces == 1


def test_a_video_without_its_index_is_damaged(tmp_path: Path, look: Look, face: Picture) -> None:
    path = write_video(tmp_path / "clip.mp4", [face] * 10)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"moov") - 4])
    assert "cut off" in look.refuses(path)


def test_a_video_that_ends_before_its_index_says_is_cut_off(look: Look, clip: Path) -> None:
    content = clip.read_bytes()
    clip.write_bytes(content[: len(content) * 3 // 4])
    assert "cut off" in look.refuses(clip)
    assert "of 30" in look.refuses(clip)


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "tiff"])
def test_half_of_a_picture_is_damaged(tmp_path: Path, look: Look, face: Picture, ending: str) -> None:
    path = write_picture(tmp_path / f"face.{ending}", face)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "cut off" in look.refuses(path) or "damaged" in look.refuses(path)


def test_sound_alone_is_not_an_avatar(tmp_path: Path, look: Look) -> None:
    assert "sound" in look.refuses(write_sound(tmp_path / "voice.mp4"))


@pytest.mark.parametrize(
    "content",
    [
        b"This is only text.\n" * 50,
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"RIFF\x24\0\0\0WAVEfmt " + bytes(40),
        b"\0",
    ],
)
def test_what_is_no_picture_and_no_video_is_never_handed_to_a_decoder(
    tmp_path: Path, look: Look, content: bytes
) -> None:
    path = tmp_path / "face.jpg"
    path.write_bytes(content)
    assert "neither a picture" in look.refuses(path)


def test_an_empty_file_is_called_empty(tmp_path: Path, look: Look) -> None:
    path = tmp_path / "face.jpg"
    path.touch()
    assert look.refuses(path) == "the file is empty"


def test_formats_that_cannot_be_read_are_told_what_to_become(tmp_path: Path, look: Look) -> None:
    heic = tmp_path / "face.heic"
    heic.write_bytes(struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic" + bytes(100))
    assert "JPEG" in look.refuses(heic)
    webp = tmp_path / "face.webp"
    webp.write_bytes(b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0" + bytes(64))
    assert "GIF or MP4" in look.refuses(webp)


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def test_a_huge_picture_is_refused_by_its_header(tmp_path: Path, look: Look) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(png_header(20_000, 20_000))
    assert look.refuses(path) == "20000 x 20000 pixels; at most 40 million are accepted"


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "webp", "tiff"])
def test_the_limit_of_pixels_holds_for_every_format(
    tmp_path: Path, look: Look, face: Picture, ending: str
) -> None:
    path = write_picture(tmp_path / f"face.{ending}", face)
    assert look.at(path).faces == 1
    assert "0.05 million" in look.refuses(path, Limits(max_pixels=50_000))


def test_the_limits_of_pixels_and_bytes_hold_for_videos(look: Look, clip: Path) -> None:
    assert "0.05 million" in look.refuses(clip, Limits(max_pixels=50_000))
    assert "MiB" in look.refuses(clip, Limits(max_bytes=1000))


@pytest.mark.parametrize("seed", range(25))
def test_whatever_bytes_are_damaged_the_answer_is_one_of_ours(
    tmp_path: Path, look: Look, clip: Path, face: Picture, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    source = clip if seed % 2 else write_picture(tmp_path / "face.jpg", face)
    content = np.frombuffer(source.read_bytes(), np.uint8).copy()
    near_the_start = rng.integers(4, 2000, 12)
    content[near_the_start] = rng.integers(0, 256, 12)
    source.write_bytes(content.tobytes())
    with suppress(BadInput, Unmet):
        assert look.at(source).faces >= 1
